"""Every class that flet has, drawn and encoded with each of its fields set."""

from __future__ import annotations

import dataclasses
import os
import warnings
from typing import TYPE_CHECKING, Any

import flet as ft
import pytest
from flet.components.component import Component
from flet.controls.base_control import BaseControl

from flet_anyio.render import by_flet
from flet_anyio.render.encoder import as_sent, first_time
from render.classes import NOT_MADE, NOT_SHOWN, all_controls, all_values, make, other_values
from render.worlds import World, decoded, differences, noting_hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

LONG = bool(os.environ.get("FLET_ANYIO_LONG"))
MADE = [one for one in (*all_controls(), *all_values()) if one.__name__ not in NOT_MADE]
SHOWN = [one for one in all_controls() if one.__name__ not in {**NOT_MADE, **NOT_SHOWN}]

NOT_SET = {
    ("Tooltip", "trigger_mode"),
    ("TooltipTheme", "trigger_mode"),
}
"""Fields for which no value is known."""


@pytest.fixture(autouse=True)
def old_names() -> Iterator[None]:
    """Flet warns of fields that are to go."""
    with warnings.catch_warnings(), noting_hooks():
        warnings.simplefilter("ignore")
        yield


def names_of(kind: Any, *, own: bool = False) -> list[str]:
    # Fields that are not sent may go into what is: the colours of a button into its style.
    names = [one.name for one in dataclasses.fields(kind) if not one.name.startswith("_")]
    names = [name for name in names if name not in ("key", "data", "ref")]
    return (
        [name for name in names if name in vars(kind).get("__annotations__", ())] if own else names
    )


def values_for(kind: Any, name: str) -> list[Any]:
    return [value for value in other_values(kind, name) if value is not None]


def by_name(kind: Any) -> str:
    return f"{kind.__module__.removeprefix('flet.')}.{kind.__name__}"


def test_all_classes_are_covered() -> None:
    assert len(all_controls()) > 150
    assert len(all_values()) > 100
    for kind in MADE:
        make(kind)
    known = {one.__name__ for one in (*all_controls(), *all_values())}
    assert known >= NOT_MADE.keys() | NOT_SHOWN.keys()


def test_all_fields_are_covered() -> None:
    unset = {
        (kind.__name__, name)
        for kind in MADE
        if kind is not Component
        for name in names_of(kind)
        if not values_for(kind, name)
    }
    assert unset == NOT_SET


# --- encoding --------------------------------------------------------------------------------


def filled(kind: Any, which: int) -> Any:
    """An instance with all fields set that take what their type says."""
    owner = make(kind)
    for name in names_of(kind):
        values = values_for(kind, name)
        if values:
            setattr(owner, name, values[which % len(values)])
    return owner


def same_encoding(owner: Any) -> None:
    wanted = decoded(owner)
    assert decoded(owner, first_time) == wanted
    assert decoded(owner, as_sent) == wanted
    assert decoded(owner, by_flet) == wanted


@pytest.mark.parametrize("kind", MADE, ids=by_name)
def test_encoded_as_flet_does(kind: Any) -> None:
    same_encoding(make(kind))
    for which in range(3):
        same_encoding(filled(kind, which))


# --- drawing ---------------------------------------------------------------------------------


class Shown:
    """One control in a page, alone."""

    def __init__(self, kind: Any) -> None:
        self.control = make(kind)
        self.world = World("tracked")
        self.world.page.controls.append(self.control)
        self.world.page.platform = ft.PagePlatform.ANDROID  # some services are for phones
        self.world.begin()
        self.check()

    def set(self, owner: Any, name: str, value: Any) -> bool:
        """Set a field and update. Return False when flet says that it cannot have the value."""
        before = getattr(owner, name)
        setattr(owner, name, value)
        if self.update():
            return True
        setattr(owner, name, before)
        self.update()
        return False

    def update(self) -> bool:
        with self.world.active():
            try:
                self.world.page.update()
            except (ValueError, TypeError, AttributeError, IndexError):
                return False
        self.check()
        return True

    def check(self) -> None:
        held = self.world.client.by_id(self.control._i)
        assert held is not None
        wrong = list(differences(held.fields, self.control, type(self.control).__name__))
        assert not wrong, wrong

    def check_all(self) -> None:
        assert not self.world.wrong()
        assert not self.world.wrong_tree()


@pytest.mark.parametrize("kind", SHOWN, ids=by_name)
def test_each_field_is_told(kind: Any) -> None:
    shown = Shown(kind)
    for name in names_of(kind, own=not LONG):
        before = getattr(shown.control, name)
        for value in values_for(kind, name):
            if shown.set(shown.control, name, value):
                change_in_place(shown, kind, name)
        shown.set(shown.control, name, None)
        shown.set(shown.control, name, before)
    shown.check_all()


def change_in_place(shown: Shown, kind: Any, name: str) -> None:
    value = getattr(shown.control, name)
    others = values_for(kind, name)
    if isinstance(value, list):
        change_list(shown, value, next((one for one in others if one), []))
    elif isinstance(value, dict):
        held = value.copy()
        value.clear()
        shown.update()
        value.update(held)
        shown.update()
    elif dataclasses.is_dataclass(value) and not isinstance(value, BaseControl):
        change_value(shown, value)


def change_list(shown: Shown, value: list[Any], others: Any) -> None:
    if not isinstance(others, list):
        return
    held = value.copy()
    for item in others[:1]:
        value.append(item if isinstance(item, BaseControl) and item not in value else twin(item))
        shown.update()
    value.reverse()
    shown.update()
    value.clear()
    shown.update()
    value[:] = held
    shown.update()


def twin(item: Any) -> Any:
    made = make(type(item)) if dataclasses.is_dataclass(item) else item
    if not isinstance(made, BaseControl) and hasattr(made, "key"):
        made.key = "another"  # Flet takes it for the key of a control.
    return made


def change_value(shown: Shown, value: Any) -> None:
    for name in names_of(type(value)):
        before = getattr(value, name)
        for other in values_for(type(value), name)[: None if LONG else 1]:
            shown.set(value, name, other)
        shown.set(value, name, None)
        shown.set(value, name, before)


def test_structural_fields_that_are_no_lists_are_told() -> None:
    shown = Shown(ft.View)
    for route in ("/one", "/two"):
        assert shown.set(shown.control, "route", route)
    for padding in (1, 2, ft.Padding.all(3), 4, 5, None, 6):
        assert shown.set(shown.control, "padding", padding)
