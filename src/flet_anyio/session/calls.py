"""Methods the server calls on its client, waiting for their replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import Event, fail_after
from flet.controls.exceptions import FletPageDisconnectedException

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.messages import CallReply

__all__ = ["Calls"]


class _Call:
    """One call that waits."""

    __slots__ = ("done", "error", "failure", "result")

    def __init__(self) -> None:
        self.done = Event()
        self.result: Any = None
        self.error: str | None = None
        self.failure: Exception | None = None


class Calls:
    """The calls of one session. Bounded by its tasks: each waits in one, and leaves with it."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Call] = {}
        self._made = 0

    def __len__(self) -> int:
        return len(self._waiting)

    async def make(
        self, send: Callable[[str], None], *, what: str, timeout: float | None = None
    ) -> Any:
        """Send a call and return the client's result.

        `send` is given the call's id and puts the request on its way; what it raises ends the
        call. Cancelled or timed out, the entry is gone and a late reply is ignored.

        Raises:
            TimeoutError: No reply within `timeout` seconds; the text is upstream's.
            RuntimeError: The client refused, with its reason.
            FletPageDisconnectedException: The connection went away first.
        """
        self._made += 1
        call_id = str(self._made)
        call = self._waiting[call_id] = _Call()
        try:
            send(call_id)
            with fail_after(timeout):
                await call.done.wait()
        except TimeoutError:
            raise TimeoutError(f"Timeout waiting for invokeMethod {what} call") from None
        finally:
            self._waiting.pop(call_id, None)
        if call.failure is not None:
            raise call.failure
        if call.error:
            raise RuntimeError(call.error)
        return call.result

    def resolve(self, reply: CallReply) -> bool:
        """Hand a reply to its caller. Return False when nobody waits for it: it is late."""
        call = self._waiting.pop(reply.call_id, None)
        if call is None:
            return False
        call.result, call.error = reply.result, reply.error
        call.done.set()
        return True

    def fail_all(self) -> None:
        """End every call: the client that should answer is gone."""
        waiting, self._waiting = self._waiting, {}
        for call in waiting.values():
            call.failure = FletPageDisconnectedException("the client went away before it answered")
            call.done.set()
