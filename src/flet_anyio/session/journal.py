"""The last updates sent to a client, to give it those that it missed. No I/O, no clock.

Every update has a number. The client keeps the number of the last one that it applied, with the
epoch of the drawing they belong to, as properties of its `Window`, and reports both when it
registers. So its first message after a drop says exactly which updates it lacks.

An update may take several frames: those that are not rooted at the page cannot carry their own
number, and are followed by it. If one of those does more than replace values, so that applying
it twice would do harm, a frame before it says that it has begun.
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass
from typing import Any

__all__ = ["APPLIED", "BEGUN", "EPOCH", "Journal", "Position"]

EPOCH = "e"
APPLIED = "n"
BEGUN = "m"


@dataclass(frozen=True, slots=True)
class Position:
    """What a client that registers has of a page."""

    epoch: Any = None
    applied: Any = None
    begun: Any = None

    @classmethod
    def take(cls, window: dict[str, Any]) -> Position:
        """Take the marks out of the window's properties: nothing else is to see them."""
        return cls(*(window.pop(mark, None) for mark in (EPOCH, APPLIED, BEGUN)))

    @property
    def live(self) -> bool:
        """Whether the client still shows a page, of whatever epoch; else it was just loaded."""
        return self.epoch is not None


class Journal:
    """The updates of one drawing. Keeps the newest ones, up to `limit` bytes."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._kept: deque[tuple[int, list[bytes]]] = deque()
        self._bytes = 0
        self._from = 0
        self.epoch = ""
        self.number = 0

    def begin(self) -> dict[str, Any]:
        """Start a new drawing; return the marks that the client is to keep with it."""
        self.epoch = secrets.token_hex(8)
        self._drop_all()
        return {EPOCH: self.epoch, APPLIED: self.number}

    def next(self) -> int:
        """The number of the next update."""
        self.number += 1
        return self.number

    def keep(self, frames: list[bytes]) -> None:
        """Keep the frames of the update numbered last."""
        self._kept.append((self.number, frames))
        self._bytes += sum(map(len, frames))
        while self._kept and self._limit is not None and self._bytes > self._limit:
            dropped, gone = self._kept.popleft()
            self._bytes -= sum(map(len, gone))
            self._from = dropped

    def settle(self) -> None:
        """Nothing before the update numbered last can be given again from now on."""
        self._drop_all()

    def missed(self, position: Position) -> list[bytes] | None:
        """The frames a client lacks, or None when they cannot bring it up to date.

        That is when it shows another drawing, misses more than is kept, or has begun an update
        of which nobody knows whether it ended.
        """
        applied, begun = position.applied, position.begun
        if position.epoch != self.epoch or type(applied) not in (int, float):
            return None
        if not self._from <= applied <= self.number:
            return None
        if type(begun) in (int, float) and begun > applied:
            return None
        return [frame for number, frames in self._kept if number > applied for frame in frames]

    def _drop_all(self) -> None:
        self._kept.clear()
        self._bytes = 0
        self._from = self.number
