"""A user with one tab, who uses the app and whose connection breaks in all kinds of ways."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

import anyio
from flet.messaging.protocol import MessageAction

from flet_anyio.testing import PageModel

from .server import SESSION_TIMEOUT
from .wire import Gone, Wire

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

__all__ = ["Broken", "Visitor"]

_PATIENCE = 20
"""Seconds until a server that says nothing has failed. Much, as the machine may be busy."""


class Broken(Exception):  # noqa: N818 - a promise
    """The server did not do what it promises."""


class Visitor:
    """Comes and goes `visit` by `visit`."""

    def __init__(self, url: str, rng: random.Random, counts: Counter[str]) -> None:
        self._url = url.replace("http", "ws", 1) + "ws"
        self._rng = rng
        self._counts = counts
        self._wire: Wire
        self._clicks = 0
        self._silent: Wire | None = None
        self._open: list[Wire] = []
        self._faults: deque[str] = deque(maxlen=4)
        self._forget()

    async def visit(self) -> None:
        """Connect, use the app and lose the connection.

        Raises:
            Broken: The server broke a promise.
        """
        fault = self._rng.choice(FAULTS)
        name = fault.__name__.strip("_").replace("_", " ")
        self._counts[name] += 1
        self._faults.append(name)
        try:
            with anyio.fail_after(_PATIENCE):
                self._wire = await Wire.open(self._url)
                self._open.append(self._wire)
                await fault(self)
        except Gone:
            self._counts["(gone by itself)"] += 1
        except TimeoutError:
            faults = " → ".join(self._faults)
            raise Broken(f"no answer within {_PATIENCE} s; {faults}") from None
        finally:
            with anyio.CancelScope(shield=True):
                await self._leave()
        if self._rng.random() < 0.2:
            self._forget()  # another tab: nobody comes back to the session

    async def look_in(self) -> None:
        """Visit once without any fault."""
        with anyio.fail_after(_PATIENCE):
            self._wire = await Wire.open(self._url)
            await self._come()
            await self._use()
            await self._wire.say_goodbye()

    async def go(self) -> None:
        """Leave for good."""
        self._silent = None
        await self._leave()

    async def _leave(self) -> None:
        # A half-open connection is left open until the tab has another one.
        for wire in self._open[: None if self._silent is None else -1]:
            await self._rng.choice([wire.finish, wire.reset])()
        self._open = [] if self._silent is None else self._open[-1:]
        self._silent = None

    def _forget(self) -> None:
        self._session: str | None = None
        self._desk = ""
        self._page = PageModel()
        self._heard = 0.0
        self._silent = None

    # --- using --------------------------------------------------------------------------------

    async def _come(self, *, reloaded: bool = False) -> None:
        """Register; say what the tab shows, as the real client does."""
        last_heard = self._heard
        await self._wire.shake_hands()
        if reloaded:
            self._page = PageModel()
        page = {"route": "/", "web": True, "window": self._page.window}
        body = {"session_id": self._session, "page_name": "", "page": page}
        await self._wire.send(MessageAction.REGISTER_CLIENT, body)
        while await self._take() is not MessageAction.REGISTER_CLIENT:
            pass
        while not self._shown("echo"):
            await self._take()
        self._check_desk(last_heard)

    def _check_desk(self, last_heard: float) -> None:
        desk = next(n["value"] for n in self._page.nodes() if n.get("key") == "desk")
        before, self._desk = self._desk, desk
        self._counts["(same session)"] += desk == before
        away = anyio.current_time() - last_heard
        if before and desk != before:
            # Half of it for what lies on the way and for a machine that is busy.
            if away < SESSION_TIMEOUT / 2:
                raise Broken(f"another session after {away:.1f} s; {' → '.join(self._faults)}")
            self._counts["(came too late)"] += 1

    async def _use(self) -> None:
        """Click and see what it does, a few times; type."""
        for _ in range(self._rng.randint(1, 3)):
            self._clicks += 1
            await self._click("echo", self._clicks)
            while not self._shown(f"seen {self._clicks}"):
                await self._take()
            if self._rng.random() < 0.3:
                field = self._find("field")
                await self._wire.send(
                    MessageAction.UPDATE_CONTROL_PROPS, {"id": field, "props": {"value": "typed"}}
                )

    async def _click(self, button: str, data: Any = None) -> None:
        body = {"target": self._find(button), "name": "click", "data": data}
        await self._wire.send(MessageAction.CONTROL_EVENT, body)

    async def _take(self) -> MessageAction:
        """Take a message, and do what the client does with it."""
        action, body = await self._wire.receive()
        self._heard = anyio.current_time()
        if action is MessageAction.REGISTER_CLIENT:
            self._session = body["session_id"]
            self._page.merge(body["page_patch"])
        elif action is MessageAction.PATCH_CONTROL:
            self._page.apply(body["id"], body["patch"])
        elif action is MessageAction.INVOKE_METHOD and self._page.by_id(body["control_id"]) is None:
            answer = {name: body[name] for name in ("control_id", "call_id")}
            error = {"result": None, "error": "no such control"}
            await self._wire.send(MessageAction.INVOKE_METHOD, answer | error)
        elif action is MessageAction.INVOKE_METHOD and body["name"] == "ready":
            answer = {name: body[name] for name in ("control_id", "call_id")}
            await self._wire.send(
                MessageAction.INVOKE_METHOD, answer | {"result": None, "error": "unknown method"}
            )
        return action

    def _shown(self, text: str) -> bool:
        return any(text in node.texts for node in self._page.nodes())

    def _find(self, text: str) -> int:
        return next(node.id for node in self._page.nodes() if text in node.texts)

    # --- faults -------------------------------------------------------------------------------

    async def _fin(self) -> None:
        await self._come()
        await self._use()
        await self._wire.finish()

    async def _rst(self) -> None:
        await self._come()
        await self._use()
        await self._wire.reset()

    async def _closed_by_the_browser(self) -> None:
        await self._come()
        await self._use()
        await self._wire.say_goodbye()

    async def _reload(self) -> None:
        await self._come(reloaded=True)
        await self._use()

    async def _cut_within_a_frame_of_the_client(self) -> None:
        await self._come()
        await self._use()
        body = {"target": self._find("echo"), "name": "click", "data": "x" * 10_000}
        await self._wire.send_part(MessageAction.CONTROL_EVENT, body, self._rng.random())

    async def _cut_within_a_frame_of_the_server(self) -> None:
        await self._come()
        await self._click("send_much")
        for _ in range(self._rng.randint(1, 10)):
            await self._wire.receive_bytes()
        await self._wire.reset()

    async def _cut_within_the_reply(self) -> None:
        await self._wire.shake_hands()
        body = {"session_id": self._session, "page_name": "", "page": {"route": "/", "window": {}}}
        self._page = PageModel()
        await self._wire.send(MessageAction.REGISTER_CLIENT, body)
        for _ in range(self._rng.randint(0, 3)):
            await self._wire.receive_bytes()
        await self._wire.reset()

    async def _garbage_message(self) -> None:
        await self._come()
        garbage = self._rng.choice(
            [b"", b"\x00", b"\x00\xc1", b"\x07", self._rng.randbytes(50), b"\x00\x92\x03\x80"]
        )
        await self._wire.send_packet(garbage)
        await self._use()

    async def _text_frame(self) -> None:
        await self._come()
        await self._wire.send_text("text")
        await self._use()

    async def _garbage_bytes(self) -> None:
        await self._come()
        await self._wire.send_bytes(self._rng.randbytes(200))
        await self._use()

    async def _left_before_the_handshake(self) -> None:
        if self._rng.random() < 0.5:
            await self._wire.send_bytes(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgr")

    async def _left_before_registration(self) -> None:
        await self._wire.shake_hands()

    async def _left_right_after_registration(self) -> None:
        await self._wire.shake_hands()
        body = {"session_id": None, "page_name": "", "page": {"route": "/", "window": {}}}
        await self._wire.send(MessageAction.REGISTER_CLIENT, body)

    async def _never_reads(self) -> None:
        await self._come()
        for _ in range(5):
            await self._click("send_much")
            await self._click("echo", 0)
        await anyio.sleep(self._rng.choice([0.1, 0.5, 2.5]))

    async def _silent_until_it_is_taken_over(self) -> None:
        await self._come()
        await self._use()
        self._silent = self._wire

    async def _calls_pending(self) -> None:
        await self._come()
        await self._click("call")
        while await self._take() is not MessageAction.INVOKE_METHOD:
            pass

    async def _work_going_on(self) -> None:
        await self._come()
        await self._click("begin")
        await self._click("wait")
        await self._use()

    async def _handler_fails(self) -> None:
        await self._come()
        await self._click("fail")
        await self._use()

    async def _app_leaves(self) -> None:
        await self._come()
        await self._click(self._rng.choice(["leave", "end"]))
        self._desk = ""
        try:
            while True:
                await self._take()
        except Gone:
            pass


FAULTS: list[Callable[[Visitor], Awaitable[None]]] = [
    Visitor._fin,
    Visitor._rst,
    Visitor._closed_by_the_browser,
    Visitor._reload,
    Visitor._cut_within_a_frame_of_the_client,
    Visitor._cut_within_a_frame_of_the_server,
    Visitor._cut_within_the_reply,
    Visitor._garbage_message,
    Visitor._text_frame,
    Visitor._garbage_bytes,
    Visitor._left_before_the_handshake,
    Visitor._left_before_registration,
    Visitor._left_right_after_registration,
    Visitor._never_reads,
    Visitor._silent_until_it_is_taken_over,
    Visitor._calls_pending,
    Visitor._work_going_on,
    Visitor._handler_fails,
    Visitor._app_leaves,
]
