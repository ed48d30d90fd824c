"""That hypercorn inflates no more of a message than it takes, and compresses with little memory."""

from __future__ import annotations

import gc
import importlib
import inspect
import itertools
import random
import socket
import sys
import threading
import tracemalloc
import zlib
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import h2.config
import h2.connection
import h2.events
import pytest
import uvicorn
from fastapi import FastAPI, WebSocket
from hypercorn.protocol import ws_stream
from starlette.websockets import WebSocketDisconnect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.protocol import State
from websockets.sync.client import connect
from websockets.uri import parse_uri
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage
from wsproto.extensions import PerMessageDeflate

from flet_anyio import FletApp
from flet_anyio.compat import servers
from flet_anyio.compat.servers import guard_hypercorn
from flet_anyio.limits import Limits
from flet_anyio.serving.hypercorn import make_config, serve_sockets
from flet_anyio.serving.sockets import listen
from fuzz.frames import BINARY, CONTINUATION, PING, PONG, TEXT, frame
from programs import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
LIMIT = 100_000
LIMITS = Limits(message_bytes=LIMIT)
CHUNK = 65_536
"""What hypercorn reads at once."""
RSV1 = 0x40
PINGS = frame(PING, b"amid") + frame(PONG, b"")


def deflated(data: bytes, deflate: Any = None) -> bytes:
    """The payload of a message."""
    deflate = deflate or zlib.compressobj(wbits=-15)
    packed: bytes = deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return packed[:-4]


