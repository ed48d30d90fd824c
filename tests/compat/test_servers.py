"""That servers still keep what is looked for where it is looked for."""

from __future__ import annotations

import importlib
import inspect
import json
import socket
import struct
import threading
from collections import Counter
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from fastapi import FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Mount, WebSocketRoute
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from flet_anyio.compat import servers
from flet_anyio.compat.door import on_trio
from flet_anyio.compat.servers import guard_hypercorn, stopping, websocket_connection
from flet_anyio.limits import Limits
from flet_anyio.serving.hypercorn import make_config, serve_sockets
from flet_anyio.serving.sockets import listen
from fuzz.frames import BINARY, frame
from logged import warnings_of
from waiting import PATIENCE, reached

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def reveal(websocket: WebSocket) -> None:
    """Tell the client what is found, and drop the connection when it answers."""
    await websocket.accept()
    connection = websocket_connection(websocket)
    found = {
        "connection": connection is not None,
        "bounded": connection is not None and connection.bound_writes(1),
        "stopping": stopping(websocket) is not None,
    }
    await websocket.send_text(json.dumps(found))
    await websocket.receive_text()
    assert connection is not None
    connection.abort()


def plain() -> Any:
    app = FastAPI()
    app.websocket("/ws")(reveal)
    return app


def wrapped() -> Any:
    layers = [Middleware(SessionMiddleware, secret_key="x"), Middleware(CORSMiddleware)]
    return Starlette(routes=[Mount("/", plain(), middleware=layers)], middleware=layers)


def visit(port: int) -> tuple[dict[str, bool], ConnectionClosed]:
    with connect(f"ws://127.0.0.1:{port}/ws") as websocket:
        found = json.loads(websocket.recv(5))
        websocket.send("drop")
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(5)
    return found, closed.value


FOUND = {"connection": True, "bounded": hasattr(socket, "TCP_USER_TIMEOUT")}
apps = pytest.mark.parametrize("app", [plain, wrapped])


@apps
@pytest.mark.usefixtures("hypercorn_runs")
async def test_hypercorn(app: Any) -> None:
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve_sockets, app(), listener, make_config(Limits()), stop)
        found, closed = await anyio.to_thread.run_sync(visit, port)
        stop.set()
    assert found == FOUND | {"stopping": True}
    assert closed.rcvd is None


def send_anything(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(b"anything")
        return sock.recv(1024)


@pytest.mark.usefixtures("hypercorn_runs")
async def test_what_fails_in_a_connection_of_hypercorn_ends_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from hypercorn.protocol.h11 import H11Protocol

    async def fail(self: Any, event: Any) -> None:
        raise RuntimeError("failed")

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve_sockets, plain(), listener, make_config(Limits()), stop)
        with monkeypatch.context() as patch:
            patch.setattr(H11Protocol, "handle", fail)
            assert await anyio.to_thread.run_sync(send_anything, port) == b""
        found, _ = await anyio.to_thread.run_sync(visit, port)
        stop.set()
    assert found["connection"]
    assert warnings_of(caplog) == ["a connection failed: RuntimeError('failed')"]


def shake_hands(sock: socket.socket, body: bytes = b"") -> None:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    sock.sendall(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        + length.encode()
        + b"\r\n"
        + body
    )


