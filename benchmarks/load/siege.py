"""Clients that click, first in peace, and then while others attack their server."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.request import urlopen

from benchmarks.wire import Client

from .addresses import healthy
from .attacking import attacking
from .clicking import Clicks, Population, percentile

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.servers import Server

    from .attacks import Attack

__all__ = ["Measured", "Siege", "bound"]

CLIENTS = 20
CLICKS = 10
"""Clicks per second of each."""

_RATE = CLIENTS * CLICKS
_FORGIVEN = 5
_RECOVERY = 15
_PREPARATION = 60
_LOOK = 0.1
_IDLE = 0.05


@dataclass
class Measured:
    """How the clients fared in one stretch of time; times of clicks in milliseconds.

    Attributes:
        lost: Clicks that had no answer.
        server: The share of its core that the server used.
        load: The share of its core that the clients and the attackers used.
        late: Of 100 clicks 99 were made at most so late: the fault of the load itself.
        memory: MiB by which the server grew, at most.
        back: Seconds until all connections of the attackers were gone.
        left: Connections that stayed for good.
        alive: Whether the server serves a new client.
        tracebacks: In the server's log.
        lines: Of the server's log.
        seconds: How long it was.
        counts: What became of the attackers' doings.
    """

    p50: float = math.nan
    p99: float = math.nan
    lost: int = 0
    server: float = 0
    load: float = 0
    late: float = 0
    memory: float = 0
    back: float = 0
    left: int = 0
    alive: bool = True
    tracebacks: int = 0
    lines: int = 0
    seconds: float = 0
    counts: dict[str, int] = field(default_factory=dict)

    def holds(self, quiet: Measured) -> bool:
        """Whether the clients fared about as well as in peace."""
        return self.alive and not self.lost and self.p99 <= bound(quiet)


def bound(quiet: Measured) -> float:
    """Milliseconds that 99 in 100 clicks may take under attack."""
    return 2 * quiet.p99 + _FORGIVEN


class Siege:
    """One server, those who use it, and its log."""

    def __init__(self, server: Server, log: Path) -> None:
        self._server = server
        self._log = log
        self._healthy = Population(server.url, CLIENTS)
        self._healthy.click(_RATE, 1)  # nothing is made for the first time later

    def close(self) -> None:
        self._healthy.close()

    def quiet(self, seconds: float) -> Measured:
        """Measure in peace."""
        work = _Work(self._server)
        return _measured(self._healthy.click(_RATE, seconds), work)

    def attacked(self, attack: Attack, seconds: float) -> Measured:
        """Measure while an attack goes on; then wait until it is over for the server, too."""
        server = self._server
        sockets, memory, logged = server.sockets(), server.memory(), self._log.stat().st_size
        server.forget_most_memory()
        with attacking(attack.name, server.url, attack.number, seconds) as attackers:
            work = _Work(server)
            attackers.begin()
            clicks = self._healthy.click(
                _RATE, min(1, seconds), goes_on=lambda: not attackers.over(0)
            )
            measured = _measured(clicks, work)
            measured.counts = attackers.counts()
        measured.load += attackers.cpu / clicks.seconds
        measured.memory = (server.most_memory() - memory) / 1024**2
        self._recover(measured, sockets)
        text = self._log.read_text(errors="replace")[logged:]
        measured.tracebacks, measured.lines = text.count("Traceback ("), text.count("\n")
        if measured.lost:
            self._healthy.close()
            self._healthy = Population(server.url, CLIENTS)
        return measured

    def _recover(self, measured: Measured, sockets: int) -> None:
        began = time.monotonic()
        while (left := self._server.sockets() - sockets) > 0:
            if time.monotonic() > began + _RECOVERY:
                break
            time.sleep(_LOOK)
        measured.back, measured.left = time.monotonic() - began, max(0, left)
        measured.alive = self._serves()
        with suppress(OSError):  # upstream keeps them: its app has no such route
            urlopen(f"http://127.0.0.1:{self._server.port}/-/end", timeout=_RECOVERY).close()
        self._until_idle()

    def _serves(self) -> bool:
        try:
            client = Client(self._server.url, source=healthy(CLIENTS)).ready()
            with client.sock:
                client.send(client.click("plus"))
                client.answer()
        except (OSError, RuntimeError):
            return False
        return True

    def _until_idle(self) -> None:
        end = time.monotonic() + _RECOVERY
        share = 1.0
        while share > _IDLE and time.monotonic() < end:
            work = _Work(self._server)
            time.sleep(_LOOK)
            share = work.share()


class _Work:
    """How much a server works from now on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._used, self._began = server.cpu(), time.monotonic()

    def share(self) -> float:
        """The share of its core that it used."""
        return (self._server.cpu() - self._used) / (time.monotonic() - self._began)


def _measured(clicks: Clicks, work: _Work) -> Measured:
    return Measured(
        p50=clicks.p(0.5),
        p99=clicks.p(0.99),
        lost=clicks.lost,
        server=work.share(),
        load=clicks.share,
        late=percentile(clicks.late, 0.99),
        seconds=clicks.seconds,
    )