def zeros(mebibytes: int) -> bytes:
    """The payload of a message of nothing but zeros."""
    deflate = zlib.compressobj(wbits=-15)
    part = deflate.compress(bytes(MIB)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return (part * mebibytes)[:-4]


BOMB = zeros(100)


def whole(payload: bytes, opcode: int = BINARY) -> bytes:
    return frame(opcode, payload, rsv=RSV1)


def fragmented(payload: bytes, opcode: int = BINARY, between: bytes = b"") -> bytes:
    size = len(payload) // 3 + 1
    parts = [payload[at : at + size] for at in range(0, len(payload), size)]
    first = frame(opcode, parts.pop(0), rsv=RSV1, fin=not parts)
    return first + b"".join(
        between + frame(CONTINUATION, part, fin=part is parts[-1]) for part in parts
    )


def pinged(payload: bytes, opcode: int = BINARY) -> bytes:
    return fragmented(payload, opcode, PINGS)


wirings = pytest.mark.parametrize("wire", [whole, fragmented, pinged])
offers = pytest.mark.parametrize(
    "offer", ["permessage-deflate", "permessage-deflate; client_no_context_takeover"]
)


def server(limit: int = LIMIT, offer: str = "permessage-deflate") -> Any:
    """What hypercorn makes of a handshake."""
    guard_hypercorn()
    handshake = ws_stream.Handshake([(b"sec-websocket-extensions", offer.encode())], "2")
    bound = servers._largest.set(limit)
    try:
        return handshake.accept(None, [])[2]
    finally:
        servers._largest.reset(bound)


def taken(connection: Any, data: bytes) -> Iterator[Any]:
    """What comes of these bytes, in the pieces in which hypercorn reads them."""
    for at in range(0, len(data), CHUNK):
        connection.receive_data(data[at : at + CHUNK])
        yield from connection.events()


def messages(connection: Any, data: bytes) -> list[Any]:
    """The messages in these bytes, or what there is of them."""
    parts = [event for event in taken(connection, data) if hasattr(event, "message_finished")]
    found = []
    while parts:
        last = next((n for n, part in enumerate(parts) if part.message_finished), len(parts) - 1)
        message, parts = parts[: last + 1], parts[last + 1 :]
        found.append(type(message[0].data)().join(part.data for part in message))
    return found


@contextmanager
def peak_below(size: int) -> Iterator[None]:
    """Fail if more memory was taken at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


# --- alone --------------------------------------------------------------------------------------


@wirings
@offers
def test_of_a_bomb_as_much_is_inflated_as_makes_it_too_large(wire: Any, offer: str) -> None:
    connection = server(offer=offer)
    sent = wire(BOMB)
    with peak_below(5 * LIMIT + 4 * CHUNK):
        size = sum(
            len(event.data) for event in taken(connection, sent) if hasattr(event, "frame_finished")
        )
    assert LIMIT < size <= LIMIT + CHUNK


@offers
def test_after_a_bomb_nothing_is_inflated(offer: str) -> None:
    connection = server(offer=offer)
    assert sum(map(len, messages(connection, whole(BOMB)))) > LIMIT
    more = messages(connection, whole(deflated(b"more")) + fragmented(BOMB) + whole(BOMB, TEXT))
    assert sum(map(len, more)) == 0


@wirings
@offers
def test_messages_up_to_the_limit_pass(wire: Any, offer: str) -> None:
    rng = random.Random(1)
    sent = [rng.randbytes(LIMIT), bytes(LIMIT), b"", b"a", rng.randbytes(10) * (LIMIT // 10)]
    deflate = None if "no_context" in offer else zlib.compressobj(wbits=-15)
    data = b"".join(wire(deflated(message, deflate)) for message in sent)
    assert messages(server(offer=offer), data) == sent


@wirings
@pytest.mark.parametrize("character", ["a", "é", "あ", "😀"])
def test_text_counts_by_characters(wire: Any, character: str) -> None:
    text, more = character * LIMIT, character * (LIMIT + 1)
    data = wire(deflated(text.encode()), TEXT) + wire(deflated(more.encode()), TEXT)
    first, second = messages(server(), data)
    assert first == text
    assert len(second) > LIMIT


@pytest.mark.parametrize("limit", [sys.maxsize, 1 << 70])
def test_a_bound_may_be_as_good_as_none(limit: int) -> None:
    message = bytes(2 * MIB)
    assert messages(server(limit), whole(deflated(message))) == [message]


def test_frames_that_are_compressed_may_have_others_among_them() -> None:
    connection = server()
    data = frame(BINARY, b"plain") + PINGS + whole(deflated(b"packed")) + PINGS
    data += frame(BINARY, b"pl", fin=False) + PINGS
    data += frame(CONTINUATION, b"ain") + pinged(deflated(b"packed" * 9))
    assert messages(connection, data) == [b"plain", b"packed", b"plain", b"packed" * 9]


def test_a_frame_may_come_byte_by_byte() -> None:
    connection = server()
    data = pinged(deflated(b"packed")) + PINGS + whole(deflated(b"again"))
    found = b"".join(
        event.data
        for byte in data
        for event in taken(connection, bytes([byte]))
        if hasattr(event, "message_finished")
    )
    assert found == b"packedagain"


def test_what_follows_the_end_of_what_is_compressed_is_not_kept() -> None:
    connection = server()
    deflate = zlib.compressobj(wbits=-15)
    payload = deflate.compress(b"packed") + deflate.flush(zlib.Z_FINISH)
    sent = whole(payload + bytes(10 * MIB))
    with peak_below(MIB):
        assert sum(len(getattr(event, "data", "")) for event in taken(connection, sent)) == 6


def test_bytes_that_are_not_compressed_end_the_connection() -> None:
    (event,) = taken(server(), whole(b"\xff\xff"))
    assert event.code == 1007


OFFERS = [
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; client_max_window_bits=15; server_max_window_bits=15",
    "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
]


def pair(offer: str) -> tuple[Connection, Connection]:
    """The ends of a connection that compresses as the client that offers this agreed on."""
    guard_hypercorn()
    module: Any = ws_stream
    here, there = module.PerMessageDeflate(), PerMessageDeflate()
    answer = here.accept(offer)
    assert isinstance(answer, str)
    there.finalize(f"permessage-deflate; {answer}")
    return (
        Connection(ConnectionType.SERVER, extensions=[here]),
        Connection(ConnectionType.CLIENT, extensions=[there]),
    )


@pytest.mark.parametrize("offer", OFFERS)
def test_whoever_offers_to_compress_is_understood_and_understands(offer: str) -> None:
    rng = random.Random(2)
    # What comes again is farther back than some windows reach.
    sent = [rng.randbytes(size) * times for size, times in ((9, 9), (3_000, 9), (20_000, 3))] * 2
    here, there = pair(offer)
    for message in sent:
        assert messages(there, here.send(BytesMessage(message))) == [message]
        assert messages(here, there.send(BytesMessage(message))) == [message]


def test_a_connection_that_compresses_is_small() -> None:
    message = random.Random(3).randbytes(20_000) * 2
    sent = whole(deflated(message, zlib.compressobj(wbits=-12)))
    here = server(offer="permessage-deflate; client_max_window_bits")
    tracemalloc.start()
    try:
        here.send(BytesMessage(message))
        assert messages(here, sent) == [message]
        assert tracemalloc.get_traced_memory()[0] < 64 * 1024
    finally:
        tracemalloc.stop()


# --- hypercorn ----------------------------------------------------------------------------------


async def tell_sizes(websocket: WebSocket) -> None:
    """Answer each message with how large it is."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(str(len(await websocket.receive_bytes())))
    except WebSocketDisconnect:
        pass


def app() -> Any:
    app = FastAPI()
    app.websocket("/ws")(tell_sizes)
    return app


async def visited(visit: Any, limits: Limits = LIMITS) -> Any:
    """What comes of a visit to hypercorn."""
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve_sockets, app(), listener, make_config(limits), stop)
        found = await anyio.to_thread.run_sync(visit, port)
        stop.set()
    return found


