"""How a client gets the page: the first time, after a reload, and when it comes back."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from flet.controls.exceptions import FletPageDisconnectedException
from flet.messaging.protocol import MessageAction

from ..errors import PeerError
from ..render import encode_message
from ..wire.codes import CloseCode
from .crossing import Crossing
from .journal import Position
from .props import apply_registration, drawn
from .screen import NO_CONTROL, call_frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flet.controls.base_control import BaseControl

    from ..wire.messages import Register
    from ..wire.tokens import ResumeToken
    from .calls import Calls
    from .interfaces import Client
    from .screen import Screen, Welcome
    from .tasks import Tasks

__all__ = ["Greeter"]

logger = logging.getLogger(__name__)

_NOTHING_SHOWN = Position()

_PATIENTLY = {"timeout": 86_400}
"""Seconds that the client itself waits for its stand-in view: as long as its tab is hidden."""


class Greeter:
    """Answers registrations of one session's clients.

    A client that comes back with the page it had gets the updates that it missed. One that
    shows another page of this app gets the whole one in two steps: first a stand-in for its
    views, and when it has built that, the views themselves. Its widgets would otherwise stay
    with the controls they know. All else is held back until it has built those too: a dialog
    that opened while it changes its views would never close.

    `in_turn` has something done after the client's messages that wait already.
    """

    __slots__ = (
        "_calls",
        "_crossing",
        "_in_turn",
        "_position",
        "_screen",
        "_shown",
        "_tasks",
        "_token",
        "foreign",
        "greeted",
        "route_changed",
    )

    def __init__(
        self,
        token: ResumeToken,
        screen: Screen,
        tasks: Tasks,
        calls: Calls,
        in_turn: Callable[[Callable[[], None]], Awaitable[None]],
    ) -> None:
        self._token = token
        self._in_turn = in_turn
        self._screen = screen
        self._tasks = tasks
        self._calls = calls
        self._position = _NOTHING_SHOWN
        self._shown: str | None = None
        self._crossing: Crossing | None = None
        self.route_changed = False
        self.greeted: Client | None = None
        # Whether what the client says now is about a page that was not drawn here: a server that
        # was restarted gave the same ids to other controls.
        self.foreign = False

    def note(self, request: Register) -> None:
        """Take what a client that registers says of its page.

        Raises:
            PeerError: A value does not fit; nothing was taken.
        """
        page = dict(request.page)
        window = page["window"] = dict(page.get("window") or {})
        position = Position.take(window)
        route = self._screen.page.route
        try:
            apply_registration(self._screen.page, page)
        except (TypeError, ValueError) as error:
            reason = "a registration whose page does not fit"
            raise PeerError(CloseCode.INVALID_PAYLOAD, reason) from error
        self._position = position
        self._shown = request.session_id
        self.route_changed = bool(self._screen.page.route) and self._screen.page.route != route

    def shows(self, request: Register) -> bool:
        """Whether the page that registers is the one that was last drawn here."""
        position = Position.take(dict(request.page.get("window") or {}))
        return position.live and position.epoch == self._screen.journal.epoch

    def greet(self, client: Client, error: str = "") -> None:
        """Bring the client up to date. From then on, and not before, it takes updates."""

        def send(welcome: Welcome) -> None:
            if welcome.in_place and self.greeted is not None:
                client.continue_channels(self.greeted)
            self.greeted = client
            self._crossing = None
            self.foreign = welcome.foreign
            client.welcome(welcome.frames)
            if welcome.stand_in is not None:
                self._crossing = Crossing(None)
                show = (self._show_views, client, welcome, self._crossing)
                self._tasks.spawn(*show, name="a refresh")
                client.hold()
            elif welcome.replaced:
                self._crossing = Crossing(welcome.replaced)
                for control_id, props in welcome.said.items():
                    self._crossing.note(control_id, props)
                self._tasks.spawn(self._reconcile, client, self._crossing, name="a resume")

        # The marks of one registration say nothing about the next.
        position, self._position = self._position, _NOTHING_SHOWN
        try:
            self._screen.welcome(
                self._token, send, position=position, shown=self._shown, error=error
            )
        except Exception:
            # The page cannot be drawn, or a hook of a control failed. Whoever waits for it is
            # told, unless the page has gone out already; the failure itself is the caller's.
            if self.greeted is not client:
                self.greeted = client
                reply = {
                    "session_id": self._token.value,
                    "page_patch": {},
                    "error": error or "The page could not be drawn.",
                }
                client.welcome([encode_message(MessageAction.REGISTER_CLIENT, reply)])
            raise

    def overtakes(self, control: BaseControl, props: dict[str, Any]) -> None:
        """Note a change by the user that may have crossed an update that was sent again."""
        crossing = self._crossing
        # Of the page itself the client only reports what it alone knows, such as its width.
        if crossing is not None and control is not self._screen.page:
            crossing.note(control._i, drawn(control, props))

    async def _show_views(self, client: Client, welcome: Welcome, crossing: Crossing) -> None:
        try:
            await self._built(client, welcome.stand_in)
            self.foreign = False
            for views in welcome.then:
                client.send(views, urgent=True)
            self._tasks.spawn(self._let_go, client, welcome.top, name="a refresh")
        except FletPageDisconnectedException:
            logger.debug("a client left before it could be given its views")
        # What the user did in the views that are gone came before the answer.
        await self._in_turn(partial(self._conclude, crossing))

    async def _let_go(self, client: Client, top: int | None) -> None:
        with suppress(FletPageDisconnectedException):  # then there is nobody to send it to
            await self._built(client, top)
            client.release()

    async def _built(self, client: Client, view: int | None) -> None:
        if view is not None:
            with suppress(RuntimeError):  # a view knows no such method: an answer all the same
                await self.call(client, view, **_PATIENTLY)

    async def _reconcile(self, client: Client, crossing: Crossing) -> None:
        """Where the user and the app changed the same, have the user's change count.

        The client sends what the user did while it was away after it was given what it missed,
        and before it answers this call. In its page the app's value stands, here the user's.
        """
        # There is no such control, says every client. One that leaves before it says so gets the
        # user's changes when it is back.
        with suppress(RuntimeError, FletPageDisconnectedException):
            await self.call(client, NO_CONTROL)
        # The answer did not wait behind the user's changes, which may be queued still.
        await self._in_turn(partial(self._conclude, crossing))

    def _conclude(self, crossing: Crossing) -> None:
        if self._crossing is crossing:
            self._crossing = None
        for control_id, props in crossing.users.items():
            self._screen.set_again(control_id, props)

    async def call(
        self,
        client: Client,
        control_id: int,
        *,
        patience: float | None = None,
        **request: int,
    ) -> None:
        """Call a method that no control has. Returns, or raises RuntimeError, when answered.

        Goes out at once, also while other frames are held back.
        """

        def send(call_id: str) -> None:
            client.send(call_frame(control_id, call_id, **request), urgent=True)

        await self._calls.make(send, what="ready", timeout=patience, bounded=False)
