"""What is measured: each function drives one server and returns one figure."""

from __future__ import annotations

import selectors
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from .nicegui_client import NiceGuiClient
from .websocket import WebSocket
from .wire import Client, event, property_update

if TYPE_CHECKING:
    from collections.abc import Callable

    from .servers import Server

__all__ = ["broadcast", "clicks", "connects", "idle", "typing"]

AClient = TypeVar("AClient", bound=WebSocket)

_WARM = 20


def clicks(
    server: Server, seconds: float, *, key: str = "plus", route: str = "/", clients: int = 1
) -> float:
    """Microseconds of CPU for a click, its handler and its update.

    Each client waits for its update before it clicks again.
    """
    make = NiceGuiClient if server.app == "nicegui" else Client
    made = [make(server.url, route).ready() for _ in range(clients)]
    return _in_turn(server, seconds, made, lambda client: client.click(key))


def typing(server: Server, seconds: float) -> float:
    """Microseconds of CPU for a key stroke in a field: its value, then the event."""
    client = Client(server.url, "/field").ready()
    field, typed = client.ids["field"], 0

    def stroke(client: Client) -> bytes:
        nonlocal typed
        typed += 1
        text = f"typed {typed}"
        return property_update(field, value=text) + event(field, "change", text)

    return _in_turn(server, seconds, [client], stroke)


def connects(server: Server, seconds: float) -> float:
    """Milliseconds of CPU for a new session, from the handshake to the whole page."""
    kept = [Client(server.url).ready() for _ in range(_WARM)]
    began, end, made = server.cpu(), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        kept.append(Client(server.url).ready())
        made += 1
    return (server.cpu() - began) / made * 1e3


def idle(server: Server, seconds: float, *, clients: int = 1_000, deflate: bool = False) -> float:
    """Kilobytes of memory for a session that does nothing. For a server that served nobody yet."""
    make = partial(Client, server.url, deflate=deflate)
    kept = [make().ready() for _ in range(_WARM)]
    before = server.memory()
    kept += [make().ready() for _ in range(clients)]
    time.sleep(1)
    return (server.memory() - before) / clients / 1024


def broadcast(server: Server, seconds: float, *, clients: int = 300) -> float:
    """Milliseconds until a message has reached the screens of all."""
    made = [Client(server.url, "/talk").ready() for _ in range(clients)]
    for client in made:
        client.sock.sendall(event(client.ids["join"]))
    _settle(made)
    took: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(took) < 3:
        began = time.perf_counter()
        made[0].sock.sendall(event(made[0].ids["say"]))
        _each_gets_one(made)
        took.append(time.perf_counter() - began)
        _settle(made)
    return statistics.median(took) * 1e3


def _in_turn(
    server: Server, seconds: float, clients: list[AClient], say: Callable[[AClient], bytes]
) -> float:
    for client in clients:  # first of all, so that nothing is made for the first time
        client.sock.sendall(say(client))
        client.answer()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.sock, selectors.EVENT_READ, client)
        began, end, done = server.cpu(), time.monotonic() + seconds, 0
        for client in clients:
            client.sock.sendall(say(client))
        while time.monotonic() < end or not done:
            for key, _ in selector.select(1):
                if key.data.take():
                    done += 1
                    key.data.sock.sendall(say(key.data))
        took = server.cpu() - began
    for client in clients:
        client.sock.close()
    return took / done * 1e6


def _each_gets_one(clients: list[Client]) -> None:
    waiting = set(clients)
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.sock, selectors.EVENT_READ, client)
        while waiting:
            ready = selector.select(10)
            if not ready:
                raise TimeoutError(f"{len(waiting)} clients were not told")
            waiting -= {key.data for key, _ in ready if key.data.take()}


def _settle(clients: list[Client]) -> None:
    """Read until nothing comes any more."""
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.sock, selectors.EVENT_READ, client)
        while ready := selector.select(0.2):
            for key, _ in ready:
                key.data.take()
