"""What servers keep to themselves: the TCP connection under a WebSocket, and that they stop.

ASGI gives an app no way to drop a connection: `send` and `websocket.close` both wait for a peer
that does not read, on every server, and a `send` that is cancelled leaves the socket open. It
does not say either when a server begins to stop. Whatever reaches for that into objects of
hypercorn, uvicorn, Starlette and trio-websocket is in this module; where they are not as
expected, there is no such connection, and callers do without. What hypercorn, and wsproto under
it, lets clients do to all is guarded against here as well: docs/upstream.md.
"""

from __future__ import annotations

import logging
import sys
import zlib
from contextvars import ContextVar
from operator import attrgetter
from typing import TYPE_CHECKING, Any, final
from weakref import WeakKeyDictionary

import anyio

from ..limits.turnstile import Turnstile
from .tcp import bound_writes, unconfirmed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hypercorn.config import Config
    from starlette.websockets import WebSocket
    from trio_websocket import WebSocketConnection

__all__ = [
    "TcpConnection",
    "asgi_connection",
    "drop_connections",
    "forget_failure",
    "guard_hypercorn",
    "stopping",
    "trio_connection",
    "websocket_connection",
]

logger = logging.getLogger(__name__)

# From the object whose method an ASGI server passes as `send`.
_ASYNCIO_TRANSPORTS = (
    attrgetter("transport"),  # uvicorn, each of its protocols
    attrgetter("send.__self__.send.__self__.writer.transport"),  # hypercorn on asyncio
)
_TRIO_STREAM = attrgetter("send.__self__.send.__self__.stream")  # hypercorn on trio
_HYPERCORN_STOPS = attrgetter("context.terminated.wait")
_UVICORN_FAILURE = attrgetter("conn.parser_exc")

_ABNORMAL = 1006
"""What an app is told of a WebSocket that ended without a goodbye (RFC 6455, section 7.4.1)."""

_WIDEST = 4
"""Bytes of one character in UTF-8, at most."""

_WINDOW_BITS, _MEMORY_LEVEL = 12, 5
"""What a connection compresses with: some 40 kB of it, where zlib's own would be 110 kB and more.

The messages of a session are small and much alike; uvicorn's WebSocket has the same.
"""

_LAYERS = 100
"""Of middleware at most: one that names its own function `send` would be followed for ever."""


@final
class TcpConnection:
    """What carries one client."""

    __slots__ = ("_abort", "_socket")

    def __init__(self, sock: Any, abort: Callable[[], object]) -> None:
        self._socket = sock
        self._abort = abort

    def abort(self) -> None:
        """Drop it at once, with what was not sent. What waits for it, ends. Raises nothing."""
        self._abort()

    def bound_writes(self, seconds: float) -> bool:
        """Have the system drop it when the peer takes nothing for so long, if it can."""
        return bound_writes(self._socket, seconds)

    def unconfirmed(self) -> int:
        """How many bytes of what was sent the peer's system has not confirmed."""
        return unconfirmed(self._socket)


def websocket_connection(websocket: WebSocket) -> TcpConnection | None:
    """The connection under a WebSocket of an ASGI server."""
    return asgi_connection(websocket.scope, getattr(websocket, "_send", None))


def asgi_connection(asgi_scope: Any, send: Any) -> TcpConnection | None:
    """The connection under a call of an ASGI app.

    None where the server is not known, or the connection carries others too.
    """
    if asgi_scope.get("http_version") not in ("1.0", "1.1"):
        return None
    owner = _owner(send)
    for transport_of in _ASYNCIO_TRANSPORTS:
        if (transport := _maybe(transport_of, owner)) is not None:
            sock = transport.get_extra_info("socket")
            return TcpConnection(sock, transport.abort) if sock is not None else None
    return _trio_tcp(_maybe(_TRIO_STREAM, owner))


def trio_connection(connection: WebSocketConnection) -> TcpConnection | None:
    """The connection under a WebSocket of trio-websocket."""
    return _trio_tcp(getattr(connection, "_stream", None))


