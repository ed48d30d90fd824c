"""Sign-ins by OAuth, from `page.login` until `on_login` hears how they ended."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum, auto
from hmac import compare_digest
from typing import TYPE_CHECKING

import anyio
from flet.controls.page import LoginEvent
from flet.controls.services.url_launcher import UrlLauncher
from flet.controls.types import PagePlatform

from ..limits.overruns import overrun
from .failures import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flet.auth.authorization import Authorization

    from ..limits import Limits
    from .session import Session

__all__ = ["Callback", "Outcome", "Refused", "SignIn", "SignIns"]

logger = logging.getLogger(__name__)

_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Callback:
    """What a provider sends the user back with: a code, or else an error."""

    code: str = ""
    error: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a sign-in ended, as `on_login` is told. No error means that the user is signed in.

    Attributes:
        inside: Whether the error is the text of an exception: that is no visitor's business.
    """

    error: str | None = None
    description: str | None = None
    inside: bool = False


class Refused(Enum):
    """Why a callback has no effect."""

    UNKNOWN = auto()
    """No such state, or its callback came already."""
    OVER = auto()
    """It is too late: the time is up, the session has ended, or the user signed out."""
    FOREIGN = auto()
    """It came from another browser than the one that began."""


class SignIn:
    """One sign-in, run by a task of its session: it ends when its time is up, and with that.

    Args:
        session: Who signs in.
        authorization: Has the code exchanged for a token.
        browser: The only browser that may come back, or None: any may.
        deadline: Until when it may come back, on the loop's clock.
    """

    def __init__(
        self,
        session: Session,
        authorization: Authorization,
        *,
        browser: str | None,
        deadline: float,
        complete_page_html: str | None = None,
        complete_page_url: str | None = None,
    ) -> None:
        self.session = session
        self.complete_page_html = complete_page_html
        self.complete_page_url = complete_page_url
        self.outcome: Outcome | None = None
        """How it ended; None before `over`, and when it was cut short."""
        self.over = anyio.Event()
        self.muted = False
        """Whether the end of its time is of no interest any more."""
        self._authorization = authorization
        self._browser = browser
        self._waiting = anyio.CancelScope(deadline=deadline)
        self._called_back = anyio.Event()
        self._callback: Callback | None = None

    @property
    def wanted(self) -> bool:
        """Whether it may still go on: `page.login` sets the page's auth, and logout clears it."""
        return self.session.open and self.session.authorization is not None

    def begun_in(self, browsers: Iterable[str]) -> bool:
        """Whether a browser that shows these cookies may come back. In constant time."""
        if self._browser is None:
            return True
        return any([compare_digest(self._browser.encode(), one.encode()) for one in browsers])

    def answer(self, callback: Callback) -> None:
        """The user is back. Call it once."""
        self._callback = callback
        self._called_back.set()

    def give_up(self) -> None:
        """Wait no longer, and say nothing."""
        self.muted = True
        self._waiting.cancel()

    async def run(self, limits: Limits) -> None:
        """Wait for the callback, exchange its code, and tell `on_login`."""
        try:
            with self._waiting:
                await self._called_back.wait()
            outcome = await self._conclude(limits.token_timeout)
            if outcome is None or not self.wanted:
                return
            if outcome.error is None:
                self.session.authorization = self._authorization
            self.outcome = outcome
            self._announce(outcome)
        finally:
            self.over.set()

    async def _conclude(self, timeout: float | None) -> Outcome | None:
        callback = self._callback
        if callback is None:
            late = "the user did not come back from the provider in time"
            return None if self.muted else Outcome("timeout", late)
        if not self.wanted:
            return None
        if not self.session.page.web:
            self.session.run_task(self._come_to_front)
        if callback.error is not None:
            return Outcome(callback.error, callback.description)
        with anyio.move_on_after(timeout):
            return await self._exchange(callback.code)
        text = "session %s: a provider gave no token within %s s"
        overrun(logger, "token_timeout", text, self.session.label, timeout)
        return Outcome("timeout", f"the provider gave no token within {timeout} s")

    async def _exchange(self, code: str) -> Outcome:
        try:
            await self._authorization.request_token(code)
        except BaseException as error:
            failure = self.session.tasks.failure_in("a sign-in", error)
            if failure is None:
                raise
            # The provider is another party: what it answers is this sign-in's result. An empty
            # text would say that all went well.
            return Outcome(text_of(failure) or type(failure).__name__, inside=True)
        return Outcome()

    async def _come_to_front(self) -> None:
        """Show the app again to the user of a native client, who is in the system's browser."""
        page = self.session.page
        if page.platform in (PagePlatform.IOS, PagePlatform.ANDROID):
            await UrlLauncher().close_in_app_web_view()
        else:
            await page.window.to_front()

    def _announce(self, outcome: Outcome) -> None:
        page = self.session.page
        event = LoginEvent(
            error=outcome.error, error_description=outcome.description, name="login", control=page
        )
        self.session.post_event(page, "login", event=event)


class SignIns:
    """The sign-ins of one server that wait, by their state.

    For each session `Limits.sign_ins_waiting` of them wait; one more ends the oldest. A number
    of those that are over is remembered, so that who comes late is told so.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, SignIn] = {}
        self._over: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, state: str, sign_in: SignIn, limits: Limits) -> None:
        """Wait for the callback with this state, in a task of the session.

        Raises:
            SessionClosed: The session has ended.
        """
        if state in self._waiting:
            self._waiting.pop(state).give_up()
        self._make_room(sign_in.session, limits.sign_ins_waiting)
        sign_in.session.tasks.spawn(self._run, state, sign_in, limits, name="a sign-in")
        self._over.pop(state, None)
        self._waiting[state] = sign_in

    def answer(self, state: str, browsers: Iterable[str], callback: Callback) -> SignIn | Refused:
        """Hand a callback to the sign-in that waits for it: a state is good for one.

        One from another browser changes nothing. A state shows in addresses and their logs; if
        whoever finds it could end the sign-in, they could keep its user out.
        """
        sign_in = self._waiting.get(state)
        if sign_in is None:
            return Refused.OVER if state in self._over else Refused.UNKNOWN
        if not sign_in.begun_in(browsers):
            return Refused.FOREIGN
        if not sign_in.wanted:
            return Refused.OVER
        del self._waiting[state]
        sign_in.answer(callback)
        return sign_in

    async def _run(self, state: str, sign_in: SignIn, limits: Limits) -> None:
        try:
            await sign_in.run(limits)
        finally:
            if self._waiting.get(state) is sign_in:
                self._retire(state)
        if sign_in.outcome == Outcome():
            self._mute(sign_in.session)

    def _mute(self, session: Session) -> None:
        # Whoever has signed in need not hear, in the midst of work, that an earlier window in
        # which they did not has had its time.
        for other in self._of(session):
            self._waiting[other].muted = True

    def _make_room(self, session: Session, limit: int | None) -> None:
        waiting = self._of(session)
        if limit is not None and len(waiting) >= limit:
            text = "session %s: more than %d sign-ins wait, the oldest one is given up"
            overrun(logger, "sign_ins_waiting", text, session.label, limit)
            self._waiting[waiting[0]].give_up()
            self._retire(waiting[0])

    def _of(self, session: Session) -> list[str]:
        """The states of a session's sign-ins that wait, oldest first."""
        return [state for state, one in self._waiting.items() if one.session is session]

    def _retire(self, state: str) -> None:
        del self._waiting[state]
        self._over[state] = None
        if len(self._over) > _REMEMBERED:
            del self._over[next(iter(self._over))]
