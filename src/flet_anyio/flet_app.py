"""One WebSocket connection: its reader, its writer, and the session behind it."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

import anyio
from flet.messaging.connection import Connection

from .channels import Channels
from .compat.loops import accept_executor, accept_loop, running_loop
from .errors import PeerError, SessionClosed, TransportClosed
from .limits.admission import Refused
from .limits.overruns import overrun
from .limits.rates import Rate
from .link import Link
from .render import encode_message
from .server import Server, default_server
from .session.lifecycle import Reason
from .session.session import Session
from .session.sign_in import SignIn
from .session.threads import sync_handlers_setting
from .settings import (
    endpoint,
    oauth_state_timeout,
    renderer_setting,
    session_timeout,
    setting,
    strict_setting,
)
from .transports import open_transport
from .web.browser_cookie import browser_cookie, browsers, new_browser
from .web.origin import origins_of
from .web.uploads.grants import GrantSigner
from .wire.codes import CloseCode
from .wire.messages import (
    CallReply,
    ClientMessage,
    ControlEvent,
    PropertyUpdate,
    Register,
    decode_message,
)
from .wire.packets import DataPacket, data_packet, decode_packet

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Iterable
    from concurrent.futures import ThreadPoolExecutor

    from flet.app import AppCallable
    from flet.data_channel import DataChannel
    from flet.messaging.protocol import Message
    from flet.pubsub.pubsub_hub import PubSubHub

    from .limits import Limits
    from .limits.admission import Visit
    from .render import RendererName
    from .session.registry import Registry
    from .session.threads import SyncHandlers
    from .transports import Transport

__all__ = ["FletApp"]

logger = logging.getLogger(__name__)


class FletApp(Connection):
    """Serves one WebSocket connection of a Flet app.

    Make one for each connection and `await handle(websocket)` in its route. All connections
    with the same `main`, at the same path of the same server, share sessions and pub/sub: a
    client that comes back finds its session.

    Args:
        loop: An asyncio loop that `page.loop` is to return, or None: then it is the running
            one, or on trio a stand-in. Tasks of the session never run in it.
        executor: Threads for `page.run_thread`, or None for the server's own.
        main: The app: a function of any of Flet's four kinds with one parameter, the `Page`.
        before_main: Called before `main`, and before the client gets the page.
        session_timeout_seconds: How long a session lives without a client. Default:
            `FLET_SESSION_TIMEOUT`, else 3600.
        oauth_state_timeout_seconds: How long a sign-in may take. Default:
            `FLET_OAUTH_STATE_TIMEOUT`, else 600.
        upload_endpoint_path: Where files are uploaded to, as this server sees the path.
            Default: `upload`, beside the WebSocket's path.
        secret_key: Signs upload URLs. Default: `FLET_SECRET_KEY`.
        server: Owner of the sessions. Default: the event loop's own server.
        limits: Bounds for this connection. Default: those of the server.
        allowed_origins: Pages of other sites that may use the app too, as
            `https://example.com`; "*" allows all.
        sync_handlers: Where functions and generators of the app run: "inline", on the event
            loop, or "thread", in worker threads, one at a time for each session.
        renderer: "tracked" draws what was changed; "flet" has flet's differ compare the whole
            page for each update. Default: `FLET_ANYIO_RENDERER`, else "tracked".
        strict: Whether the client may set and say only what Flet's own does. Switch it off for
            another one. Default: `FLET_ANYIO_STRICT`, else true.
        proxy_path: Prefix of the URL that a proxy in front strips.
        max_upload_size: Bytes of one uploaded file, written into each upload URL. Default:
            what the endpoint allows.

    Raises:
        ValueError: A closed or stopped loop, a shut-down executor, a time that is no number
            of seconds from 0 up, what is no origin, no such place for sync handlers, or no
            such renderer.
        TypeError: `main` cannot be called, or `loop` or `executor` are of another kind.

    Follows `flet_web.fastapi.FletApp`; unlike there, an explicit argument wins over the
    environment.
    """

    def __init__(
        self,
        loop: AbstractEventLoop | None = None,
        executor: ThreadPoolExecutor | None = None,
        main: AppCallable | None = None,
        before_main: AppCallable | None = None,
        session_timeout_seconds: float | None = None,
        oauth_state_timeout_seconds: float | None = None,
        upload_endpoint_path: str | None = None,
        secret_key: str | None = None,
        *,
        server: Server | None = None,
        limits: Limits | None = None,
        allowed_origins: Iterable[str] | None = None,
        sync_handlers: SyncHandlers = "inline",
        renderer: RendererName | None = None,
        strict: bool | None = None,
        proxy_path: str | None = None,
        max_upload_size: int | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not callable(main):
            raise TypeError("FletApp needs main, a function that takes the page")
        if before_main is not None and not callable(before_main):
            raise TypeError("before_main must be a function that takes the page, or None")
        self._loop = accept_loop(loop)
        self._executor = accept_executor(executor)
        self._main = main
        self._before_main = before_main
        self.session_timeout = session_timeout(session_timeout_seconds)
        self._oauth_timeout = oauth_state_timeout(oauth_state_timeout_seconds)
        self._upload_endpoint = upload_endpoint_path
        self._secret_key = setting(secret_key, "FLET_SECRET_KEY", str)
        self._proxy_path = proxy_path or ""
        self._max_upload_size = max_upload_size or None
        self._server = server
        self._limits = limits
        self._origins = origins_of(allowed_origins)
        self.sync_handlers = sync_handlers_setting(sync_handlers)
        self.renderer = renderer_setting(renderer)
        self.strict = strict_setting(strict)
        self._session: Session | None = None
        self._registry: Registry | None = None
        self._link: Link | None = None
        self._channels = Channels()
        self._browser = ""
        self.client_ip = ""
        self.user_agent = ""

    # --- upstream's face ----------------------------------------------------------------------

    async def handle(self, websocket: Any) -> None:
        """Serve a WebSocket until its connection is over; one of a strange page gets a 403.

        Takes a `WebSocket` of Starlette or FastAPI, or a request or connection of
        trio-websocket. Raises nothing for what the peer or the network did. Cancelled, it
        closes the connection and leaves its session waiting for the client to come back.

        Raises:
            TypeError: `websocket` is none of these.
        """
        transport = open_transport(websocket)
        try:
            server, visit = await self._let_in(transport)
        except Refused as refused:
            await transport.refuse(refused.status)
            return
        link = self._open(transport, server)
        with visit:
            server.enter(self)
            try:
                await server.turnstile.wait()
                await link.accept(self._mark_browser(link))
                with server.watchdog.watching(link, self._ask):
                    async with anyio.create_task_group() as tasks:
                        link.scope = tasks.cancel_scope
                        tasks.start_soon(link.write, name=f"{link.label}: the writer")
                        await self._read(link, server, visit)
            except TransportClosed:
                logger.debug("connection %s: gone before it was accepted", link.label)
            finally:
                if self._session is not None:
                    self._session.detach(self)
                try:
                    await link.goodbye()
                finally:
                    server.leave(self)

    def send_message(self, message: Message) -> None:
        """Put a protocol message on its way to the client. May be called from any thread.

        Once the connection is over, the message is dropped.

        Raises:
            OutboxFull: Too much waits for a client that does not read.
        """
        self.send(encode_message(message.action, message.body))

    def get_upload_url(self, file_name: str, expires: int, *, max_size: int | None = None) -> str:
        """Return a signed URL, relative to the root of the host, that takes one file once.

        Args:
            file_name: Where to store it, relative to the upload directory.
            expires: Seconds for which the URL is good.
            max_size: Bytes that the file may have, where that is less than the app allows.

        Raises:
            ValueError: There is no secret key to sign with, `expires` or `max_size` is not
                positive, or the name is empty.
        """
        path = self._upload_endpoint
        if path is None:
            name = endpoint(None, "FLET_UPLOAD_HANDLER_ENDPOINT", "upload")
            path = f"{self.page_name}/{name}"
        return GrantSigner(self._secret_key or "").sign(
            path,
            file_name,
            expires,
            max_size=max_size or self._max_upload_size,
            prefix=self._proxy_path,
            server=self._server.name if self._server is not None else "",
            session=self._session.label if self._session is not None else "",
        )

    def oauth_authorize(self, attrs: dict[str, Any]) -> None:
        """Wait for the provider's callback with `attrs["state"]`, up to the state's timeout.

        `completePageHtml` and `completePageUrl` may say what the user sees afterwards. A page in
        a browser is bound to that: the callback counts only if it comes from there.

        Raises:
            RuntimeError: The session has no authorization to go on with: `page.login` sets it.
            SessionClosed: The session has ended.
        """
        session, server = self._session, self._server
        if session is None or server is None or session.authorization is None:
            raise RuntimeError("page.login begins a sign-in")
        sign_in = SignIn(
            session,
            session.authorization,
            # A native app has the system's browser come back, which was never here.
            browser=self._browser if session.page.web else None,
            deadline=anyio.current_time() + self._oauth_timeout,
            complete_page_html=attrs.get("completePageHtml"),
            complete_page_url=attrs.get("completePageUrl"),
        )
        server.sign_ins.begin(attrs["state"], sign_in, self._limits or server.limits)

    def dispose(self) -> None:
        """Close the connection. Its session waits for the client to come back."""
        self.close(CloseCode.NORMAL, "disposed")

    @property
    def page_path(self) -> str:
        """The page's path as browsers see it, without a slash at the end."""
        parts = (self._proxy_path.strip("/"), self.page_name.strip("/"))
        return "".join(f"/{part}" for part in parts if part)

    @property
    def session(self) -> Session | None:
        """The session behind this connection, from the client's registration on."""
        return self._session

    @property  # type: ignore[misc]  # flet's can be set; these follow the constructor
    def loop(self) -> Any:
        """The loop given to the constructor, else the running one; on trio, a stand-in."""
        if self._loop is not None:
            return self._loop
        return self._session.loop if self._session is not None else running_loop()

    @property
    def given_loop(self) -> AbstractEventLoop | None:
        """The loop given to the constructor, else on asyncio the one that runs."""
        return self._loop or running_loop()

    @property  # type: ignore[misc]
    def executor(self) -> ThreadPoolExecutor:
        """The executor given to the constructor, else the server's."""
        if self._executor is not None:
            return self._executor
        if self._server is None:
            raise RuntimeError("the connection has no executor before handle() is called")
        return self._server.executor

    @property  # type: ignore[misc]
    def pubsubhub(self) -> PubSubHub:
        """The hub that joins the sessions of this app."""
        if self._registry is None:
            raise RuntimeError("the connection has no hub before handle() is called")
        return self._registry.hub

    def data_channel_for(self, channel_id: int) -> DataChannel:
        """Return the channel with this id; the same one each time, until it is closed.

        A client that has opened too many is closed with 1008, and what this returns is, too.
        """
        channel, link = self._channels.find(channel_id), self._link
        if channel is not None:
            return channel
        channel = self._channels.open(channel_id, self.send_data_channel_frame)
        most = link.limits.data_channels if link is not None else None
        if link is not None and most is not None and len(self._channels) > most:
            channel.close()
            text = "connection %s: closed, it has %d data channels"
            overrun(logger, "data_channels", text, link.label, most)
            link.close(CloseCode.POLICY_VIOLATION, "too many data channels")
        return channel

    def send_data_channel_frame(self, channel_id: int, payload: bytes) -> None:
        """Send bytes on a data channel. May be called from any thread.

        Raises:
            OutboxFull: Too much waits for a client that does not read.
        """
        self.send(data_packet(channel_id, payload))

    def unregister_data_channel(self, channel_id: int) -> None:
        """Forget a channel; frames for it are dropped."""
        self._channels.forget(channel_id)

    # --- what its session uses: see `session.Client` ------------------------------------------

    def send(self, frame: bytes, *, urgent: bool = False) -> None:
        """Put a frame on its way."""
        if self._link is not None:
            self._link.send(frame, urgent=urgent)

    def welcome(self, frames: list[bytes]) -> None:
        """Put on its way what answers the registration."""
        if self._link is not None:
            self._link.welcome(frames)

    def update(self, frames: list[bytes]) -> None:
        """Put an update on its way, or drop the connection."""
        if self._link is not None:
            self._link.update(frames)

    def continue_channels(self, before: object) -> None:
        """The client's page stays as it is: its channels go on over this connection."""
        if isinstance(before, FletApp) and before is not self:
            self._channels.continue_those_of(before._channels, self.send_data_channel_frame)

    def hold(self) -> None:
        """Keep back what is sent from now on."""
        if self._link is not None:
            self._link.hold()

    def release(self) -> None:
        """Send what was held back."""
        if self._link is not None:
            self._link.release()

    def close(self, code: CloseCode, reason: str) -> None:
        """Send what waits, then close. May be called from any thread."""
        if self._link is not None:
            self._link.close(code, reason)

    def fail(self, error: PeerError) -> None:
        """End the connection for what the client did. Call it in the loop's thread."""
        if self._link is not None:
            self._link.fail(error)

    def cut(self) -> None:
        """End the connection now, whatever waits to be sent. Call it in the loop's thread."""
        if self._link is not None:
            self._link.cut()

    # --- inside -------------------------------------------------------------------------------

    async def _let_in(self, transport: Transport) -> tuple[Server, Visit]:
        if not self._origins.allow(transport.info.headers):
            raise Refused(403)  # before a server is made for it
        server = self._server = self._server or await default_server(self._limits)
        return server, server.admission.connection(transport.info.client_ip)

    def _open(self, transport: Transport, server: Server) -> Link:
        if self._link is not None:
            raise RuntimeError("a FletApp serves one connection; make one for each")
        # Threads that ask for it have no running one.
        self._loop = self._loop or running_loop()
        if transport.stopping is not None:
            server.follow(transport.stopping)
        info = transport.info
        self.page_url, self.page_name = info.page_url, info.page_name
        self.client_ip, self.user_agent = info.client_ip, info.user_agent
        self._registry = server.registry(self.page_name, self._main)
        limits = self._limits or server.limits
        label = secrets.token_hex(4)
        self._link = Link(transport, limits, self._registry.door, label)
        return self._link

    def _mark_browser(self, link: Link) -> list[tuple[str, str]]:
        """Note the browser that connects; return header fields for one that brings no name."""
        info = link.info
        brought = browsers(info.headers)
        self._browser = brought[0] if brought else new_browser()
        if brought:
            return []
        # The page came from elsewhere, and so may the route to which the provider leads back.
        cookie = browser_cookie(self._browser, path=self._proxy_path, scheme=info.scheme)
        return [("Set-Cookie", cookie)]

    async def _read(self, link: Link, server: Server, visit: Visit) -> None:
        """Act on what the client sends, until it is gone or breaks the protocol."""
        try:
            session = await self._enter(link, server)
            visit.registered()
            pace = _Pace(link.limits)
            while True:
                # Nothing of a message is kept while the next one is waited for: it may be large.
                await self._act(session, pace, await link.receive())
        except PeerError as error:
            link.fail(error)
        except SessionClosed:
            link.close(CloseCode.SERVICE_RESTART, "the server shuts down")
        except TransportClosed as gone:
            logger.debug("connection %s: %s", link.label, gone)
            # Those who came at once may go at once.
            await server.turnstile.wait()
            link.cut()

    def _ask(self) -> bool:
        return self._session is not None and self._session.ask(self)

    async def _enter(self, link: Link, server: Server) -> Session:
        request = await self._first_message(link)
        await server.turnstile.wait()
        return await self._register(request, server)

    @staticmethod
    async def _first_message(link: Link) -> Register:
        timeout = link.limits.register_timeout
        with anyio.move_on_after(timeout):
            message = _decode(await link.receive(), link.limits)
            if not isinstance(message, Register):
                raise PeerError(CloseCode.PROTOCOL_ERROR, "a message before registration")
            return message
        reason = f"no registration within {timeout} s"
        raise PeerError(CloseCode.POLICY_VIOLATION, reason, limit="register_timeout")

    async def _act(self, session: Session, pace: _Pace, frame: bytes | str) -> None:
        message = _decode(frame, pace.limits)
        pace.check(message)
        if session.connection is not self:
            return  # another connection took over, or the session ends
        session.token.confirm()
        match message:
            case ControlEvent():
                await session.receive_event(message, len(frame))
            case PropertyUpdate():
                await session.receive_update(message, len(frame))
            case CallReply():
                session.receive_reply(message)
            case DataPacket():
                await self._channels.receive(session, message)
            case Register():
                raise PeerError(CloseCode.PROTOCOL_ERROR, "a second registration")

    async def _register(self, request: Register, server: Server) -> Session:
        registry = server.registry(self.page_name, self._main)
        session = await _find(registry, request)
        if session is not None:
            session.receive_page(request)
            self._session = session
            session.attach(self)
            return session
        # Before the page is made, which costs more than all else here.
        server.admission.check_session(self.client_ip)
        session = Session(registry, self)
        session.receive_page(request)
        self._session = session
        await server.start(session, registry, address=self.client_ip)
        session.attach(self)
        session.start(self._main, self._before_main)
        return session