def stopping(websocket: WebSocket) -> Callable[[], Awaitable[None]] | None:
    """A function that waits until the server stops, for a server that tells nobody.

    hypercorn goes on waiting for its connections then, and ends the app's lifespan only
    after they are gone.
    """
    waits: Callable[[], Awaitable[None]] | None = _maybe(
        _HYPERCORN_STOPS, _owner(getattr(websocket, "_send", None))
    )
    return waits


def forget_failure(websocket: WebSocket) -> None:
    """Have the server keep nothing of the message that ended a connection, which is over.

    Under uvicorn the connection knows the error, whose traceback knows the message as far as it
    was inflated, and the connection. Dozens of MiB would wait for a full collection of garbage.
    """
    error = _maybe(_UVICORN_FAILURE, _owner(getattr(websocket, "_send", None)))
    if isinstance(error, Exception):
        error.__traceback__ = None


def guard_hypercorn() -> None:
    """Keep one connection from ending, filling or holding up hypercorn's workers that are loaded.

    They look up the classes of their connections after the app's startup. There is no setting
    for it, so subclasses take the place of the originals in hypercorn's modules. May be called
    at any time before; later calls do nothing.
    """
    for module, guard in (("asyncio", _GuardedConnection), ("trio", _GuardedTrioConnection)):
        if f"hypercorn.{module}.run" in sys.modules:
            _guard(f"hypercorn.{module}.run", "TCPServer", guard)
            _guard(f"hypercorn.{module}.tcp_server", "TaskGroup", _GuardedCalls)
            _guard(f"hypercorn.{module}.tcp_server", "ProtocolWrapper", _InTurn)
    if "hypercorn.protocol.h11" in sys.modules:
        _guard("hypercorn.protocol.h11", "WSStream", _GuardedWebSocket)
        _guard("hypercorn.protocol.h2", "WSStream", _BoundedWebSocket)
        _guard("hypercorn.protocol.ws_stream", "PerMessageDeflate", _GuardedDeflate)


def _guard(module: str, name: str, guard: type) -> None:
    """Have a class in a module be one with this guard, if it is not yet."""
    original: Any = getattr(sys.modules[module], name)
    if not issubclass(original, guard):
        setattr(sys.modules[module], name, type(name, (guard, original), {}))


def drop_connections(config: Config) -> None:
    """Drop all connections that hypercorn still serves with these settings, if it is guarded.

    On asyncio it waits for them beyond its own bound (since Python 3.12), and then leaves
    their tasks to the event loop.
    """
    for connection in list(_crowd_of(config).connections):
        connection.drop()


class _Crowd:
    """The connections that are served with the same settings."""

    def __init__(self) -> None:
        self.connections: set[_GuardedConnection] = set()
        self.turnstile = Turnstile()


_crowds: WeakKeyDictionary[Config, _Crowd] = WeakKeyDictionary()


def _crowd_of(config: Config) -> _Crowd:
    crowd = _crowds.get(config)
    if crowd is None:
        crowd = _crowds[config] = _Crowd()
    return crowd


