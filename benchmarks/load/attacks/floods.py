"""Attacks by too much of what is allowed."""

from __future__ import annotations

import math
import selectors
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.websocket import Goodbye, read_head
from benchmarks.wire import Client, event, property_update

from .crowd import visits

if TYPE_CHECKING:
    from collections.abc import Callable

    from .crowd import Target

__all__ = ["call_flood", "event_flood", "property_flood", "upload_flood"]

_AHEAD = 64 * 1024
"""Bytes that a flooding client has ready to be sent."""
_FILE = 1024 * 1024
_PAUSE = 0.05


def event_flood(target: Target) -> Counter[str]:
    """Click as fast as the connection takes it."""
    return _flood(target, lambda client: event(client.ids["plus"]))


def property_flood(target: Target) -> Counter[str]:
    """Type as fast as the connection takes it."""
    return _flood(target, lambda client: property_update(client.ids["field"], value="typed"))


def call_flood(target: Target) -> Counter[str]:
    """Have the app call methods of the client, and answer none."""
    return _flood(target, lambda client: event(client.ids["ask"]), answers=False)


def _flood(
    target: Target, make: Callable[[Client], bytes], *, answers: bool = True
) -> Counter[str]:
    counts: Counter[str] = Counter()
    clients = [_Flooding(target, make, answers=answers) for _ in range(target.number)]
    most = math.inf if target.most is None else target.most
    target.begin()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, client)
        while target.left and selector.get_map():
            for key, ready in selector.select(_PAUSE):
                try:
                    if ready & selectors.EVENT_READ:
                        key.data.take()
                    if ready & selectors.EVENT_WRITE:
                        key.data.pour()
                except OSError as error:
                    counts[_end(error)] += 1
                    selector.unregister(key.data.sock)
                else:
                    if key.data.sent >= most:
                        selector.unregister(key.data.sock)
    for client in clients:
        counts["sent"] += client.sent
        client.sock.close()
    return counts


def _end(error: OSError) -> str:
    return f"closed with {error.code}" if isinstance(error, Goodbye) else "cut"


class _Flooding(Client):
    """Says the same without end, beside what it is asked for."""

    def __init__(self, target: Target, make: Callable[[Client], bytes], *, answers: bool) -> None:
        self._waiting = bytearray()
        self._poured = 0
        self._answers = True
        super().__init__(target.url, "/attack", source=target.source)
        self.ready()
        self._answers = answers
        said = make(self)
        self._each = len(said)
        self._more = said * (_AHEAD // len(said))
        self.sock.setblocking(False)

    @property
    def sent(self) -> int:
        """How many messages were sent."""
        return self._poured // self._each

    def send(self, data: bytes) -> None:
        self._waiting += data

    def refuse(self, call: dict[str, Any]) -> None:
        if self._answers:
            super().refuse(call)

    def pour(self) -> None:
        if len(self._waiting) < _AHEAD:
            self._waiting += self._more
        with suppress(BlockingIOError):
            count = self.sock.send(self._waiting)
            del self._waiting[:count]
            self._poured += count


def upload_flood(target: Target) -> Counter[str]:
    """Upload file after file; every fourth is left half way, every fifth URL is used twice."""
    target.begin()
    data = bytes(_FILE)

    def visit(number: int) -> str:
        client = target.client().ready()
        with client.sock:
            client.send(event(client.ids["upload"]))
            client.answer()
            url = client.shown
        cut = number % 4 == 0
        status = _put(target, url, data, cut=cut)
        if number % 5 == 0 and not cut:
            status += f", then {_put(target, url, data, cut=False)}"
        return status

    return visits(target, visit)


def _put(target: Target, url: str, data: bytes, *, cut: bool) -> str:
    with target.dial() as sock:
        host = urlsplit(target.url).netloc
        head = f"PUT {url} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(data)}\r\n"
        sock.sendall(f"{head}Connection: close\r\n\r\n".encode())
        with suppress(ConnectionError):  # a refusal may come before all was sent
            sock.sendall(data[: len(data) // 2] if cut else data)
        if cut:
            time.sleep(_PAUSE)
            return "left half way"
        return f"status {read_head(sock).split()[1].decode()}"
