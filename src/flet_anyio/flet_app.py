"""One WebSocket connection: its reader, its writer, and the session behind it."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

import anyio
from flet.data_channel import _ProtocolMuxedDataChannel
from flet.messaging.connection import Connection
from flet.messaging.protocol import Message

from .compat.loops import accept_executor, accept_loop, running_loop
from .errors import OutboxFull, PeerError, SessionClosed, TransportClosed
from .render import encode_message
from .server import Server, default_server
from .session.session import Session
from .settings import seconds, setting
from .transports import Close, Outbox, open_transport
from .web.uploads import UploadSigner
from .wire.codes import CloseCode
from .wire.messages import CallReply, ControlEvent, PropertyUpdate, Register, decode_message
from .wire.packets import DataPacket, data_packet, decode_packet

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from concurrent.futures import ThreadPoolExecutor

    from flet.app import AppCallable
    from flet.data_channel import DataChannel
    from flet.pubsub.pubsub_hub import PubSubHub

    from .limits import Limits
    from .session.registry import Registry
    from .transports import Transport

__all__ = ["FletApp"]

logger = logging.getLogger(__name__)

DEFAULT_SESSION_TIMEOUT = 3600
DEFAULT_OAUTH_STATE_TIMEOUT = 600
_GOODBYE = 5
"""Seconds that the closing handshake may take."""


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
        upload_endpoint_path: Where files are uploaded to. Default: `upload`, beside the
            WebSocket's path.
        secret_key: Signs upload URLs. Default: `FLET_SECRET_KEY`.
        server: Owner of the sessions. Default: the event loop's own server.
        limits: Bounds for this connection. Default: those of the server.

    Raises:
        ValueError: A closed or stopped loop, a shut-down executor, or a time that is no number
            of seconds from 0 up.
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
    ) -> None:
        super().__init__()
        if not callable(main):
            raise TypeError("FletApp needs main, a function that takes the page")
        if before_main is not None and not callable(before_main):
            raise TypeError("before_main must be a function that takes the page, or None")
        self._loop = accept_loop(loop)
        self._executor = accept_executor(executor)
        self._main = main
        self._before_main = before_main
        self.session_timeout = seconds(
            "session_timeout_seconds",
            session_timeout_seconds,
            "FLET_SESSION_TIMEOUT",
            DEFAULT_SESSION_TIMEOUT,
        )
        self._oauth_timeout = seconds(
            "oauth_state_timeout_seconds",
            oauth_state_timeout_seconds,
            "FLET_OAUTH_STATE_TIMEOUT",
            DEFAULT_OAUTH_STATE_TIMEOUT,
        )
        self._upload_endpoint = upload_endpoint_path
        self._secret_key = setting(secret_key, "FLET_SECRET_KEY", str)
        self._server = server
        self._limits = limits
        self._label = secrets.token_hex(4)
        self._session: Session | None = None
        self._registry: Registry | None = None
        self._transport: Transport | None = None
        self._outbox: Outbox | None = None
        self._scope: anyio.CancelScope | None = None
        self._ending: Close | None = None
        self._channels: dict[int, DataChannel] = {}
        self.client_ip = ""
        self.user_agent = ""

    # --- upstream's face ----------------------------------------------------------------------

    async def handle(self, websocket: Any) -> None:
        """Serve a WebSocket until its connection is over.

        Takes a `WebSocket` of Starlette or FastAPI, or a request or connection of
        trio-websocket. Raises nothing for what the peer or the network did. Cancelled, it
        closes the connection and leaves its session waiting for the client to come back.

        Raises:
            TypeError: `websocket` is none of these.
        """
        transport = open_transport(websocket)
        server = self._server = self._server or await default_server(self._limits)
        self._open(transport, server)
        server.enter(self)
        try:
            await transport.accept()
            async with anyio.create_task_group() as tasks:
                self._scope = tasks.cancel_scope
                if self._ending is None:
                    tasks.start_soon(self._write)
                    tasks.start_soon(self._read)
        except TransportClosed:
            pass
        finally:
            server.leave(self)
            if self._session is not None:
                self._session.detach(self)
            with anyio.move_on_after(_GOODBYE, shield=True):
                end = self._ending or Close(CloseCode.NORMAL, "")
                await transport.close(end.code, end.reason)

    def send_message(self, message: Message) -> None:
        """Put a protocol message on its way to the client. May be called from any thread.

        Once the connection is over, the message is dropped.

        Raises:
            OutboxFull: Too much waits for a client that does not read.
        """
        self.send(encode_message(message.action, message.body))

    def get_upload_url(self, file_name: str, expires: int) -> str:
        """Return a signed URL, relative to the server's root, that takes one file.

        Args:
            file_name: Where to store it, relative to the upload directory.
            expires: Seconds for which the URL is good.

        Raises:
            ValueError: There is no secret key to sign with, or `expires` is not positive.
        """
        endpoint = self._upload_endpoint or f"{self.page_name}/upload"
        return UploadSigner(self._secret_key or "").sign(endpoint, file_name, expires)

    def oauth_authorize(self, attrs: dict[str, Any]) -> None:
        """Wait for the provider's callback with `attrs["state"]`, up to the state's timeout.

        `completePageHtml` and `completePageUrl` may say what the user sees afterwards.
        """
        if self._session is not None and self._server is not None:
            self._server.oauth.begin(self._session, attrs, self._oauth_timeout)

    def dispose(self) -> None:
        """Close the connection. Its session waits for the client to come back."""
        self.close(CloseCode.NORMAL, "disposed")

    @property
    def loop(self) -> Any:
        """The loop given to the constructor, else the running one; on trio, a stand-in."""
        if self._loop is not None:
            return self._loop
        return self._session.loop if self._session is not None else running_loop()

    @property
    def given_loop(self) -> AbstractEventLoop | None:
        """The loop given to the constructor, else on asyncio the one that runs."""
        return self._loop or running_loop()

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The executor given to the constructor, else the server's."""
        if self._executor is not None:
            return self._executor
        if self._server is None:
            raise RuntimeError("the connection has no executor before handle() is called")
        return self._server.executor

    @property
    def pubsubhub(self) -> PubSubHub:
        """The hub that joins the sessions of this app."""
        if self._registry is None:
            raise RuntimeError("the connection has no hub before handle() is called")
        return self._registry.hub

    def data_channel_for(self, channel_id: int) -> DataChannel:
        """Return the channel with this id; the same one each time, until it is closed."""
        channel = self._channels.get(channel_id)
        if channel is None:
            channel = self._channels[channel_id] = _ProtocolMuxedDataChannel(channel_id, self)
        return channel

    def send_data_channel_frame(self, channel_id: int, payload: bytes) -> None:
        """Send bytes on a data channel. May be called from any thread.

        Raises:
            OutboxFull: Too much waits for a client that does not read.
        """
        self.send(data_packet(channel_id, payload))

    def unregister_data_channel(self, channel_id: int) -> None:
        """Forget a channel; frames for it are dropped."""
        self._channels.pop(channel_id, None)

    # --- what its session uses ----------------------------------------------------------------

    def send(self, frame: bytes, *, urgent: bool = False) -> None:
        """See `session.Client`."""
        if self._outbox is not None:
            self._outbox.put(frame, urgent=urgent)

    def update(self, frame: bytes) -> None:
        """See `session.Client`."""
        try:
            self.send(frame)
        except OutboxFull as error:
            logger.warning("connection %s: dropped, %s", self._label, error)
            self._abort()

    def hold(self) -> None:
        """See `session.Client`."""
        if self._outbox is not None:
            self._outbox.hold()

    def release(self, first: bytes) -> None:
        """See `session.Client`."""
        if self._outbox is not None:
            self._outbox.release(first)

    def close(self, code: CloseCode, reason: str) -> None:
        """See `session.Client`. May be called from any thread."""
        if self._outbox is not None:
            self._outbox.end(Close(code, reason))

    # --- inside -------------------------------------------------------------------------------

    def _open(self, transport: Transport, server: Server) -> None:
        if self._transport is not None:
            raise RuntimeError("a FletApp serves one connection; make one for each")
        info = transport.info
        self._transport = transport
        self._limits = self._limits or server.limits
        self.page_url, self.page_name = info.page_url, info.page_name
        self.client_ip, self.user_agent = info.client_ip, info.user_agent
        self._registry = server.registry(self.page_name, self._main)
        self._outbox = Outbox(self._limits.outbox_bytes, self._registry.door)

    async def _write(self) -> None:
        """Send what waits in the outbox, each frame in its time, until the end."""
        while isinstance(item := await self._outbox.get(), bytes):
            with anyio.move_on_after(self._limits.write_timeout) as scope:
                try:
                    await self._transport.send(item)
                except TransportClosed:
                    break
            if scope.cancelled_caught:
                logger.warning(
                    "connection %s: dropped, a frame was not taken in %s s",
                    self._label,
                    self._limits.write_timeout,
                )
                break
        else:
            self._ending = item
        self._scope.cancel()

    async def _read(self) -> None:
        """Act on what the client sends, until it is gone or breaks the protocol."""
        try:
            await self._register(await self._first_message())
            while True:
                await self._act(await self._receive())
        except PeerError as error:
            logger.warning("connection %s: closed, %s", self._label, error)
            self._ending = Close(error.close_code, error.reason)
        except SessionClosed:
            self._ending = Close(CloseCode.SERVICE_RESTART, "the server shuts down")
        except TransportClosed as gone:
            logger.debug("connection %s: %s", self._label, gone)
        self._scope.cancel()

    async def _first_message(self) -> Register:
        timeout = self._limits.register_timeout
        with anyio.move_on_after(timeout):
            message = self._decode(await self._receive())
            if not isinstance(message, Register):
                raise PeerError(CloseCode.PROTOCOL_ERROR, "a message before registration")
            return message
        raise PeerError(CloseCode.POLICY_VIOLATION, f"no registration within {timeout} s")

    async def _receive(self) -> bytes | str:
        frame = await self._transport.receive()
        limit = self._limits.message_bytes
        if limit is not None and len(frame) > limit:
            raise PeerError(CloseCode.MESSAGE_TOO_BIG, f"a frame of more than {limit} bytes")
        return frame

    def _decode(self, frame: bytes | str) -> Any:
        packet = decode_packet(frame)
        return packet if isinstance(packet, DataPacket) else decode_message(packet.body)

    async def _act(self, frame: bytes | str) -> None:
        match self._decode(frame):
            case ControlEvent() as event:
                await self._session.receive_event(event)
            case PropertyUpdate() as update:
                await self._session.receive_update(update)
            case CallReply() as reply:
                self._session.receive_reply(reply)
            case DataPacket() as packet:
                self._deliver(packet)
            case Register():
                raise PeerError(CloseCode.PROTOCOL_ERROR, "a second registration")

    def _deliver(self, packet: DataPacket) -> None:
        channel = self._channels.get(packet.channel_id)
        if channel is None:
            logger.debug("connection %s: no data channel %d", self._label, packet.channel_id)
            return
        # Handlers of a channel are user code: they run as its session's.
        where = self._session.tasks.fresh_context()
        self._session.tasks.guard(
            "a data channel's handler", where.run, channel._deliver, packet.payload
        )

    async def _register(self, request: Register) -> None:
        session = await self._find(request)
        if session is not None:
            self._session = session
            session.attach(self, request)
            return
        session = self._session = Session(self._registry, self)
        await self._server.start(session, self._registry)
        session.attach(self, request)
        session.start(self._main, self._before_main)

    async def _find(self, request: Register) -> Session | None:
        """The session that this client may have back, if any."""
        session = self._registry.find(request.session_id or "")
        if session is None or not session.open:
            return None
        if session.attached and not session.shown_in(request) and await session.client_answers():
            # A duplicated tab: it copied the id, and the tab that it was copied from is alive.
            return None
        return session if session.open else None

    def _abort(self) -> None:
        if self._outbox is None or self._registry is None:
            return
        if self._registry.door.here():
            self._scope.cancel()
        else:
            self._registry.door.post(self._scope.cancel)
