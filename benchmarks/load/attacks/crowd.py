"""What attacks are made of: many connections at once, and visits again and again."""

from __future__ import annotations

import select
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from benchmarks.load.addresses import ATTACKER
from benchmarks.websocket import Goodbye, dial, handshake, read_head
from benchmarks.wire import Client, registration

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

__all__ = ["Crowd", "Target", "outcome", "visits"]

_AT_LEAST = 0.05
"""Seconds that a socket is waited for, also when the time is over."""


def _nothing() -> None:
    pass


@dataclass
class Target:
    """Whom to attack, how long, and by how many; `ready` is called before the attack begins.

    With `most`, visitors come so often in all, and each who floods stops after so many messages.
    """

    url: str
    number: int
    seconds: float
    most: int | None = None
    source: str = ATTACKER
    ready: Callable[[], None] = _nothing
    end: float = 0

    def begin(self) -> None:
        """The preparations are over: from now on time counts."""
        self.ready()
        self.end = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds until the attack is over; before it begins, more than it may take."""
        return max(0, self.end - time.monotonic()) if self.end else 30

    @property
    def patience(self) -> float:
        """Seconds to wait for a socket."""
        return max(_AT_LEAST, self.left)

    def client(self, route: str = "/attack", *, deflate: bool = False, token: str = "") -> Client:
        """Connect, and register."""
        sock = self.dial()
        try:
            sock.sendall(handshake(self.url, deflate=deflate))
            return Client.on(sock, read_head(sock), registration(route, token=token))
        except BaseException:
            sock.close()
            raise

    def dial(self, *, buffer: int = 0) -> socket.socket:
        """Connect, and say nothing yet."""
        return dial(self.url, source=self.source, buffer=buffer, timeout=self.patience)


class Crowd:
    """Many connections, which are closed with it. What becomes of them is counted."""

    def __init__(self, target: Target) -> None:
        self.counts: Counter[str] = Counter()
        self._target = target
        self._socks: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Close all of them."""
        while self._socks:
            self._socks.pop().close()

    def held(self, seconds: float) -> int:
        """Wait so long for the server to end all of them. Return how many it still holds.

        Nothing is read for that.
        """
        held = {sock.fileno() for sock in self._socks}
        poll = select.poll()
        for descriptor in held:
            poll.register(descriptor, select.POLLRDHUP)
        end = time.monotonic() + seconds
        while held and (over := poll.poll(max(0, end - time.monotonic()) * 1e3)):
            for descriptor, _ in over:
                poll.unregister(descriptor)
                held.remove(descriptor)
        return len(held)

    def listen(self, clients: Iterable[Client]) -> None:
        """Count what the server has told each by now."""
        for client in clients:
            client.sock.setblocking(False)
            self.counts[outcome(client)] += 1

    def connect(self, number: int, *, buffer: int = 0) -> list[socket.socket]:
        """Connect all at once."""
        made = []
        for _ in range(number):
            with suppress(OSError):
                made.append(self._target.dial(buffer=buffer))
        self.counts["not even connected"] += number - len(made)
        self._socks += made
        return made

    def shake_hands(
        self, number: int, *, deflate: bool = False, buffer: int = 0
    ) -> list[tuple[socket.socket, bytes]]:
        """Open so many WebSockets at once. Return them, with the answers to their handshakes."""
        socks = self.connect(number, buffer=buffer)
        request = handshake(self._target.url, deflate=deflate)
        self.each(socks, lambda sock: sock.sendall(request))
        opened: list[tuple[socket.socket, bytes]] = []
        self.each(socks, lambda sock: opened.append((sock, read_head(sock))))
        return opened

    def register(
        self, opened: Iterable[tuple[socket.socket, bytes]], requests: Iterable[bytes]
    ) -> list[Client]:
        """Register those whose handshake was answered."""
        made: list[Client] = []
        for (sock, head), request in zip(opened, requests, strict=False):
            try:
                made.append(Client.on(sock, head, request))
            except OSError:
                self.counts["refused"] += 1
        return made

    def each(
        self, socks: Iterable[socket.socket], act: Callable[[socket.socket], object], does: str = ""
    ) -> None:
        """Do something with each. Who fails is counted, and left where it is."""
        for sock in socks:
            if self._does(sock, lambda sock=sock: act(sock)) and does:  # type: ignore[misc]
                self.counts[does] += 1

    def each_client(
        self, clients: Iterable[Client], act: Callable[[Client], object], does: str = ""
    ) -> list[Client]:
        """Do something with each client. Return those that it went well with."""
        return [c for c in clients if self._client_does(c, act, does)]

    def _client_does(self, client: Client, act: Callable[[Client], object], does: str) -> bool:
        done = self._does(client.sock, lambda: act(client))
        if done and does:
            self.counts[does] += 1
        return done

    def _does(self, sock: socket.socket, act: Callable[[], object]) -> bool:
        try:
            sock.settimeout(self._target.patience)
            act()
        except TimeoutError:
            self.counts["not answered in time"] += 1
        except Goodbye as goodbye:
            self.counts[f"closed with {goodbye.code}"] += 1
        except (OSError, RuntimeError):
            self.counts["refused"] += 1
        else:
            return True
        return False


def visits(target: Target, visit: Callable[[int], str]) -> Counter[str]:
    """Have `number` visitors come again and again, until time is over, or `most` times in all.

    `visit` gets the number of the visit, and returns what became of it.
    """
    counts: Counter[str] = Counter()
    lock = threading.Lock()
    begun = 0

    def come() -> None:
        nonlocal begun
        while target.left:
            with lock:
                if begun == target.most:
                    return
                number, begun = begun, begun + 1
            what = _tried(visit, number)
            with lock:
                counts[what] += 1

    visitors = [threading.Thread(target=come) for _ in range(target.number)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return counts


def _tried(visit: Callable[[int], str], number: int) -> str:
    try:
        return visit(number)
    except TimeoutError:
        return "not answered in time"
    except Goodbye as goodbye:
        return f"closed with {goodbye.code}"
    except (OSError, RuntimeError) as error:
        status = str(error).split("\r\n")[0]
        return f"refused: {status}" if status.startswith("HTTP/") else "cut"


def outcome(client: Client) -> str:
    """What becomes of a connection on which nothing more is said."""
    try:
        while True:
            client.take()
    except (TimeoutError, BlockingIOError):
        return "left open"
    except Goodbye as goodbye:
        return f"closed with {goodbye.code}"
    except OSError:
        return "cut"