async def _find(registry: Registry, request: Register) -> Session | None:
    """The session that this client may have back, if any."""
    while (session := registry.find(request.session_id)) is not None:
        there = session.connection
        if session.shown_in(request):
            return session
        if there is None:
            break
        if await session.client_answers():
            # A duplicated tab: it copied the token, and the tab that it was copied from is alive.
            return None
        if session.connection is there:
            break
        # Another one was as quick, and is asked in its turn.
    if session is not None and session.crashed:
        # The user loads a page again that had failed: a fresh start is what they ask for.
        session.close(Reason.REPLACED)
    return registry.find(request.session_id)


def _decode(frame: bytes | str, limits: Limits) -> ClientMessage | DataPacket:
    packet = decode_packet(frame)
    if isinstance(packet, DataPacket):
        return packet
    return decode_message(packet.body, items=limits.message_items, depth=limits.message_depth)


class _Pace:
    """How often a client may do what costs something."""

    __slots__ = ("_events", "_updates", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._events = Rate(limits.event_rate, limits.rate_burst)
        self._updates = Rate(limits.update_rate, limits.rate_burst)

    def check(self, message: ClientMessage | DataPacket) -> None:
        """Count a message.

        Raises:
            PeerError: It is one too many.
        """
        if isinstance(message, ControlEvent) and not self._events.take():
            raise _too_often("events", "event_rate")
        if isinstance(message, PropertyUpdate) and not self._updates.take():
            raise _too_often("changes of properties", "update_rate")


def _too_often(what: str, limit: str) -> PeerError:
    return PeerError(CloseCode.POLICY_VIOLATION, f"{what} came too often", limit=limit)
