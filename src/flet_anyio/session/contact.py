"""A session's client: told what the page is like, asked, and believed only so far."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from flet.controls.exceptions import FletPageDisconnectedException
from flet.messaging.protocol import InvokeMethodRequestBody, MessageAction

from ..errors import OutboxFull, PeerError, TooManyCalls
from ..limits.overruns import count_overrun
from ..render import encode_message
from ..wire.codes import CloseCode
from .calls import Calls
from .client_part import may_come
from .greeter import Greeter
from .lifecycle import State
from .props import apply_props, believed
from .screen import NO_CONTROL, PING, Screen, call_frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flet.controls.base_control import BaseControl

    from ..limits import Limits
    from ..wire.messages import CallReply, PropertyUpdate, Register
    from ..wire.tokens import ResumeToken
    from .interfaces import Client
    from .lifecycle import Lifecycle
    from .page import Page
    from .tasks import Tasks

__all__ = ["Contact"]

logger = logging.getLogger(__name__)


class Contact:
    """The connection of one session: the one it has, or else the last one it had."""

    __slots__ = (
        "_given_up",
        "_greeter",
        "_label",
        "_lifecycle",
        "_limits",
        "_tasks",
        "calls",
        "client",
        "screen",
    )

    def __init__(
        self,
        client: Client,
        page: Page,
        lifecycle: Lifecycle,
        *,
        token: ResumeToken,
        tasks: Tasks,
        limits: Limits,
        label: str,
        in_turn: Callable[[Callable[[], None]], Awaitable[None]],
    ) -> None:
        self.client = client
        self.screen = Screen(
            page, self._send_update, renderer=client.renderer, journal_bytes=limits.journal_bytes
        )
        self.calls = Calls(limits.calls_in_flight)
        self._given_up: Client | None = None
        self._greeter = Greeter(token, self.screen, tasks, self.calls, in_turn)
        self._lifecycle = lifecycle
        self._tasks = tasks
        self._limits = limits
        self._label = label

    @property
    def attached(self) -> bool:
        """Whether there is a connection now."""
        return self._lifecycle.state is State.ATTACHED

    @property
    def foreign(self) -> bool:
        """Whether what the client says now is about a page that was not drawn here."""
        return self._greeter.foreign

    @property
    def route_changed(self) -> bool:
        """Whether the client that registered last was elsewhere in the app than before."""
        return self._greeter.route_changed

    # --- coming and going ---------------------------------------------------------------------

    def note(self, request: Register) -> None:
        """Take what a client that registers says of its page.

        Raises:
            PeerError: A value does not fit; nothing was noted.
        """
        self._greeter.note(request)

    def shows(self, request: Register) -> bool:
        """Whether the page that registers is the one that was last drawn for this session."""
        return self._greeter.shows(request)

    def take(self, client: Client, *, instead: bool) -> None:
        """Talk to this client from now on, and, if `instead`, close the one that there is."""
        if instead:
            self.calls.fail_all()
            self.client.close(CloseCode.NORMAL, "another connection took over")
        self.client = client

    def lose(self) -> None:
        """The client is gone."""
        self.calls.fail_all()

    def greet(self, failed: str = "") -> None:
        """Bring the client up to date, and send it the calls that waited for it."""
        greet = partial(self._greeter.greet, self.client, failed)
        self._tasks.guard("the page", self._tasks.fresh_context().run, greet)
        self.calls.send_again()

    # --- asking -------------------------------------------------------------------------------

    async def call(self, control_id: int, name: str, args: Any, timeout: float | None) -> Any:
        """See `Session.invoke_method`."""

        def send(call_id: str) -> None:
            if not self.attached:
                raise FletPageDisconnectedException(f"the client is away: {name} not sent")
            # The control it is for may be among what was kept back.
            self.screen.make_room()
            call = InvokeMethodRequestBody(control_id, call_id, name, args)
            self.client.send(encode_message(MessageAction.INVOKE_METHOD, call))

        if self.client is self._given_up:
            raise FletPageDisconnectedException(f"the client answers nothing: {name} not sent")
        try:
            return await self.calls.make(send, what=f"{name}({args})", timeout=timeout)
        except TooManyCalls:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """Let go of a client that answers nothing.

        Else each event that has the app make one more call would fill the log with its error.
        """
        self._given_up = self.client
        reason = "too many calls are not answered"
        error = PeerError(CloseCode.POLICY_VIOLATION, reason, limit="calls_in_flight")
        self.client.fail(error)

    async def answers(self) -> bool:
        """Whether the client is still there: asks it, and waits `Limits.ping_timeout`."""
        # Every client answers a call to a control that does not exist, with an error.
        try:
            patience = self._limits.ping_timeout
            await self._greeter.call(self.client, NO_CONTROL, patience=patience)
        except RuntimeError:
            return True
        except TimeoutError:
            count_overrun("ping_timeout")
            return False
        except (FletPageDisconnectedException, OutboxFull):
            return False
        return True

    def ask(self, client: Client) -> bool:
        """Have a client that is silent say something, without waiting for it.

        Return False when it cannot be asked: it has not got the page yet, or was replaced.
        """
        if not self._is_told(client):
            return False
        with suppress(OutboxFull):  # then the writer finds out that it takes nothing
            client.send(call_frame(NO_CONTROL, PING), urgent=True)
        self.screen.ask_receipt()
        return True

    # --- hearing ------------------------------------------------------------------------------

    def receive_reply(self, reply: CallReply) -> None:
        """Hand a call's outcome to its caller, or take note of a receipt."""
        if self.calls.resolve(reply) or reply.call_id == PING:
            return
        if not self.screen.confirm(reply.call_id):
            logger.debug("session %s: a reply came too late", self._label)
        elif self.screen.may_catch_up:
            catch_up = partial(self._tasks.fresh_context().run, self.screen.catch_up)
            self._tasks.guard("an update", catch_up)

    def apply(self, control_id: int, props: dict[str, Any]) -> None:
        """Set properties of a control to what the client says they are.

        Raises:
            ValueError, TypeError: A value does not fit its property; nothing was set.
        """
        control = self.screen.index.get(control_id)
        if control is not None:
            props = believed(control, props, strict=self.client.strict)
            self._greeter.overtakes(control, props)
            apply_props(control, props)
            self.screen.heard(control_id, props)

    def receive_update(self, message: PropertyUpdate) -> None:
        """The user changed something; a change that fits nothing ends the connection."""
        try:
            self.apply(message.control_id, message.props)
        except (TypeError, ValueError) as error:
            self.refuse(f"properties that do not fit control {message.control_id}", error)

    def may_come(self, control: BaseControl, event: str) -> bool:
        """Whether the client may send this event of a control, as that is now."""
        return may_come(control, event, strict=self.client.strict)

    def refuse(self, what: str, error: Exception) -> None:
        """The client sent values that fit no type: log it and close its connection."""
        logger.info("session %s: the client sent %s (%s)", self._label, what, error)
        if self.attached:
            self.client.fail(PeerError(CloseCode.INVALID_PAYLOAD, what))

    # --- inside -------------------------------------------------------------------------------

    def _is_told(self, client: Client) -> bool:
        return self.attached and self.client is client and self._greeter.greeted is client

    def _send_update(self, frames: list[bytes]) -> None:
        # A client that is away, or has not got the page yet, is brought up to date later. Read
        # once: another may take over while a thread is here, and is given all by its welcome.
        client = self.client
        if self._is_told(client):
            client.update(frames)