class _GuardedConnection:
    """Mixed into hypercorn's TCP connection."""

    config: Config
    protocol: Any
    writer: Any
    idle_task: Any
    _task_group: _GuardedCalls
    _left = False

    def drop(self) -> None:
        self.writer.transport.abort()

    async def run(self) -> None:
        """Serve. What fails in a connection ends that connection.

        A WebSocket handshake with a body is enough for an exception that nothing catches, and
        on trio that ends the process; on asyncio it is a traceback, as is a peer that is lost.
        """
        crowd = _crowd_of(self.config)
        crowd.connections.add(self)
        try:
            # All that were accepted in one step begin to be served, one after the other.
            await crowd.turnstile.wait()
            await super().run()  # type: ignore[misc]
        except* OSError as errors:
            logger.debug("a connection was lost: %r", errors.exceptions[0])
        except* Exception as errors:
            logger.warning("a connection failed: %r", errors.exceptions[0])
            logger.debug("a connection failed", exc_info=errors)
        finally:
            crowd.connections.discard(self)

    async def _read_data(self) -> None:
        """Read to the end, and then wait for nobody but the app.

        In the original an app whose handshake was spoiled is not told, one that answers over
        HTTP/2 waits for room for ever, and a connection that its peer has left stays for as long
        as one that a request may still come over.
        """
        await super()._read_data()  # type: ignore[misc]
        self._left = True
        self._task_group.tell_gone()
        for stream in list(getattr(self.protocol.protocol, "stream_buffers", {}).values()):
            await stream.close()
        await self.idle_task.stop()

    async def protocol_send(self, event: Any) -> None:
        """Send. To the original, a peer that the system gave up on is the app's failure."""
        from hypercorn.events import Closed, Updated

        if self._left and isinstance(event, Updated):
            return  # No more requests come, and none is waited for.
        try:
            await super().protocol_send(event)  # type: ignore[misc]
        except OSError:
            await self.protocol.handle(Closed())


class _InTurn:
    """Mixed into what a connection hands all that it reads, and its end.

    All clients may say at once that they are there, or that they go. Then everybody else has a
    step between two of them. In between nobody waits: who has a session may click.
    """

    config: Config
    _first_reads = 2
    """The handshake of a WebSocket, and the registration of its client."""

    async def handle(self, event: Any) -> None:
        """Handle what was read, or that the connection is over."""
        from hypercorn.events import RawData

        if self._first_reads or not isinstance(event, RawData):
            self._first_reads = max(0, self._first_reads - 1)
            await _crowd_of(self.config).turnstile.wait()
        await super().handle(event)  # type: ignore[misc]


class _GuardedCalls:
    """Mixed into what runs the calls of the app for a connection."""

    spawn: Any

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.running: list[_Call] = []

    def tell_gone(self) -> None:
        """Tell each call that still runs that the peer is gone, if that was not done."""
        for call in list(self.running):
            call.tell_gone()

    async def spawn_app(self, app: Any, config: Any, asgi_scope: Any, send: Any) -> Any:
        """Call the app; return what hands it an event."""
        call = _Call(app, asgi_scope["type"], self)
        self.running.append(call)
        call.put = await super().spawn_app(call, config, asgi_scope, send)  # type: ignore[misc]
        return call.hand_over


class _Call:
    """The app, called for one request or WebSocket.

    The original waits for room also when the app has ended and takes nothing any more. A dozen
    frames behind a bad one are enough for a connection that stays for ever. So is a peer that is
    gone: the app learns of it as it sends, and then waits for itself.
    """

    __slots__ = ("_app", "_calls", "_gone", "_over", "_told", "_waiting", "put")

    def __init__(self, app: Any, kind: str, calls: _GuardedCalls) -> None:
        self.put: Any = None
        self._app = app
        self._gone = sys.intern(f"{kind}.disconnect")
        self._calls = calls
        self._told = self._over = False
        # A set would be as large as all the rest, for each connection.
        self._waiting: tuple[anyio.CancelScope, ...] = ()

    async def __call__(self, *arguments: Any) -> None:
        from h11 import LocalProtocolError

        try:
            await self._app(*arguments)
        except* LocalProtocolError as errors:
            # To hypercorn the method "head" is HEAD, to h11 it is not: no answer pleases both.
            logger.warning("an answer failed: %r", errors.exceptions[0])
            logger.debug("an answer failed", exc_info=errors)
        finally:
            self._over = True
            self._calls.running.remove(self)
            for scope in self._waiting:
                scope.cancel()

    async def hand_over(self, event: Any) -> None:
        """Hand the app an event, when there is room for it."""
        if event["type"] == self._gone:
            self.tell_gone(event)
        else:
            await self._put(event)

    def tell_gone(self, event: Any = None) -> None:
        """Tell the app that its peer is gone, if it runs and was not told."""
        if not self._over and not self._told:
            self._told = True
            self._calls.spawn(self._put, event or {"type": self._gone, "code": _ABNORMAL})

    async def _put(self, event: Any) -> None:
        if self._over:
            return
        with anyio.CancelScope() as scope:
            self._waiting += (scope,)
            try:
                await self.put(event)
            finally:
                self._waiting = tuple(one for one in self._waiting if one is not scope)


