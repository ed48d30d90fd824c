"""Methods the server calls on its client, waiting for their replies."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from anyio import Event, fail_after
from flet.controls.exceptions import FletPageDisconnectedException

from ..errors import TooManyCalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..wire.messages import CallReply

__all__ = ["Calls", "waiting_for_client"]

_patient: ContextVar[bool] = ContextVar("flet_anyio_patient", default=False)


@contextmanager
def waiting_for_client() -> Iterator[None]:
    """See `Page.waiting_for_client`."""
    before = _patient.set(True)
    try:
        yield
    finally:
        _patient.reset(before)


class _Call:
    """One call that waits. With `send`, also for its client to come back."""

    __slots__ = ("done", "error", "failure", "result", "send")

    def __init__(self, send: Callable[[str], None] | None) -> None:
        self.send = send
        self.done = Event()
        self.result: Any = None
        self.error: str | None = None
        self.failure: Exception | None = None


class Calls:
    """The calls of one session. Each waits in a task, and leaves with it; `limit` bounds them.

    Those that fail together are woken one by one, each by the one before as it leaves: a thousand
    handlers that ended in one step of the event loop would hold up everybody.
    """

    __slots__ = ("_failed", "_limit", "_made", "_waiting")

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._waiting: dict[str, _Call] = {}
        self._failed: list[_Call] | None = None
        self._made = 0

    def __len__(self) -> int:
        return len(self._waiting)

    async def make(
        self,
        send: Callable[[str], None],
        *,
        what: str,
        timeout: float | None = None,
        bounded: bool = True,
    ) -> Any:
        """Send a call and return the client's result.

        `send` is given the call's id and puts the request on its way; what it raises ends the
        call. Cancelled or timed out, the entry is gone and a late reply is ignored. Inside
        `waiting_for_client` a client that is away, or goes away, ends nothing. One that is not
        `bounded` may be made however many wait.

        Raises:
            TooManyCalls: So many wait already that this one was not made.
            TimeoutError: No reply within `timeout` seconds; the text is upstream's.
            RuntimeError: The client refused, with its reason.
            FletPageDisconnectedException: The connection went away first.
        """
        if bounded and self._limit is not None and len(self._waiting) >= self._limit:
            raise TooManyCalls(self._limit)
        self._made += 1
        call_id = str(self._made)
        call = self._waiting[call_id] = _Call(send if _patient.get() else None)
        try:
            _send(call, send, call_id)
            with fail_after(timeout):
                await call.done.wait()
        except TimeoutError:
            if call.failure is None:
                raise TimeoutError(f"Timeout waiting for invokeMethod {what} call") from None
        finally:
            self._waiting.pop(call_id, None)
            self._wake_next()
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
        """The client that should answer is gone: end every call that does not wait for it."""
        for call_id, call in list(self._waiting.items()):
            if call.send is None:
                self._fail(call_id, call)
        self._wake_next()

    def send_again(self) -> None:
        """The client is back: send it the calls that waited for it."""
        for call_id, call in list(self._waiting.items()):
            if call.send is not None:
                try:
                    _send(call, call.send, call_id)
                except Exception as error:
                    # It is the caller's, who waits for it.
                    self._fail(call_id, call, error)
        self._wake_next()

    def end_all(self) -> None:
        """No client comes any more: end every call."""
        for call_id, call in list(self._waiting.items()):
            self._fail(call_id, call)
        self._wake_next()

    def _fail(self, call_id: str, call: _Call, failure: Exception | None = None) -> None:
        del self._waiting[call_id]
        gone = "the client went away before it answered"
        call.failure = failure or FletPageDisconnectedException(gone)
        self._failed = self._failed or []
        self._failed.append(call)

    def _wake_next(self) -> None:
        # One that has left meanwhile has woken another then.
        if self._failed:
            self._failed.pop(0).done.set()


def _send(call: _Call, send: Callable[[str], None], call_id: str) -> None:
    try:
        send(call_id)
    except FletPageDisconnectedException:
        if call.send is None:
            raise
