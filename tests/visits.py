"""Clients of apps that are served by others: by an ASGI call, or over a real WebSocket."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from flet_anyio import FletApp
from flet_anyio.errors import TransportClosed
from flet_anyio.testing import Client, MemoryTransport
from flet_anyio.transports import PeerInfo
from sockets import open_socket
from waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from flet_anyio.testing import InProcess
    from sockets import Socket

__all__ = ["browsing", "running", "turned_away", "visit_asgi", "visit_url"]


async def turned_away(app: InProcess, main: Callable[..., Any], address: str) -> int | None:
    """Come from an address where there is no room, and return the status of the refusal."""
    info = PeerInfo(url="ws://test/ws", path="/ws", client_ip=address, headers={})
    transport = MemoryTransport(info)
    await FletApp(main=main, server=app.server).handle(transport)
    transport.drop()
    return transport.refused


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[None]:
    """Run an ASGI app's lifespan, as a server does: both ends of it in one task."""
    sent: list[str] = []
    changed = anyio.Event()
    to_app, at_app = anyio.create_memory_object_stream[Any](2)

    async def send(message: Any) -> None:
        nonlocal changed
        sent.append(message["type"])
        changed.set()
        changed = anyio.Event()

    async def ask(kind: str) -> None:
        await to_app.send({"type": f"lifespan.{kind}"})
        with anyio.fail_after(PATIENCE):
            while f"lifespan.{kind}.complete" not in sent:
                await changed.wait()

    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    with to_app, at_app:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(app, scope, at_app.receive, send)
            await ask("startup")
            yield
            await ask("shutdown")


@asynccontextmanager
async def browsing(app: Any, root_path: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """A client of an ASGI app for its pages and files."""
    transport = httpx.ASGITransport(app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield http


@asynccontextmanager
async def visit_asgi(
    app: Any,
    path: str = "/ws",
    *,
    after: Client | None = None,
    root_path: str = "",
    headers: dict[str, str] | None = None,
    **page: Any,
) -> AsyncIterator[Client]:
    """Open a WebSocket of an ASGI app and register; leaving the block drops it."""
    transport = MemoryTransport(PeerInfo(url=f"ws://test{path}", path=path))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_call, app, transport, root_path, {"host": "test", **(headers or {})})
        async with _registered(transport, after, page) as client:
            yield client


async def _call(
    app: Any, transport: MemoryTransport, root_path: str, headers: dict[str, str]
) -> None:
    connected = False

    async def receive() -> Any:
        nonlocal connected
        if not connected:
            connected = True
            return {"type": "websocket.connect"}
        try:
            return {"type": "websocket.receive", "bytes": await transport.receive()}
        except TransportClosed:
            return {"type": "websocket.disconnect", "code": 1001}

    async def send(message: Any) -> None:
        match message["type"]:
            case "websocket.accept":
                fields = message.get("headers", [])
                await transport.accept([(name.decode(), text.decode()) for name, text in fields])
            case "websocket.send":
                await transport.send(message["bytes"])
            case "websocket.close":
                await transport.close(message.get("code", 1000), message.get("reason", ""))

    path = transport.info.path
    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "root_path": root_path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "scheme": "ws",
        "server": ("test", 80),
        "client": ("127.0.0.1", 1),
        "subprotocols": [],
        "state": {},
        "extensions": {},
    }
    await app(scope, receive, send)
    await transport.close(1006, "the app left the call")


@asynccontextmanager
async def visit_url(
    url: str, *, headers: dict[str, str] | None = None, after: Client | None = None, **page: Any
) -> AsyncIterator[Client]:
    """Open a real WebSocket and register; leaving the block drops it."""
    transport = MemoryTransport(PeerInfo(url=url, path=httpx.URL(url).path))
    address = url.replace("http", "ws", 1)
    async with open_socket(address, headers=headers) as socket, anyio.create_task_group() as tasks:
        tasks.start_soon(_pump_in, socket, transport)
        tasks.start_soon(_pump_out, socket, transport)
        await transport.accept()
        async with _registered(transport, after, page) as client:
            yield client
        tasks.cancel_scope.cancel()


async def _pump_in(socket: Socket, transport: MemoryTransport) -> None:
    while (frame := await socket.receive_frame()) is not None:
        await transport.send(frame)
    await transport.close(socket.goodbye or 1006, "")


async def _pump_out(socket: Socket, transport: MemoryTransport) -> None:
    try:
        while True:
            frame = await transport.receive()
            assert isinstance(frame, bytes)
            await socket.send_frame(frame)
    except TransportClosed:
        pass


@asynccontextmanager
async def _registered(
    transport: MemoryTransport, after: Client | None, page: dict[str, Any]
) -> AsyncIterator[Client]:
    client = Client(transport)
    if after is not None:
        client.session_id = after.session_id
    try:
        async with anyio.create_task_group() as tasks:
            with anyio.fail_after(PATIENCE):
                await _either(transport.accepted.wait, transport.closed.wait)
            await tasks.start(client.run)
            client.register(**page)
            await client.until(lambda: client.registered or client.closed)
            try:
                yield client
            finally:
                client.drop()
    finally:
        transport.drop()


async def _either(*waits: Callable[[], Awaitable[Any]]) -> None:
    async with anyio.create_task_group() as tasks:

        async def wait(one: Callable[[], Awaitable[Any]]) -> None:
            await one()
            tasks.cancel_scope.cancel()

        for one in waits:
            tasks.start_soon(wait, one)
