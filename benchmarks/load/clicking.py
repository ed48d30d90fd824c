"""Clients that click when it is time to, whether they were answered or not."""

from __future__ import annotations

import math
import random
import select
import selectors
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.wire import Client

from .addresses import healthy

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LATE", "Clicks", "Population", "percentile"]

LATE = 5
"""Milliseconds, p99, by which clicks may come late before the load itself is at fault."""

_PATIENCE = 10
"""Seconds that answers are waited for when no more clicks are made."""


@dataclass
class Clicks:
    """What became of the clicks of one stretch of time; all times in milliseconds.

    Attributes:
        took: From when each was due to its answer; endless for those that had none.
        late: From when each was due to when it was made: the fault of the load itself.
        share: Of one core that the clients used.
        seconds: How long it was.
    """

    took: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    share: float = 0
    seconds: float = 0

    def p(self, part: float) -> float:
        return percentile(self.took, part)

    @property
    def lost(self) -> int:
        """How many had no answer."""
        return sum(math.isinf(took) for took in self.took)


class Population:
    """Clients on sessions of their own, driven by one thread.

    Clicks come at random, as those of people who know nothing of each other, and independently of
    the answers: one that has to wait makes no other one wait, and is itself counted from when it
    was due.
    """

    def __init__(self, url: str, number: int) -> None:
        # Made first: select(2) takes no large descriptor.
        self._selector = selectors.EpollSelector()
        self._random = random.Random(number)
        self._clients = [_Clicker(url, n) for n in range(number)]
        for client in self._clients:
            client.sock.setblocking(False)
            self._selector.register(client.sock, selectors.EVENT_READ, client)

    def close(self) -> None:
        for client in self._clients:
            client.sock.close()
        self._selector.close()

    def click(
        self, rate: float, seconds: float, *, goes_on: Callable[[], bool] = lambda: False
    ) -> Clicks:
        """Make so many clicks a second, for a time and for as long as `goes_on()`."""
        clicks = Clicks()
        used, began = time.process_time(), time.perf_counter()
        due, turn, now = began, 0, began
        while now < began + seconds or goes_on():
            due += self._random.expovariate(rate)
            while (now := time.perf_counter()) < due:
                self._hear(due - now, clicks)
            self._clients[turn % len(self._clients)].press(due, clicks)
            turn += 1
            if turn % 16 == 0:
                self._hear(0, clicks)  # also while it is late
        clicks.seconds = time.perf_counter() - began
        clicks.share = (time.process_time() - used) / clicks.seconds
        self._wait_for_the_rest(clicks)
        return clicks

    def _wait_for_the_rest(self, clicks: Clicks) -> None:
        end = time.perf_counter() + _PATIENCE
        while any(client.due for client in self._clients) and time.perf_counter() < end:
            self._hear(0.1, clicks)
        for client in self._clients:
            clicks.took += [math.inf] * len(client.due)
            client.due.clear()

    def _hear(self, seconds: float, clicks: Clicks) -> None:
        if seconds > 0:
            # epoll itself counts in whole milliseconds.
            select.select([self._selector.fileno()], (), (), seconds)
        for key, _ in self._selector.select(0):
            if not key.data.hear(clicks):
                self._selector.unregister(key.data.sock)


class _Clicker(Client):
    """Knows which clicks were answered by the number that its page shows."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(url, source=healthy(number))
        self.ready()
        self.due: deque[float] = deque()
        self._plus = self.click("plus")
        self._seen = 0
        self._gone = False

    def press(self, due: float, clicks: Clicks) -> None:
        clicks.late.append((time.perf_counter() - due) * 1e3)
        if not self._gone:
            try:
                self.sock.sendall(self._plus)
            except OSError:
                self._gone = True
        self.due.append(due)

    def hear(self, clicks: Clicks) -> bool:
        """Read what there is. Return whether there may be more."""
        try:
            self.take()
        except OSError:
            self._gone = True
            return False
        seen, now = int(self.shown or 0), time.perf_counter()
        for _ in range(min(seen - self._seen, len(self.due))):
            clicks.took.append((now - self.due.popleft()) * 1e3)
        self._seen = seen
        return True


def percentile(amounts: list[float], part: float) -> float:
    """The amount that so large a part of all does not exceed."""
    if not amounts:
        return math.nan
    return sorted(amounts)[min(len(amounts) - 1, math.ceil(part * len(amounts)) - 1)]
