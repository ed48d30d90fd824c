"""What `compare` finds, applied as the client applies it, gives the other page."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

import pytest

from flet_anyio.render import compare
from flet_anyio.testing.model import PageModel


class Pages:
    """Random pages, and random changes of them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.ids = itertools.count(10)

    def page(self) -> dict[str, Any]:
        views = [self.control(depth=3, kind="View") for _ in range(self.rng.randint(0, 2))]
        return {"_c": "Page", "_i": 1, "views": views, "title": "first", "window": {"_i": 2}}

    def control(self, depth: int, kind: str = "Box") -> dict[str, Any]:
        rng = self.rng
        fields: dict[str, Any] = {"_c": kind, "_i": next(self.ids), "value": rng.randint(0, 3)}
        if rng.random() < 0.3:
            fields["padding"] = {"left": rng.randint(0, 2), "top": rng.randint(0, 2)}
        if rng.random() < 0.3:
            fields["points"] = [rng.randint(0, 5) for _ in range(rng.randint(0, 3))]
        if depth and rng.random() < 0.8:
            fields["controls"] = [self.control(depth - 1) for _ in range(rng.randint(0, 5))]
        if depth and rng.random() < 0.4:
            fields["content"] = self.control(depth - 1)
        return fields

    def change(self, fields: dict[str, Any], loose: list[dict[str, Any]]) -> None:
        """Change a control and those in it; `loose` holds what was taken out elsewhere."""
        rng = self.rng
        for name in ("value", "padding", "points"):
            if rng.random() < 0.2:
                fields[name] = rng.choice([None, rng.randint(4, 9), [], {"left": 9}])
            elif rng.random() < 0.1:
                fields.pop(name, None)
        if rng.random() < 0.2:
            fields["content"] = loose.pop() if loose and rng.random() < 0.5 else self.control(1)
        for name in ("controls", "views"):
            if name in fields:
                self.change_list(fields[name], loose)
        for child in [*fields.get("controls", ()), *fields.get("views", ())]:
            self.change(child, loose)

    def change_list(self, controls: list[dict[str, Any]], loose: list[dict[str, Any]]) -> None:
        rng = self.rng
        if controls and rng.random() < 0.4:
            loose.append(controls.pop(rng.randrange(len(controls))))
        if rng.random() < 0.3:
            rng.shuffle(controls)
        if loose and rng.random() < 0.4:
            controls.insert(rng.randint(0, len(controls)), loose.pop())
        if rng.random() < 0.4:
            controls.insert(rng.randint(0, len(controls)), self.control(1))


def plain(value: Any) -> Any:
    """A page with what says nothing left out: None is what a control does not say."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items() if one is not None}
    return [plain(one) for one in value] if isinstance(value, list) else value


def applied(before: dict[str, Any], patch: list[Any]) -> dict[str, Any]:
    model = PageModel()
    model.root = copy.deepcopy(before)
    assert model.apply(1, copy.deepcopy(patch))
    return model.root


@pytest.mark.parametrize("seed", range(300))
def test_random_changes(seed: int) -> None:
    pages = Pages(seed)
    before = pages.page()
    after = copy.deepcopy(before)
    for _ in range(pages.rng.randint(1, 4)):
        pages.change(after, [])
    assert plain(applied(before, compare(before, after))) == plain(after)


def test_the_same_page_needs_nothing() -> None:
    page = Pages(1).page()
    assert compare(page, copy.deepcopy(page)) == [[0]]


def row(*ids: int) -> dict[str, Any]:
    return {"_i": 1, "_c": "Page", "controls": [{"_i": i, "_c": "Text"} for i in ids]}


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ((1, 2, 3), (1, 2, 3, 4), [1]),
        ((1, 2, 3), (2, 3), [2]),
        ((1, 2, 3), (3, 1, 2), [3]),
        ((1, 2, 3), (4, 5), [2, 2, 2, 1, 1]),
        ((1,), (), [2]),
    ],
)
def test_a_list_is_changed_with_as_little_as_it_takes(
    before: tuple[int, ...], after: tuple[int, ...], kinds: list[int]
) -> None:
    patch = compare(row(*before), row(*after))
    assert [operation[0] for operation in patch[1:]] == kinds
    assert applied(row(*before), patch) == row(*after)


def test_a_list_that_was_empty_is_replaced_as_the_client_may_not_have_it() -> None:
    patch = compare(row(), row(1))
    without: dict[str, Any] = {"_i": 1, "_c": "Page"}
    assert applied(row(), patch) == applied(without, patch) == row(1)


def test_a_control_that_stays_is_never_sent_again() -> None:
    before, after = row(10, 11, 12), row(12, 13, 10, 11)
    after["controls"][0]["value"] = "changed"
    patch = compare(before, after)
    added = [operation[3]["_i"] for operation in patch[1:] if operation[0] == 1]
    assert added == [13]


def test_what_is_no_list_of_controls_is_replaced() -> None:
    before = {"_i": 1, "tags": ["a", {"_i": 5}], "twins": [{"_i": 6}, {"_i": 6}]}
    after = {"_i": 1, "tags": ["b", {"_i": 5}], "twins": [{"_i": 6}]}
    patch = compare(before, after)
    assert sorted(operation[:3] for operation in patch[1:]) == [[0, 0, "tags"], [0, 0, "twins"]]
