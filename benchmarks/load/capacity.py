"""How much one server holds: sessions that do nothing, and clicks."""

from __future__ import annotations

import math
import selectors
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.wire import Client

from .addresses import visitor
from .clicking import LATE, Clicks, Population, percentile

if TYPE_CHECKING:
    from benchmarks.servers import Server

__all__ = ["Held", "Rate", "clicks_per_second", "sessions_held"]

ROOM = 350 * 1024 * 1024
"""Bytes within which sessions are to be held."""
MOST = 6_000
IN_TIME = 100
"""Milliseconds within which 99 of 100 clicks are to be answered."""

_STEP = 250
_WARM = 20
_CLIENTS = 200
_TRY_OUT = 200
_TRIES = 8
_BUSY = 0.9


@dataclass
class Held:
    """Sessions within ROOM, what they took, and whether there was room for more."""

    sessions: int
    mebibytes: float
    kilobytes_each: float
    more: bool = False


@dataclass
class Rate:
    """The most clicks per second in time, with what they were like.

    Attributes:
        server: The share of its core that the server used.
        load: The share of its core that the clients used.
        late: Milliseconds, p99, that the clients clicked late.
    """

    rate: float = 0
    p50: float = 0
    p99: float = 0
    server: float = 0
    load: float = 0
    late: float = 0

    @property
    def is_the_loads(self) -> bool:
        """Whether the load was the bottleneck, and the server might have done more."""
        return self.load > _BUSY or self.late > LATE


def sessions_held(server: Server, *, deflate: bool = False, most: int = MOST) -> Held:
    """Open sessions until the server's memory is used up. For one that served nobody yet."""
    kept: list[Client] = []
    before = held = 0
    with selectors.EpollSelector() as selector:
        while len(kept) < most:
            for _ in range(_STEP if kept else _WARM):
                source = visitor(len(kept))
                client = Client(server.url, deflate=deflate, source=source).ready()
                kept.append(client)
                selector.register(client.sock, selectors.EVENT_READ, client)
            _answer(selector)
            before, held = held, server.memory()
            if held >= ROOM:
                break
            if len(kept) == _WARM:
                first = held
        each = (held - first) / (len(kept) - _WARM)
        over = max(0, held - ROOM)
        sessions = len(kept) - round(over / ((held - before) / _STEP)) if over else len(kept)
        for client in kept:
            client.sock.close()
    return Held(sessions, min(held, ROOM) / 1024**2, each / 1024, more=held < ROOM)


def _answer(selector: selectors.BaseSelector) -> None:
    """Say that one is there, to a server that asks."""
    while ready := selector.select(0.1):
        for key, _ in ready:
            key.data.take()


def clicks_per_second(server: Server, seconds: float, *, clients: int = _CLIENTS) -> Rate:
    """Search for the highest rate of clicks of which 99 in 100 are answered in IN_TIME."""
    population = Population(server.url, clients)
    try:
        population.click(_TRY_OUT, 1)
        best = _tried(server, population, _TRY_OUT, 1)
        # As if each click cost the same. Waking up for each costs more than the next one of many.
        low, high, rate = 0.0, math.inf, _TRY_OUT / best.server
        for _ in range(_TRIES):
            tried = _tried(server, population, rate, seconds)
            if tried.p99 < IN_TIME:
                low, best = rate, tried
            else:
                high = rate
            rate = min(2 * rate, (low + high) / 2)
        return best
    finally:
        population.close()


def _tried(server: Server, population: Population, rate: float, seconds: float) -> Rate:
    used = server.cpu()
    clicks: Clicks = population.click(rate, seconds)
    # What was late is worked off after the time: the share may be more than all of it.
    share = (server.cpu() - used) / clicks.seconds
    made = len(clicks.took) / clicks.seconds
    late = percentile(clicks.late, 0.99)
    return Rate(made, clicks.p(0.5), clicks.p(0.99), share, clicks.share, late)
