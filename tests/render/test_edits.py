from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flet_anyio.render.edits import Add, Move, Remove, edits


class Item:
    """Equal to all others: only identity tells them apart."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared by value")

    __hash__ = object.__hash__


def applied(before: list[Any], steps: list[Any]) -> list[Any]:
    now = list(before)
    for step in steps:
        match step:
            case Add(at, item):
                now.insert(at, item)
            case Remove(at, item):
                assert now.pop(at) is item
            case Move(at, to):
                now.insert(to, now.pop(at))
    return now


def same(one: list[Any], other: list[Any]) -> bool:
    return list(map(id, one)) == list(map(id, other))


@given(st.data())
def test_the_steps_lead_from_one_list_to_the_other(data: st.DataObject) -> None:
    items = [Item() for _ in range(12)]
    chosen = st.lists(st.sampled_from(range(12)), unique=True)
    before = [items[place] for place in data.draw(chosen)]
    after = [items[place] for place in data.draw(chosen)]
    steps = edits(before, after)
    assert steps is not None
    assert same(applied(before, steps), after)
    # Nothing is added that could be moved, nothing is moved that is removed.
    assert sum(isinstance(step, Add) for step in steps) == len({*after} - {*before})
    assert sum(isinstance(step, Remove) for step in steps) == len({*before} - {*after})


def test_nothing_is_done_to_the_same_list() -> None:
    items = [Item() for _ in range(5)]
    assert edits(items, list(items)) == []


@pytest.mark.parametrize(("at", "to"), [(0, 99), (99, 0), (5, 90), (90, 5), (5, 6), (6, 5)])
def test_one_that_moves_is_moved_alone(at: int, to: int) -> None:
    before = [Item() for _ in range(100)]
    after = list(before)
    after.insert(to, after.pop(at))
    steps = edits(before, after)
    assert steps is not None
    assert len(steps) == 1
    assert same(applied(before, steps), after)


def test_as_few_as_can_be_are_moved() -> None:
    before = [Item() for _ in range(10)]
    after = [*before[5:], *before[:2], *before[3:5], before[2]]
    steps = edits(before, after)
    assert steps is not None
    assert len(steps) == 5
    assert same(applied(before, steps), after)


def test_an_item_that_is_there_twice_is_left_to_others() -> None:
    one, other = Item(), Item()
    assert edits([one], [other, other]) is None
