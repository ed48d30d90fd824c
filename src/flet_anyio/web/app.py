"""The ASGI app: the client's files, its WebSocket, uploads and sign-in, put together."""

from __future__ import annotations

import logging
import os
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from ..compat.servers import asgi_connection, guard_hypercorn
from ..flet_app import FletApp
from ..limits import Limits
from ..server import Server, hosted_server, hosted_servers
from ..session.threads import sync_handlers_setting
from ..settings import (
    endpoint,
    largest_upload,
    oauth_state_timeout,
    renderer_setting,
    session_timeout,
    setting,
    strict_setting,
)
from ..transports.asgi import refuse as answer
from ..wire.codes import CloseCode
from .browser_cookie import mark_browsers
from .files.static import FletStaticFiles
from .oauth import FletOAuth
from .origin import origin_list, origins_of
from .policy import HEADERS
from .uploads.endpoint import FletUpload
from .uploads.lingering import Lingering

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from flet.app import AppCallable
    from flet.controls.types import RouteUrlStrategy, WebRenderer
    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send

    from ..render import RendererName
    from ..session.threads import SyncHandlers

__all__ = ["FletAsgi", "app", "refuse"]

logger = logging.getLogger(__name__)


class FletAsgi(Starlette):
    """A Flet app as an ASGI app. Made by `flet_anyio.app`."""

    site: _Site

    @property
    def limits(self) -> Limits:
        """Bounds of its server."""
        return self.site.limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and not self.user_middleware and self._finds(scope):
            # Past Starlette's layers: each would wait, with a frame and closures of its own, for
            # as long as the connection lasts.
            await self.site.serve_socket(WebSocket(scope, receive, send))
            return
        timeout = self.limits.write_timeout
        if scope["type"] == "http" and timeout is not None:
            # Servers wait for ever for who asks for a large file and never reads it.
            connection = asgi_connection(scope, send)
            if connection is not None:
                connection.bound_writes(timeout)
        await super().__call__(scope, receive, _telling(send, HEADERS))

    def _finds(self, scope: Scope) -> bool:
        """Whether a WebSocket is for the app, and not for nobody; if so, note what was found."""
        matched, found = self.site.socket_route.matches(scope)
        if matched is Match.FULL:
            scope.update(found, app=self)
        return matched is Match.FULL

    async def shutdown(self) -> None:
        """Tell all clients to come back later, and end all sessions, within the grace.

        A server that runs this app calls it before it stops: ASGI itself says nothing until
        the connections are closed.
        """
        server = self.site.current_server
        if server is not None:
            await server.shutdown()


