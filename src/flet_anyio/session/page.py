"""Flet's page, with what used asyncio put on the session instead."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlparse

from flet import Page as FletPage
from flet.auth.authorization_service import AuthorizationService
from flet.controls.control_event import ControlEvent
from flet.controls.page import AppLifecycleStateChangeEvent, LoginEvent
from flet.controls.services.url_launcher import UrlLauncher

from .calls import waiting_for_client

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Coroutine
    from concurrent.futures import Future, ThreadPoolExecutor
    from contextlib import AbstractContextManager
    from threading import Event

    from flet.auth.authorization import Authorization
    from flet.auth.oauth_provider import OAuthProvider

    from .session import Session

__all__ = ["Page"]

P = ParamSpec("P")
T = TypeVar("T")


class _NobodyWaits:
    """Takes the place of an `asyncio.Event` that is set and cleared, and never waited on."""

    def set(self) -> None:
        pass

    def clear(self) -> None:
        pass


_NOBODY_WAITS = _NobodyWaits()


class Page(FletPage):
    """The root of one user's controls, as `main` gets it.

    Everything documented for `flet.Page` holds. What differs is who owns the work: a task or
    a timer begun here is a child of the session, on asyncio and on trio alike, and ends with it.
    """

    # flet resolves a control's annotations in the namespace of the module that its class names.
    __module__ = FletPage.__module__

    session: Session  # type: ignore[assignment]

    # flet makes an event of asyncio for each page, for `wait_until_visible`, which is the
    # session's here. It is most of a kilobyte, on trio too. Its name is flet's own: both classes
    # are called Page.
    __app_visible_event = property(lambda _: _NOBODY_WAITS, lambda _, event: None)

    @property
    def loop(self) -> AbstractEventLoop:
        """The loop given to `FletApp`, else the running one; on trio, a small stand-in for it."""
        return self.session.loop

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Where `run_thread` runs: the executor given to `FletApp`, else the server's."""
        return self.session.executor

    @property
    def url(self) -> str | None:
        """The page's address, as the client last connected to it."""
        return self.session.page_url

    @property
    def name(self) -> str:
        """Where the app is mounted, without slashes at the ends."""
        return self.session.page_name

    @property
    def auth(self) -> Authorization | None:
        """Who is signed in, or None."""
        return self.session.authorization

    @property
    def closing(self) -> Event:
        """Set when the session ends: threads begun by `run_thread` should look at it."""
        return self.session.closing

    def get_upload_url(self, file_name: str, expires: int, *, max_size: int | None = None) -> str:
        """Return a URL to which the client can upload one file, once.

        Args:
            file_name: Where to store it, relative to the upload directory.
            expires: Seconds for which the URL is good.
            max_size: Bytes that the file may have, where that is less than the app allows.

        It may be asked for while the client is away.

        Raises:
            ValueError: The app takes no uploads, the name is empty, or a number is not positive.
        """
        return self.session.get_upload_url(file_name, expires, max_size=max_size)

    def run_task(
        self, handler: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Run a coroutine function as a child of the session. May be called from any thread.

        The future is cancelled with the session. Cancelling it, from any thread, cancels the
        coroutine. A failure is logged and set on the future; it ends nothing else.

        Raises:
            TypeError: `handler` is not a coroutine function.
            SessionClosed: The session has ended.
        """
        if not inspect.iscoroutinefunction(handler):
            raise TypeError("handler must be a coroutine function")
        return self.session.run_task(handler, *args, **kwargs)

    def run_thread(self, handler: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run a function in a worker thread of `executor`. May be called from any thread.

        Threads cannot be cancelled: one that loops should end when `page.closing` is set. A
        failure is logged.
        """
        self.session.run_thread(handler, *args, **kwargs)

    @staticmethod
    def waiting_for_client() -> AbstractContextManager[None]:
        """Have calls of methods in this block wait for a client that is away, and not fail.

        A call made meanwhile is sent when the client is back. One that was sent and not answered
        is sent again: the client may carry it out twice. Its timeout goes on all the time, and
        the end of the session ends it with `FletPageDisconnectedException`.

            with page.waiting_for_client():
                token = await page.shared_preferences.get("token")
        """
        return waiting_for_client()

    def close_session(self, reason: str = "") -> None:
        """End this user's session: all it runs, and then `on_close`. From any thread.

        `reason` is for the log, and is told to the client with the close code. A browser comes
        back at once, and gets a new session.
        """
        self.session.close(detail=reason)

    def navigate(self, route: str, **kwargs: Any) -> None:
        """Go to a route without waiting for it: `push_route` for sync handlers."""
        self.run_task(self.push_route, route, **kwargs)

    async def wait_until_visible(self) -> None:
        """Wait while the browser's tab, or the app's window, is hidden."""
        await self.session.wait_until_visible()

    def before_event(self, e: ControlEvent) -> bool | None:
        """Keep routes, views and visibility up to date before handlers run."""
        proceed: bool | None = super().before_event(e)
        if isinstance(e, AppLifecycleStateChangeEvent):
            self.session.set_visible(self.app_visible)
        return proceed

    async def login(  # type: ignore[override]
        self,
        provider: OAuthProvider,
        fetch_user: bool = True,
        fetch_groups: bool = False,
        scope: list[str] | None = None,
        saved_token: str | None = None,
        on_open_authorization_url: Callable[[str], Coroutine[Any, Any, None]] | None = None,
        complete_page_html: str | None = None,
        redirect_to_page: bool | None = False,
        authorization: type[Authorization] | None = None,
    ) -> Authorization:
        """Begin to sign in by OAuth, or sign in with a token that was saved.

        `on_login` fires when that is over, also when it failed: with the provider's error, or
        with "timeout" when the user is not back in time or the provider gives no token in time.
        Several may be under way at once. One that ends after `logout` changes nothing.
        """
        make_flow: Any = authorization or AuthorizationService
        flow: Authorization = make_flow(
            provider, fetch_user=fetch_user, fetch_groups=fetch_groups, scope=scope
        )
        self.session.authorization = flow
        if saved_token is not None:
            await flow.dehydrate_token(saved_token)
            self._announce(LoginEvent(error="", error_description="", name="login", control=self))
            return flow
        url, state = flow.get_authorization_data()
        attrs = {"state": state}
        if complete_page_html:
            attrs["completePageHtml"] = complete_page_html
        if redirect_to_page:
            path = f"{self.session.page_path}{self.route}"
            attrs["completePageUrl"] = urlparse(provider.redirect_url)._replace(path=path).geturl()
        self.session.oauth_authorize(attrs)
        if on_open_authorization_url:
            await on_open_authorization_url(url)
        elif self.web:
            await UrlLauncher().open_window(url, title="flet_oauth_signin")
        else:
            await UrlLauncher().launch_url(url)
        return flow

    def logout(self) -> None:
        """Forget who is signed in, and fire `on_logout`."""
        self.session.authorization = None
        self._announce(ControlEvent(name="logout", control=self))

    def _announce(self, event: Any) -> None:
        self.session.post_event(self, event.name, event=event)