_largest: ContextVar[int] = ContextVar("largest", default=16 * 1024 * 1024)
"""Message of the WebSocket that is being accepted. By default it is hypercorn's own default."""


class _BoundedWebSocket:
    """Mixed into a WebSocket, over any HTTP."""

    config: Config
    buffer: Any
    connection: Any
    stream_id: Any
    send: Any

    async def _accept(self, message: Any) -> None:
        """Accept it. What is to inflate its messages is made meanwhile, and learns the bound."""
        bound = _largest.set(self.config.websocket_max_message_size)
        try:
            await super()._accept(message)  # type: ignore[misc]
        finally:
            _largest.reset(bound)

    async def _handle_events(self) -> None:
        """Take what came. After a message that was too large, that is only the peer's goodbye.

        The original holds on to that message, takes one more frame whenever bytes come, and does
        not get to the goodbye.
        """
        if not self._failed:
            await super()._handle_events()  # type: ignore[misc]
        if self._failed:
            await self._see_off()

    @property
    def _failed(self) -> bool:
        too_large: bool = self.buffer.length > self.buffer.max_length
        return too_large

    async def _see_off(self) -> None:
        from hypercorn.protocol.events import StreamClosed
        from wsproto.events import CloseConnection

        self.buffer.value = None
        for event in self.connection.events():
            if isinstance(event, CloseConnection):
                await self.send(StreamClosed(stream_id=self.stream_id))


class _GuardedWebSocket(_BoundedWebSocket):
    """Mixed into a WebSocket over HTTP/1."""

    handshake: Any
    closed: bool
    _refused = False

    async def handle(self, event: Any) -> None:
        """Take what comes. The original leaves a connection open whose handshake it refuses.

        What the app sends meanwhile would be another answer.
        """
        from hypercorn.protocol.events import Body, Data, Request, StreamClosed

        if self.closed:
            return
        spoils = isinstance(event, Body | Data) and not self.handshake.accepted
        self._refused |= spoils
        await super().handle(event)  # type: ignore[misc]
        if spoils or (isinstance(event, Request) and self.closed):
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def app_send(self, message: Any) -> None:
        """Send, unless the server itself has answered."""
        if not self._refused:
            await super().app_send(message)  # type: ignore[misc]


class _GuardedDeflate:
    """Mixed into the extension that compresses messages.

    The original inflates whatever came at once, a thousandfold, and only then is the message
    found too large. It also takes a message for one that is not compressed after a ping or pong
    amid its frames. And it keeps zlib's largest windows for each connection, though there are as
    many as there are tabs, and most of them idle.
    """

    client_max_window_bits: int
    server_max_window_bits: int
    _compressor: Any
    _compressible_opcode: Callable[[Any], bool]
    _decompressor: Any
    _inbound_compressed: bool | None
    _inbound_is_compressible: bool | None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._inflater = _Inflater(_largest.get())

    def accept(self, offer: str) -> Any:
        """Answer a client: who can do with a smaller window is asked to (RFC 7692, 7.1.2.2)."""
        if "client_max_window_bits" in offer:
            self.client_max_window_bits = _WINDOW_BITS
        return super().accept(offer)  # type: ignore[misc]

    def frame_outbound(self, proto: Any, opcode: Any, rsv: Any, data: bytes, fin: bool) -> Any:
        """Compress. A window that is smaller than was agreed on is one that any peer can read."""
        if self._compressor is None and self._compressible_opcode(opcode):
            window = min(self.server_max_window_bits, _WINDOW_BITS)
            self._compressor = zlib.compressobj(wbits=-window, memLevel=_MEMORY_LEVEL)
        return super().frame_outbound(proto, opcode, rsv, data, fin)  # type: ignore[misc]

    def frame_inbound_header(self, proto: Any, opcode: Any, rsv: Any, payload_length: int) -> Any:
        """Look at the beginning of a frame; it may be looked at more than once."""
        from wsproto.frame_protocol import Opcode

        message = self._inbound_compressed
        found = super().frame_inbound_header(proto, opcode, rsv, payload_length)  # type: ignore[misc]
        if opcode.iscontrol():
            self._inbound_compressed = message
        elif opcode is not Opcode.CONTINUATION:
            self._inflater.begin(_WIDEST if opcode is Opcode.TEXT else 1)
        if self._decompressor is not None:
            self._decompressor = self._inflater.around(self._decompressor)
        return found

    def frame_inbound_complete(self, proto: Any, fin: bool) -> Any:
        """Finish a frame."""
        message = self._inbound_compressed
        rest = super().frame_inbound_complete(proto, fin)  # type: ignore[misc]
        if not self._inbound_is_compressible:
            self._inbound_compressed = message
        return rest