def goodbye(data: bytes, port: int) -> int | None:
    """Send all of this over a WebSocket that is good; return the code with which it ends."""
    uri = parse_uri(f"ws://127.0.0.1:{port}/ws")
    protocol = ClientProtocol(uri, extensions=[ClientPerMessageDeflateFactory()])
    protocol.send_request(protocol.connect())
    with socket.create_connection((uri.host, uri.port), 5) as sock:
        sock.sendall(b"".join(protocol.data_to_send()))
        while protocol.state is State.CONNECTING:
            protocol.receive_data(sock.recv(CHUNK))
        protocol.events_received()
        sock.sendall(whole(deflated(bytes(LIMIT))))
        while not (answers := protocol.events_received()):
            protocol.receive_data(sock.recv(CHUNK))
        assert [getattr(answer, "data", None) for answer in answers] == [str(LIMIT).encode()]
        sock.sendall(data)
        while protocol.close_rcvd is None:
            protocol.receive_data(sock.recv(CHUNK))
        sock.sendall(b"".join(protocol.data_to_send()))
        while sock.recv(CHUNK):
            pass
    return protocol.close_rcvd.code


@pytest.mark.slow
@pytest.mark.usefixtures("hypercorn_runs")
async def test_any_app_that_is_served_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ws_stream
    monkeypatch.setattr(module, "PerMessageDeflate", PerMessageDeflate)
    stop = anyio.Event()
    stop.set()
    await serve_sockets(app(), listen("127.0.0.1", 0), make_config(Limits()), stop)
    assert issubclass(module.PerMessageDeflate, servers._GuardedDeflate)


@pytest.mark.slow
@pytest.mark.usefixtures("hypercorn_runs")
async def test_a_bomb_closes_its_connection_as_too_large() -> None:
    data = pinged(BOMB)
    with peak_below(30 * LIMIT):
        assert await visited(partial(goodbye, data)) == 1009


@pytest.mark.slow
@pytest.mark.usefixtures("hypercorn_runs")
async def test_who_goes_on_with_what_is_too_large_takes_no_memory() -> None:
    part = frame(CONTINUATION, bytes(LIMIT), fin=False)
    data = frame(BINARY, bytes(LIMIT), fin=False) + part * 200
    with peak_below(30 * LIMIT):
        assert await visited(partial(goodbye, data)) == 1009


