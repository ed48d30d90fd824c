"""Drops connections on which nothing is heard for too long: one task for all of a server."""

from __future__ import annotations

import heapq
import logging
import math
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..link import Link

__all__ = ["Watchdog"]

logger = logging.getLogger(__name__)


class Watchdog:
    """Looks at each connection when half of its `Limits.silence_timeout` is over.

    If nothing was heard from the client by then, it is asked for a sign of life; if nothing comes
    in the other half, its connection is dropped. A client whose message waits for room in its
    session for as long is dropped, too: that it has gone, or the answer that a handler waits for,
    may be what nobody reads.

    A task for each connection would do the same, and would cost as much memory as all else that
    an idle connection needs of us.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._watched: dict[int, _Watched] = {}
        self._due: list[tuple[float, int]] = []
        self._sooner = anyio.Event()

    def watching(self, link: Link, ask: Callable[[], bool]) -> AbstractContextManager[None]:
        """Watch a connection for as long as the block runs.

        `ask` is called to have the client say something. It returns False when there is nothing
        to ask yet.
        """
        if link.limits.silence_timeout is None:
            return nullcontext()
        return _Watched(self, link, ask)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._sooner = anyio.Event()
            while self._due and self._due[0][1] not in self._watched:
                heapq.heappop(self._due)
            with anyio.CancelScope(deadline=self._due[0][0] if self._due else math.inf):
                await self._sooner.wait()
            while self._due and self._due[0][0] <= anyio.current_time():
                _, number = heapq.heappop(self._due)
                if number in self._watched and self._watched[number].look():
                    self._look_later(number)

    def add(self, one: _Watched) -> int:
        """Look at a connection from now on. Return its number."""
        number = next(self._numbers)
        self._watched[number] = one
        self._look_later(number)
        return number

    def remove(self, number: int) -> None:
        """Look at a connection no more."""
        del self._watched[number]
        if self._due and self._due[0][1] == number:
            self._sooner.set()  # nothing is due then any more

    def _look_later(self, number: int) -> None:
        due = anyio.current_time() + self._watched[number].pause
        if not self._due or due < self._due[0][0]:
            self._sooner.set()
        heapq.heappush(self._due, (due, number))


class _Watched(AbstractContextManager[None]):
    """One connection, and what it had last been seen to do."""

    __slots__ = ("_ask", "_asked", "_link", "_number", "_seen", "_watchdog")

    def __init__(self, watchdog: Watchdog, link: Link, ask: Callable[[], bool]) -> None:
        self._watchdog = watchdog
        self._link = link
        self._ask = ask
        self._asked = False
        self._seen = link.activity
        self._number = -1

    def __enter__(self) -> None:
        self._number = self._watchdog.add(self)

    def __exit__(self, *_: object) -> None:
        self._watchdog.remove(self._number)

    @property
    def pause(self) -> float:
        """Seconds after which it is to be looked at."""
        return (self._link.limits.silence_timeout or math.inf) / 2

    def look(self) -> bool:
        """Look at it, and do what is due. Return whether to look again."""
        try:
            return self._look()
        except Exception:
            # Supervised: what goes wrong with one connection is not to end all others.
            logger.exception("connection %s: watching it failed", self._link.label)
            self._link.drop("it could not be watched")
            return False

    def _look(self) -> bool:
        link = self._link
        if link.activity != self._seen or link.writing:
            self._seen, self._asked = link.activity, False
            return True
        if self._asked:
            why = "the client was silent" if link.reading else "a message of the client waited"
            link.drop(f"{why} for {2 * self.pause} s", "silence_timeout")
            return False
        # Of one whose message waits there is nothing to ask.
        self._asked = not link.reading or self._ask()
        return True
