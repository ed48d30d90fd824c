"""The fewest steps from one list of controls to another, told by identity."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import compress, count
from operator import is_not
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Add", "Edit", "Move", "Remove", "edits"]


@dataclass(frozen=True, slots=True)
class Add:
    """Insert an item, which was not in the list."""

    at: int
    item: Any


@dataclass(frozen=True, slots=True)
class Remove:
    """Take an item out."""

    at: int
    item: Any


@dataclass(frozen=True, slots=True)
class Move:
    """Take an item out and insert it where `to` is then."""

    at: int
    to: int


Edit: TypeAlias = Add | Remove | Move


def edits(before: list[Any], after: list[Any]) -> list[Edit] | None:
    """Return what turns `before` into `after`, each step in the list that the last one left.

    Costs what was changed, beyond a look at the ends that are the same. None if an item is twice
    in what was changed.
    """
    start = _same_from(before, after)
    end = _same_from(reversed(before), reversed(after))
    end = min(end, len(before) - start, len(after) - start)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if (moved := _one_moved(old, new)) is not None:
        return [Move(start + moved.at, start + moved.to)]
    held, wanted = set(map(id, old)), set(map(id, new))
    if len(held) != len(old) or len(wanted) != len(new):
        return None
    steps: list[Edit] = [
        Remove(start + place, old[place])
        for place in range(len(old) - 1, -1, -1)
        if id(old[place]) not in wanted
    ]
    left = [item for item in old if id(item) in wanted]
    return steps + _arrange(left, new, start, held)


def _one_moved(old: list[Any], new: list[Any]) -> Move | None:
    """The commonest change of all orders, found without sorting."""
    last = len(old) - 1
    if len(old) != len(new) or last < 1:
        return None
    if old[0] is new[last] and _same_from(old[1:], new) == last:
        return Move(0, last)
    if old[last] is new[0] and _same_from(old, new[1:]) == last:
        return Move(last, 0)
    return None


def _arrange(left: list[Any], new: list[Any], start: int, held: set[int]) -> list[Edit]:
    """Move and add, until what is left of the old list is the new one."""
    steps: list[Edit] = []
    staying = _staying(left, new)
    work = [id(item) for item in left]
    for place, item in enumerate(new):
        if id(item) in staying:
            continue
        # All before this place is as it is to be, but for those that are yet to move away.
        if id(item) in held:
            at = work.index(id(item))
            del work[at]
            to = _place_after(work, new, place)
            work.insert(to, id(item))
            if at != to:
                steps.append(Move(start + at, start + to))
        else:
            to = _place_after(work, new, place)
            work.insert(to, id(item))
            steps.append(Add(start + to, item))
    return steps


def _place_after(work: list[int], new: list[Any], place: int) -> int:
    """Behind the item that comes before it in the new list."""
    if place == 0:
        return 0
    before = id(new[place - 1])
    # Near where it will be in the end, or, with many still to move, somewhere else.
    return place if work[place - 1 : place] == [before] else work.index(before) + 1


def _staying(left: list[Any], new: list[Any]) -> set[int]:
    """The ids of as many items as can stay where they are: the longest rising sequence."""
    places = {id(item): place for place, item in enumerate(new)}
    wanted = [places[id(item)] for item in left]
    tails: list[int] = []  # of sequences by length: the lowest last place
    ends: list[int] = []  # and where in `wanted` that is
    previous: list[int] = []
    for at, place in enumerate(wanted):
        length = bisect_left(tails, place)
        tails[length : length + 1] = [place]
        ends[length : length + 1] = [at]
        previous.append(ends[length - 1] if length else -1)
    staying = set()
    at = ends[-1] if ends else -1
    while at >= 0:
        staying.add(id(left[at]))
        at = previous[at]
    return staying


def _same_from(before: Iterable[Any], after: Iterable[Any]) -> int:
    """How many items are the same from the start on, up to the shorter one's length."""
    before, after = list(before), list(after)
    shorter = min(len(before), len(after))
    return next(compress(count(), map(is_not, before, after)), shorter)