def send_bomb_over_http2(port: int) -> bytes:
    """Send one over HTTP/2, and return the last that comes back over the WebSocket."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    connection.initiate_connection()
    headers = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http")]
    headers += [(":path", "/ws"), (":authority", "x"), ("sec-websocket-version", "13")]
    headers += [("sec-websocket-extensions", "permessage-deflate")]
    bomb = whole(zeros(50))  # with a window of HTTP/2 in mind
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        for stage in itertools.count():
            sock.sendall(connection.data_to_send())
            for event in connection.receive_data(sock.recv(CHUNK)):
                if isinstance(event, h2.events.DataReceived):
                    return event.data
                if isinstance(event, h2.events.ResponseReceived):
                    size = connection.max_outbound_frame_size
                    for at in range(0, len(bomb), size):
                        connection.send_data(1, bomb[at : at + size])
            if stage == 0:
                connection.send_headers(1, headers)
    raise AssertionError("unreachable")


@pytest.mark.slow
@pytest.mark.usefixtures("hypercorn_runs")
async def test_a_bomb_over_http2_does_too() -> None:
    with peak_below(30 * LIMIT):
        last = await visited(send_bomb_over_http2)
    assert last == bytes([0x88, 2]) + (1009).to_bytes(2, "big")


def send_large(port: int) -> str:
    with connect(f"ws://127.0.0.1:{port}/ws") as websocket:
        websocket.send(bytes(17 * MIB))
        return str(websocket.recv(10))


@pytest.mark.slow
@pytest.mark.usefixtures("hypercorn_runs")
async def test_without_a_limit_there_is_none() -> None:
    found = await visited(send_large, Limits(message_bytes=None))
    assert int(found) == 17 * MIB


# --- uvicorn ------------------------------------------------------------------------------------

unbounded = pytest.mark.xfail(strict=True, reason="uvicorn inflates all that came, with wsproto")


@contextmanager
def on_uvicorn(app: Any, **settings: Any) -> Iterator[int]:
    """Run it in a thread, at the port that this gives."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", **settings))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def kept_memory() -> Iterator[Callable[[], int]]:
    """How much memory is held more than before, where no garbage is collected."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()


@pytest.mark.slow
@pytest.mark.parametrize(
    "protocol",
    ["websockets", "websockets-sansio", pytest.param("wsproto", marks=unbounded)],
)
@pytest.mark.filterwarnings("ignore")  # the first is on its way out
def test_uvicorn_bounds_messages_itself(protocol: Any) -> None:
    data = whole(BOMB)
    # It may reset the connection with its goodbye on the way.
    with (
        on_uvicorn(app(), ws=protocol, ws_max_size=LIMIT) as port,
        peak_below(50 * LIMIT),
        suppress(ConnectionError),
    ):
        assert goodbye(data, port) == 1009


@pytest.mark.slow
def test_uvicorn_keeps_nothing_of_a_message_that_ended_its_connection() -> None:
    flet = FastAPI()

    @flet.websocket("/ws")
    async def serve(websocket: WebSocket) -> None:
        await FletApp(main=lambda page: None).handle(websocket)

    with (
        on_uvicorn(flet, ws="websockets-sansio", ws_max_size=8 * MIB) as port,
        kept_memory() as kept,
    ):
        for _ in range(5):
            with connect(f"ws://127.0.0.1:{port}/ws") as client:
                client.socket.sendall(pinged(BOMB))
                with pytest.raises(ConnectionClosed):
                    client.recv(10)
        eventually(lambda: kept() < 8 * MIB)


# --- what is counted on -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "name", "guard"),
    [
        ("h11", "WSStream", servers._GuardedWebSocket),
        ("h2", "WSStream", servers._BoundedWebSocket),
        ("ws_stream", "PerMessageDeflate", servers._GuardedDeflate),
    ],
)
def test_what_is_overridden_is_as_it_was(module: str, name: str, guard: Any) -> None:
    place = importlib.import_module(f"hypercorn.protocol.{module}")
    guard_hypercorn()
    guarded = getattr(place, name)
    assert issubclass(guarded, guard)
    original = next(
        kind for kind in guarded.__mro__ if kind.__module__.startswith(("hypercorn.", "wsproto."))
    )
    for override in [kind for kind in guarded.__mro__ if kind.__module__ == servers.__name__]:
        for method, function in inspect.getmembers(override, inspect.isfunction):
            if method not in ("__init__", "_see_off"):
                expected = inspect.signature(vars(original)[method]).parameters
                assert list(inspect.signature(function).parameters) == list(expected), method


def test_what_inflates_is_where_it_is_looked_for() -> None:
    connection = server()
    (deflate,) = connection._proto.extensions
    assert deflate._decompressor is None
    list(taken(connection, whole(deflated(b"packed"))))
    assert isinstance(deflate._decompressor, servers._Inflater)
