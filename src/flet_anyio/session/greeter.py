"""How a client gets the page: the first time, after a reload, and when it comes back."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from flet.messaging.protocol import MessageAction

from ..errors import PeerError
from ..render import encode_message
from ..wire.codes import CloseCode
from .props import apply_props
from .screen import EPOCH, Screen, Welcome, saw_page

if TYPE_CHECKING:
    from ..wire.messages import Register
    from .calls import Calls
    from .interfaces import Client
    from .tasks import Tasks

__all__ = ["Greeter"]

_FOREVER = 86_400
"""Seconds that a live page may take to build its stand-in view: as long as its tab is hidden."""


class Greeter:
    """Answers registrations of one session's clients.

    A client that still shows a page gets the new one in two steps: first a stand-in for its
    views, and when it has built that, the views themselves. Its widgets would otherwise stay
    with the controls they know. What is sent between the steps is held back.
    """

    def __init__(self, session_id: str, screen: Screen, tasks: Tasks, calls: Calls) -> None:
        self._session_id = session_id
        self._screen = screen
        self._tasks = tasks
        self._calls = calls
        self._live = False
        self.route_changed = False
        self.greeted: Client | None = None

    def note(self, request: Register) -> None:
        """Take what a client that registers says of its page.

        Raises:
            PeerError: A value does not fit; nothing was taken.
        """
        page = dict(request.page)
        window = page["window"] = dict(page.get("window") or {})
        live = saw_page(window)
        route = self._screen.page.route
        try:
            apply_props(self._screen.page, page)
        except (TypeError, ValueError) as error:
            reason = f"a registration with a page that does not fit ({error})"
            raise PeerError(CloseCode.INVALID_PAYLOAD, reason) from error
        self._live = live
        self.route_changed = bool(self._screen.page.route) and self._screen.page.route != route

    def shows(self, request: Register) -> bool:
        """Whether the page that registers is the one that was last drawn here."""
        epoch = (request.page.get("window") or {}).get(EPOCH)
        return epoch is not None and epoch == self._screen.epoch

    def greet(self, client: Client, error: str = "") -> None:
        """Send the whole page. From then on, and not before, `client` takes updates."""

        def send(welcome: Welcome) -> None:
            self.greeted = client
            for frame in welcome.frames:
                client.update(frame)
            if welcome.stand_in is not None:
                waits = (client, welcome.stand_in, welcome.then)
                self._tasks.spawn(self._show_views, *waits, name="a refresh")
                client.hold()

        self._screen.welcome(self._session_id, send, live=self._live, error=error)

    async def _show_views(self, client: Client, stand_in: int, views: bytes) -> None:
        def send(call_id: str) -> None:
            call = {
                "control_id": stand_in,
                "call_id": call_id,
                "name": "built",
                "timeout": _FOREVER,
            }
            client.send(encode_message(MessageAction.INVOKE_METHOD, call), urgent=True)

        with suppress(RuntimeError):  # a view knows no such method: an answer all the same
            await self._calls.make(send, what="built")
        client.release(views)