@final
class _Inflater:
    """Stands in for zlib's object: inflates of each message just as much as makes it too large.

    What counts characters finds it so, and has the connection closed as it always does. After
    that there is nothing to inflate any more.
    """

    def __init__(self, largest: int) -> None:
        self._enough = largest + 1
        self._room = self._enough
        self._inflate: Any = None

    def around(self, inflate: Any) -> _Inflater:
        """Use this object of zlib's, if it is one."""
        if inflate is not self:
            self._inflate = inflate
        return self

    def begin(self, width: int) -> None:
        """A message begins, of characters of so many bytes at most."""
        if self._room:
            self._room = self._enough * width

    def decompress(self, data: bytes) -> bytes:
        """Inflate more of the message."""
        # zlib would keep all that comes after the end of its data.
        if not self._room or self._inflate.eof:
            return b""
        inflated: bytes = self._inflate.decompress(data, min(self._room, sys.maxsize))
        self._room -= len(inflated)
        return inflated

    def flush(self) -> bytes:
        """Return what is left, and that is nothing: else there is no room for it."""
        return b""


class _GuardedTrioConnection(_GuardedConnection):
    """Mixed into the one on trio."""

    send_lock: Any
    stream: Any

    def drop(self) -> None:
        connection = _trio_tcp(self.stream)
        if connection is not None:
            connection.abort()

    async def protocol_send(self, event: Any) -> None:
        """Send. The original shields this for as long as the peer likes.

        Cancelled, this drops the connection: nothing can follow on half a frame.
        """
        import trio
        from hypercorn.events import Closed, RawData

        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        async with self.send_lock:
            await trio.lowlevel.checkpoint_if_cancelled()
            try:
                await self.stream.send_all(event.data)
            except (
                trio.BrokenResourceError,
                trio.ClosedResourceError,
                trio.BusyResourceError,  # it is being closed, in another task
            ):
                await self.protocol.handle(Closed())
            except trio.Cancelled:
                await trio.aclose_forcefully(self.stream)
                raise


def _owner(send: Any) -> Any:
    """The server's object behind `send`, which middleware wraps in functions."""
    for _ in range(_LAYERS):
        # ASGI's own name for it is what middleware calls it too.
        names = getattr(getattr(send, "__code__", None), "co_freevars", ())
        if "send" not in names:
            break
        try:
            send = send.__closure__[names.index("send")].cell_contents
        except ValueError:  # not bound yet
            break
    return getattr(send, "__self__", None)


def _trio_tcp(stream: Any) -> TcpConnection | None:
    below = getattr(stream, "transport_stream", stream)  # TLS
    sock = getattr(below, "socket", None)
    return TcpConnection(sock, sock.close) if sock is not None else None


def _maybe(get: Callable[[Any], Any], owner: Any) -> Any:
    try:
        return get(owner)
    except AttributeError:
        return None