def spoil_handshake(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        shake_hands(sock, b"body")
        while sock.recv(1024):
            pass


def send_and_vanish(port: int) -> None:
    """Send more frames than wait for an app, read some of what it sends, and be gone."""
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        shake_hands(sock)
        sock.sendall(frame(BINARY, b"") * 100)
        for _ in range(100):
            sock.recv(10_000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def listens(receive: Any, send: Any) -> None:
    """Begin nothing, and wait for the end."""
    assert (await receive())["type"] == "websocket.connect"
    assert (await receive())["type"] == "websocket.disconnect"


async def sends(receive: Any, send: Any) -> None:
    """Listen to nobody."""
    await send({"type": "websocket.accept"})
    for _ in range(1000):
        await send({"type": "websocket.send", "bytes": bytes(100_000)})


@pytest.mark.usefixtures("hypercorn_runs")
@pytest.mark.parametrize(("call", "client"), [(listens, spoil_handshake), (sends, send_and_vanish)])
async def test_an_app_of_hypercorn_ends_when_its_peer_is_gone(call: Any, client: Any) -> None:
    ended, stop = anyio.Event(), anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await call(receive, send)
        ended.set()

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve_sockets, app, listener, make_config(Limits()), stop)
        await anyio.to_thread.run_sync(client, port)
        with anyio.fail_after(PATIENCE):
            await ended.wait()
        stop.set()


@apps
@pytest.mark.parametrize("protocol", ["websockets", "websockets-sansio", "wsproto"])
@pytest.mark.filterwarnings("ignore")  # the first is on its way out
def test_uvicorn(app: Any, protocol: Any) -> None:
    import uvicorn

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app(), ws=protocol, log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        found, closed = visit(port)
    finally:
        server.should_exit = True
        thread.join(10)
    # uvicorn tells apps itself.
    assert found == FOUND | {"stopping": False}
    assert closed.rcvd is None


def test_a_server_that_is_not_known_has_no_connection_to_reach() -> None:
    async def send(message: Any) -> None: ...

    async def receive() -> Any: ...

    scope = {"type": "websocket", "http_version": "1.1", "path": "/", "headers": []}
    websocket = WebSocket(scope, receive, send)
    assert websocket_connection(websocket) is None
    assert stopping(websocket) is None


def test_middleware_that_names_its_own_function_send_is_not_followed_for_ever() -> None:
    async def send(message: Any) -> None:
        await send(message)

    async def receive() -> Any: ...

    scope = {"type": "websocket", "http_version": "1.1", "path": "/", "headers": []}
    assert websocket_connection(WebSocket(scope, receive, send)) is None


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_hypercorn_is_guarded_once(backend: str) -> None:
    if backend == "trio":
        pytest.importorskip("trio")
    worker = pytest.importorskip(f"hypercorn.{backend}.run")
    guard_hypercorn()
    guarded = worker.TCPServer
    guard_hypercorn()
    assert worker.TCPServer is guarded
    kinds = [kind.__module__ for kind in guarded.__mro__]
    assert kinds.count(servers.__name__) == (2 if backend == "trio" else 1) + 1
    # What is overridden is still there to be overridden.
    original = next(kind for kind in guarded.__mro__ if kind.__module__.startswith("hypercorn."))
    assert {"run", "protocol_send", "_close"} <= vars(original).keys()
    protocol = importlib.import_module(f"hypercorn.{backend}.tcp_server").ProtocolWrapper
    assert issubclass(protocol, servers._InTurn)
    assert inspect.iscoroutinefunction(vars(protocol.__mro__[2])["handle"])


MANY = 100


async def listening(websocket: WebSocket) -> None:
    await websocket.accept()
    async for _ in websocket.iter_bytes():
        pass


def come(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), 5)
    shake_hands(sock)
    assert b" 101 " in sock.recv(1024)
    return sock


class Steps:
    """Counts the steps of the event loop, and notes what came in which."""

    def __init__(self) -> None:
        self.now = 0

    async def count(self) -> None:
        while True:
            self.now += 1
            await checkpoint()

    def noting(self, kind: type, method: str, patch: pytest.MonkeyPatch) -> list[int]:
        """Note the steps in which a method is called."""
        at: list[int] = []
        original = getattr(kind, method)

        def note(*arguments: Any) -> Any:
            at.append(self.now)
            return original(*arguments)

        patch.setattr(kind, method, note)
        return at


@pytest.mark.usefixtures("hypercorn_runs")
async def test_those_who_come_or_go_at_once_are_taken_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, anyio_backend: Any
) -> None:
    from hypercorn.protocol.h11 import H11Protocol

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    stop, steps = anyio.Event(), Steps()
    async with anyio.create_task_group() as tasks:
        app = Starlette(routes=[WebSocketRoute("/", listening)])
        tasks.start_soon(serve_sockets, app, listener, make_config(Limits()), stop)
        first = await anyio.to_thread.run_sync(come, port)
        worker = importlib.import_module(f"hypercorn.{'trio' if on_trio() else 'asyncio'}.run")
        accepted = steps.noting(worker.TCPServer, "__init__", monkeypatch)
        heard = steps.noting(H11Protocol, "handle", monkeypatch)
        async with anyio.create_task_group() as counting:
            counting.start_soon(steps.count)
            # Nobody else runs before all have connected: so many can wait.
            crowd = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(MANY)]
            for sock in crowd:
                shake_hands(sock)
            await reached(lambda: len(heard) == MANY)
            for sock in crowd:
                sock.close()
            await reached(lambda: len(heard) >= 2 * MANY)
            counting.cancel_scope.cancel()
        first.close()
        stop.set()
    assert len(set(heard[: 2 * MANY])) == 2 * MANY
    if "use_uvloop" not in str(anyio_backend):
        assert max(Counter(accepted).values()) <= 4
