from __future__ import annotations

import copy
import gc
import weakref
from typing import TYPE_CHECKING, Any

import flet as ft
import pytest

from flet_anyio.render.marking import Changes, NotedList
from flet_anyio.render.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable

    from flet.controls.base_control import BaseControl


def followed(*controls: BaseControl) -> Tracker:
    """A tracker that follows these, and has noted nothing yet."""
    tracker = Tracker(weakref.WeakValueDictionary({one._i: one for one in controls}))
    for control in controls:
        tracker.follow(control)
    tracker.scan()
    tracker.changes.clear()
    return tracker


def noted(tracker: Tracker) -> list[int]:
    tracker.scan()
    return list(tracker.changes)


CHANGES: dict[str, Callable[[list[Any]], Any]] = {
    "append": lambda items: items.append(3),
    "extend": lambda items: items.extend([3]),
    "insert": lambda items: items.insert(0, 3),
    "pop": lambda items: items.pop(),
    "remove": lambda items: items.remove(1),
    "clear": lambda items: items.clear(),
    "sort": lambda items: items.sort(reverse=True),
    "reverse": lambda items: items.reverse(),
    "set": lambda items: items.__setitem__(0, 3),
    "slice": lambda items: items.__setitem__(slice(0, 1), [3, 4]),
    "del": lambda items: items.__delitem__(0),
    "+=": lambda items: items.__iadd__([3]),
    "*=": lambda items: items.__imul__(2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_list_notes_each_way_to_change_it(change: str) -> None:
    changes = Changes({})
    items, plain = NotedList([1, 2], changes, 7), [1, 2]
    CHANGES[change](items)
    CHANGES[change](plain)
    assert items == plain
    assert list(changes) == [7]


def test_every_method_that_changes_lists_is_tried() -> None:
    reads = {"copy", "count", "index"}
    changing = {name for name in vars(list) if not name.startswith("_")} - reads
    assert changing <= CHANGES.keys()


def test_a_list_that_only_its_control_knows_notes_its_changes() -> None:
    row = ft.Row([ft.Text("a")])
    tracker = followed(row)
    assert isinstance(row.controls, NotedList)
    row.controls.append(ft.Text("b"))
    assert list(tracker.changes) == [row._i]


def test_one_that_the_app_holds_stays_as_it_is_and_is_watched() -> None:
    items: list[ft.Control] = [ft.Text("a")]
    row = ft.Row(items)
    tracker = followed(row)
    assert row.controls is items
    assert noted(tracker) == []
    items[0] = ft.Text("a")
    assert noted(tracker) == [row._i]


def test_assigning_what_flet_does_not_mark_is_found() -> None:
    row = ft.Row([ft.Text("a")])
    tracker = followed(row)
    row.controls = list(row.controls)
    assert noted(tracker) == [row._i]


def test_values_in_a_control_are_its_own() -> None:
    text = ft.Text("a", style=ft.TextStyle(size=1))
    tracker = followed(text)
    assert text.style is not None
    text.style.size = 2
    assert list(tracker.changes) == [text._i]


def test_a_value_of_several_controls_is_noted_for_each() -> None:
    style = ft.TextStyle(size=1)
    one, other = ft.Text("a", style=style), ft.Text("b", style=style)
    tracker = followed(one, other)
    style.size = 2
    assert sorted(tracker.changes) == sorted([one._i, other._i])
    assert tracker.changes.shared == {one._i: {id(style)}, other._i: {id(style)}}


def test_a_value_of_many_sessions_forgets_those_that_are_over() -> None:
    style = ft.TextStyle(size=1)
    for _ in range(100):
        text = ft.Text("a", style=style)
        tracker = followed(text)
        del text, tracker
        gc.collect(1)  # they are young, and all else there is takes its time
    assert len(style._dirty._owners) < 20  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["color", "bgcolor", "elevation", "style"])
def test_what_flet_does_not_send_of_a_button_itself_is_noted(name: str) -> None:
    button = ft.Button("a")
    tracker = followed(button)
    setattr(button, name, {"style": ft.ButtonStyle(), "elevation": 3}.get(name, "red"))
    assert noted(tracker) == [button._i]


def test_dicts_are_watched() -> None:
    button = ft.Button("a", style=ft.ButtonStyle(color={ft.ControlState.HOVERED: "red"}))
    tracker = followed(button)
    assert noted(tracker) == []
    assert button.style is not None
    assert isinstance(button.style.color, dict)
    button.style.color[ft.ControlState.HOVERED] = "blue"
    assert noted(tracker) == [button._i]


def test_copies_belong_to_no_page() -> None:
    row = ft.Row([ft.Text("a")], spacing=1)
    tracker = followed(row)
    for made in (copy.copy(row.controls), copy.deepcopy(row.controls), row.controls.copy()):
        assert type(made) is list
    twin = copy.deepcopy(row)
    twin.spacing = 2
    twin.controls.append(ft.Text("b"))
    assert noted(tracker) == []


def test_what_was_forgotten_leaves_nothing() -> None:
    row = ft.Row([ft.Text("a")])
    tracker = followed(row)
    tracker.forget(row._i)
    parts = [getattr(tracker, name) for name in tracker.__slots__]
    columns = [value for value in parts if isinstance(value, dict)]
    assert columns
    assert not any(columns)


def test_no_control_is_kept_alive() -> None:
    row: ft.Row | None = ft.Row([ft.Text("a")])
    assert row is not None
    tracker = followed(row)
    gone = weakref.ref(row)
    del row
    gc.collect()
    assert gone() is None
    assert noted(tracker) == []
