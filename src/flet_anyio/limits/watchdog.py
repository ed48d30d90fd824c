"""Drops connections on which nothing is heard for too long: one task for all of a server."""

from __future__ import annotations

import heapq
import logging
import math
from contextlib import nullcontext
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

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
        self._due: list[_Watched] = []
        self._sooner = anyio.Event()

    def watching(self, link: Link, ask: Callable[[], bool]) -> AbstractContextManager[None]:
        """Watch a connection for as long as the block runs.

        `ask` is called to have the client say something. It returns False when there is nothing
        to ask yet.
        """
        timeout = link.limits.silence_timeout
        return nullcontext() if timeout is None else _Watched(self, link, ask, timeout / 2)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._sooner = anyio.Event()
            while self._due and self._due[0].over:
                heapq.heappop(self._due)
            with anyio.CancelScope(deadline=self._due[0].due if self._due else math.inf):
                await self._sooner.wait()
            while self._due and self._due[0].due <= anyio.current_time():
                one = heapq.heappop(self._due)
                if one.look():
                    self.look_later(one)

    def look_later(self, one: _Watched) -> None:
        """Look at a connection after its pause."""
        one.due = anyio.current_time() + one.pause
        if not self._due or one < self._due[0]:
            self._sooner.set()
        heapq.heappush(self._due, one)

    def look_no_more(self, one: _Watched) -> None:
        """A connection is over. Its place in the line goes when its time has come."""
        if self._due and self._due[0] is one:
            self._sooner.set()  # nothing is due then any more


class _Watched:
    """One connection, and what it had last been seen to do."""

    __slots__ = ("_ask", "_asked", "_link", "_seen", "_watchdog", "due", "over", "pause")

    def __init__(
        self, watchdog: Watchdog, link: Link, ask: Callable[[], bool], pause: float
    ) -> None:
        self.pause = pause
        self.due = math.inf
        self.over = False
        self._watchdog = watchdog
        self._link = link
        self._ask = ask
        self._asked = False
        self._seen = link.activity

    def __lt__(self, other: _Watched) -> bool:
        return self.due < other.due

    def __enter__(self) -> None:
        self._watchdog.look_later(self)

    def __exit__(self, *_: object) -> None:
        self.over = True
        del self._link, self._ask  # this stays in the line for a while, and they are not to
        self._watchdog.look_no_more(self)

    def look(self) -> bool:
        """Look at it, and do what is due. Return whether to look again."""
        if self.over:
            return False
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
