"""The updates that a client has not confirmed yet, to give it those that it missed.

No I/O, no clock. Every update has a number. The client keeps the number of the last one that it
applied, with the epoch of the drawing they belong to, as properties of its `Window`, and reports
both when it registers. So its first message after a drop says exactly which updates it lacks.

An update of the page carries its number. One of another control cannot. If it only replaces
values, it may be applied twice without harm, and goes without: a client that comes back may be
given it again. After some of these, or else, its number follows in a frame of its own; and if it
does more than replace values, a frame before it says that it has begun.

Now and then the client is asked for a receipt: a call that every client answers, after it has
applied all that was sent before. What it has is dropped here. While too much lacks a receipt the
journal is full, and takes no more: the client is too slow, or away.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

__all__ = ["APPLIED", "BEGUN", "EPOCH", "Journal", "Position"]

EPOCH = "e"
APPLIED = "n"
BEGUN = "m"
_ASK_AFTER = 64 * 1024
"""Bytes after which a receipt is asked for; less, where the journal takes less."""
_MOST_UNMARKED = 64
"""How many updates in a row may go without their number. More would be more to give again."""


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
    """The unconfirmed updates of one drawing. Full when they hold `limit` bytes or more."""

    __slots__ = (
        "_bytes",
        "_confirmed",
        "_from",
        "_kept",
        "_limit",
        "_unasked",
        "_unmarked",
        "epoch",
        "number",
    )

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._kept: list[tuple[int, list[bytes]]] = []
        self._bytes = 0
        self._unasked = 0
        self._from = 0
        self._confirmed = 0
        self._unmarked = 0
        self.epoch = ""
        self.number = 0

    @property
    def empty(self) -> bool:
        """Whether the client has confirmed all updates."""
        return not self._kept

    @property
    def full(self) -> bool:
        """Whether updates should wait for a receipt."""
        return self._limit is not None and self._bytes >= self._limit

    @property
    def overfull(self) -> tuple[int, int] | None:
        """How much is kept, and twice the limit, when it has reached that: then nothing may be
        forced in any more."""
        if self._limit is None or self._bytes < 2 * self._limit:
            return None
        return self._bytes, 2 * self._limit

    @property
    def half_empty(self) -> bool:
        """Whether it is worth while to go on after the journal was full."""
        return self._limit is None or self._bytes * 2 <= self._limit

    def begin(self) -> dict[str, Any]:
        """Start a new drawing; return the marks that the client is to keep with it."""
        self.epoch = secrets.token_hex(8)
        self.settle()
        return {EPOCH: self.epoch, APPLIED: self.number}

    def next(self) -> int:
        """The number of the next update."""
        self.number += 1
        return self.number

    def keep(self, frames: list[bytes]) -> None:
        """Keep the frames of the update numbered last."""
        self._kept.append((self.number, frames))
        size = sum(map(len, frames))
        self._bytes += size
        self._unasked += size

    def leave_unmarked(self) -> bool:
        """Whether the next update may go without its number, if it can be given again."""
        self._unmarked += 1
        return self._unmarked <= _MOST_UNMARKED

    def marked(self) -> None:
        """The next update carries its number."""
        self._unmarked = 0

    def settle(self) -> None:
        """Nothing before the update numbered last can be given again from now on."""
        self._kept.clear()
        self._bytes = self._unasked = 0
        self._from = self._confirmed = self.number
        self._unmarked = 0

    def missed(self, position: Position) -> list[bytes] | None:
        """The frames a client lacks, or None when they cannot bring it up to date.

        That is when it shows another drawing, or has begun an update of which nobody knows
        whether it ended.
        """
        applied, begun = position.applied, position.begun
        if position.epoch != self.epoch or type(applied) not in (int, float):
            return None
        if not self._from <= applied <= self.number:
            return None
        if type(begun) in (int, float) and begun > applied:
            return None
        # It may have confirmed more than it has the number of.
        self._drop(max(applied, self._confirmed))
        self._unasked = self._bytes
        return [frame for _, frames in self._kept for frame in frames]

    # --- receipts -----------------------------------------------------------------------------

    def due(self) -> str | None:
        """The name of the receipt to ask for now, or None: it is not time yet."""
        enough = _ASK_AFTER if self._limit is None else min(_ASK_AFTER, self._limit)
        return self.ask() if self._unasked >= enough else None

    def ask(self) -> str | None:
        """The name of a receipt for all that was sent so far, or None: there is none to ask for."""
        self._unasked = 0
        return f"{self.epoch}:{self.number}" if self._kept else None

    def confirm(self, receipt: str) -> bool:
        """The client answered for a receipt. Return False when it is none of this drawing's."""
        epoch, _, number = receipt.partition(":")
        if not epoch or epoch != self.epoch or not number.isdecimal() or len(number) > 20:
            return False
        if self._from <= int(number) <= self.number:
            self._drop(int(number))
        return True

    def _drop(self, applied: float) -> None:
        confirmed = 0
        while confirmed < len(self._kept) and self._kept[confirmed][0] <= applied:
            self._confirmed, frames = self._kept[confirmed]
            self._bytes -= sum(map(len, frames))
            confirmed += 1
        del self._kept[:confirmed]