def app(
    main: AppCallable,
    before_main: AppCallable | None = None,
    proxy_path: str | None = None,
    assets_dir: str | None = None,
    app_name: str | None = None,
    app_short_name: str | None = None,
    app_description: str | None = None,
    web_renderer: WebRenderer | str | None = None,
    route_url_strategy: RouteUrlStrategy | str | None = None,
    no_cdn: bool | None = None,
    upload_dir: str | None = None,
    upload_endpoint_path: str | None = None,
    max_upload_size: int | None = None,
    secret_key: str | None = None,
    session_timeout_seconds: float | None = None,
    oauth_state_timeout_seconds: float | None = None,
    *,
    allowed_origins: Iterable[str] | None = None,
    content_security_policy: str | None = None,
    readiness_path: str | None = "-/ready",
    limits: Limits | None = None,
    debug: bool = False,
    sync_handlers: SyncHandlers = "inline",
    renderer: RendererName | None = None,
    strict: bool | None = None,
) -> FletAsgi:
    """Make an ASGI app that serves `main` to browsers. Run it by any ASGI server, or mount it.

    Its lifespan opens a server for its sessions. Mounted where no lifespan reaches it, it has
    the event loop run one. Apps share nothing, not even two that are made of one `main`.

    Args:
        main: The app: a function of any of Flet's four kinds with one parameter, the `Page`.
        before_main: Called before `main`, and before the client gets the page.
        proxy_path: Prefix of the URL that a proxy in front strips.
        assets_dir: The app's own files. Relative to the working directory.
        app_name: Name of the web app, and title of the page until `main` sets one.
        app_short_name: Name under an icon.
        app_description: Description for search engines and installers.
        web_renderer: `auto`, `canvaskit` or `skwasm`.
        route_url_strategy: `path` or `hash`.
        no_cdn: Whether everything comes from this server, with no outside network. Default:
            true, unlike upstream.
        upload_dir: Where uploaded files go; without it there is no upload endpoint.
        upload_endpoint_path: Its path, relative to where the app is mounted.
        max_upload_size: Bytes of the largest file. Default: no limit.
        secret_key: Signs upload URLs. Default: a random one for each start.
        session_timeout_seconds: How long a session lives without a client. Default: 3600.
        oauth_state_timeout_seconds: How long a sign-in may take. Default: 600.
        allowed_origins: Pages of other sites that may use the app too, or show it in a frame,
            as `https://example.com`; "*" allows all.
        content_security_policy: That of the page; "" sends none. Default: one that lets only
            the page's own scripts run.
        readiness_path: Answers 200 while clients are served, and 503 from the moment that a
            shutdown begins. Pages of an app are named by its authors, and none is likely to
            begin with a dash alone; None takes the route away.
        limits: Bounds of the server and of each connection.
        debug: Whether visitors see the text of errors.
        sync_handlers: Where functions and generators of the app run: "inline", on the event
            loop, or "thread", in worker threads, one at a time for each session.
        renderer: "tracked" draws what was changed; "flet" has flet's differ compare the whole
            page for each update. Default: `FLET_ANYIO_RENDERER`, else "tracked".
        strict: Whether clients may set and say only what Flet's own does. Switch it off for
            another one. Default: `FLET_ANYIO_STRICT`, else true.

    What is not given comes from the `FLET_*` variable that upstream reads, if it is set.

    Raises:
        ClientMissingError: The web client is not installed.
        ValueError: A setting or variable is not of its kind; the message names it.
    """
    origins = origin_list(allowed_origins)
    websocket = endpoint(None, "FLET_WEBSOCKET_HANDLER_ENDPOINT", "ws")
    site = _Site(
        socket_path=websocket,
        main=main,
        before_main=before_main,
        session_timeout_seconds=session_timeout(session_timeout_seconds),
        oauth_state_timeout_seconds=oauth_state_timeout(oauth_state_timeout_seconds),
        upload_path=endpoint(upload_endpoint_path, "FLET_UPLOAD_HANDLER_ENDPOINT", "upload"),
        max_upload_size=largest_upload(max_upload_size),
        proxy_path=proxy_path,
        secret_key=setting(secret_key, "FLET_SECRET_KEY", str),
        sync_handlers=sync_handlers_setting(sync_handlers),
        renderer=renderer_setting(renderer),
        strict=strict_setting(strict),
        allowed_origins=origins,
        limits=limits,
        debug=debug,
    )
    callback = endpoint(None, "FLET_OAUTH_CALLBACK_HANDLER_ENDPOINT", "oauth_callback")
    routes: list[BaseRoute] = [
        site.socket_route,
        Route(f"/{callback}", site.finish_sign_in),
    ]
    if readiness_path is not None:
        routes.append(Route(f"/{readiness_path.strip('/')}", site.ready))
    uploads = setting(upload_dir, "FLET_UPLOAD_DIR", str)
    if uploads:
        site.take_uploads(uploads)
        routes.append(site.upload_route())
    static = FletStaticFiles(
        proxy_path=proxy_path,
        assets_dir=assets_dir,
        app_name=app_name,
        app_short_name=app_short_name,
        app_description=app_description,
        web_renderer=web_renderer,
        route_url_strategy=route_url_strategy,
        no_cdn=no_cdn,
        websocket_endpoint_path=websocket,
        content_security_policy=content_security_policy,
        framed_by=origins,
    )
    routes.append(Mount("/", app=mark_browsers(static, proxy_path)))
    asgi = FletAsgi(routes=routes, lifespan=site.lifespan)
    # An app that is mounted gets no startup; the worker that imports this one is loaded by now.
    guard_hypercorn()
    asgi.site = site
    return asgi


