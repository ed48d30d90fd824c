"""A server that is attacked while others click on it."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Self
from urllib.request import urlopen

from benchmarks.load.addresses import healthy
from benchmarks.load.attacking import attacking
from benchmarks.servers import serving
from benchmarks.wire import Client

from programs import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.servers import Server

__all__ = ["Besieged", "besieged"]

_LIMITS = {"register_timeout": 2, "write_timeout": 1, "silence_timeout": 5}
_CLIENTS = 3
_PAUSE = 0.02
_LOOKS = 5


class Besieged:
    """One server, and what it holds when nobody is there."""

    def __init__(self, server: Server, log: Path) -> None:
        self._server = server
        self._log = log
        with _Other(server.url, 0) as first:  # it brings what then stays for all
            first.click_once()
        eventually(lambda: self._holds()["sessions"] == 0)
        self._idle = self._holds()

    def attacked(self, name: str, number: int, seconds: float, most: int | None) -> dict[str, int]:
        """Have it attacked while others click. Return what became of the attackers' doings."""
        url = self._server.url
        with attacking(name, url, number, seconds, most=most) as attackers, ExitStack() as stack:
            others = [stack.enter_context(_Other(url, number)) for number in range(_CLIENTS)]
            attackers.begin()
            while not attackers.over(_PAUSE):
                _each_clicks(others)
            _each_clicks([*others, stack.enter_context(_Other(url, _CLIENTS))])
            return attackers.counts()

    def left_over(self) -> dict[str, int]:
        """What it holds more than at first, when sessions without a client have ended."""
        holds = self._holds()
        return {what: count for what, count in holds.items() if count > self._idle[what]}

    def _holds(self) -> dict[str, int]:
        # What answers is counted, too, and some of that goes a little later.
        self._get("/-/end")
        looks = [self._look() for _ in range(_LOOKS)]
        return {what: min(look[what] for look in looks) for what in looks[0]}

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _look(self) -> dict[str, int]:
        state: dict[str, int] = json.loads(self._get("/-/state"))
        return state | {"sockets": self._server.sockets()}

    def _get(self, path: str) -> bytes:
        with urlopen(f"http://127.0.0.1:{self._server.port}{path}", timeout=30) as answer:
            body: bytes = answer.read()
            return body


class _Other(Client):
    """Somebody who uses the app, and attacks nobody."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(url, source=healthy(number))
        self._clicks = 0
        self.ready()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def click_once(self) -> None:
        """Click, and see that the app has counted it, once."""
        self.send(self.click("plus"))
        self.answer()
        self._clicks += 1
        assert self.shown == str(self._clicks)


def _each_clicks(others: list[_Other]) -> None:
    for other in others:
        other.click_once()


@contextmanager
def besieged(kind: str, folder: Path) -> Iterator[Besieged]:
    """Serve the app that is attacked."""
    log, uploads = folder / "log", str(folder / "uploads")
    with (
        log.open("w") as lines,
        serving(kind, "load", log=lines, limits=_LIMITS, upload_dir=uploads) as server,
    ):
        # Other tests may run on the core that a benchmark would have for itself.
        os.sched_setaffinity(server.pid, os.sched_getaffinity(0))
        yield Besieged(server, log)