class _Site:
    """One app at one place: its settings, and the server that runs it."""

    def __init__(
        self,
        *,
        limits: Limits | None,
        debug: bool,
        socket_path: str,
        upload_path: str,
        **settings: Any,
    ) -> None:
        self.socket_route = WebSocketRoute(f"/{socket_path}", self.serve_socket)
        self.upload_path = upload_path
        self.server: Server | None = None
        self.limits = limits or Limits()
        self._debug = debug
        self._settings = settings
        self._origins = origins_of(settings["allowed_origins"])
        self._upload_dir = ""

    @asynccontextmanager
    async def lifespan(self, asgi: Starlette) -> AsyncIterator[None]:
        guard_hypercorn()
        try:
            async with Server(limits=self.limits, debug=self._debug) as server:
                self.server = server
                if self._upload_dir:
                    self._uploads(server).sweep(server)
                yield
        finally:
            # Not before it has shut down: whoever comes meanwhile would be given a new one.
            self.server = None

    def take_uploads(self, upload_dir: str) -> None:
        if not self._settings["secret_key"]:
            logger.warning(
                "no secret_key: upload URLs are signed with a random one, and end with this server"
            )
            self._settings["secret_key"] = secrets.token_urlsafe(32)
        self._upload_dir = os.path.abspath(upload_dir)

    def _uploads(self, server: Server) -> FletUpload:
        names = ("max_upload_size", "secret_key", "allowed_origins")
        settings = {name: self._settings[name] for name in names}
        return FletUpload(self._upload_dir, server=server, **settings)

    @property
    def current_server(self) -> Server | None:
        """The server that runs it: that of its lifespan, else the loop's, if that was needed."""
        return self.server or hosted_servers().get(self)

    @property
    def closing(self) -> bool:
        """Whether a shutdown has begun."""
        server = self.current_server
        return server is not None and server.closed

    async def ready(self, request: Request) -> Response:
        status, text = (503, "shutting down") if self.closing else (200, "ready")
        return PlainTextResponse(text, status, headers={"Cache-Control": "no-store"})

    async def serve_socket(self, websocket: WebSocket) -> None:
        if self.closing:
            await refuse(websocket)
            return
        # Where this app is mounted, which the signature covers, is known by request only.
        upload = f"{websocket.scope.get('root_path', '')}/{self.upload_path}"
        connection = FletApp(
            server=await self._server(), upload_endpoint_path=upload, **self._settings
        )
        await connection.handle(websocket)

    def upload_route(self) -> BaseRoute:
        """The route of uploads; pages of other sites ask first, by `OPTIONS`, whether they may."""
        methods, middleware = ["PUT", "POST"], [Middleware(Lingering)]
        if self._origins.any or self._origins.others:
            origins = ["*"] if self._origins.any else sorted(self._origins.others)
            cors = Middleware(CORSMiddleware, allow_origins=origins, allow_methods=methods)
            methods, middleware = [*methods, "OPTIONS"], [cors, *middleware]
        path = f"/{self.upload_path}"
        return Route(path, self.upload, methods=methods, middleware=middleware)

    async def upload(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=405, headers={"Allow": "PUT, POST"})
        return await self._uploads(await self._server()).handle(request)

    async def finish_sign_in(self, request: Request) -> Response:
        return await FletOAuth(server=await self._server()).handle(request)

    async def _server(self) -> Server:
        server = self.current_server
        if server is not None and (server is self.server or server.closed):
            # Closed, it still knows which grants are used; a new one would take clients again.
            return server
        # One of its own: other apps have other limits, and other answers to `debug`.
        return await hosted_server(self, self.limits, debug=self._debug)


async def refuse(websocket: WebSocket) -> None:
    """Turn a WebSocket away: the server shuts down. Clients try again, and may reach another."""
    await answer(websocket, 503, CloseCode.SERVICE_RESTART, {"Retry-After": "1"})


def _telling(send: Send, headers: Mapping[str, str]) -> Send:
    """Add headers to an HTTP answer, where it does not say otherwise itself."""

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = MutableHeaders(scope=message)
            for name, value in headers.items():
                own.setdefault(name, value)
        await send(message)

    return tell
