"""Flet's bookkeeping on classes and objects, as the engine reads it: fails when flet changes it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import flet as ft
import pytest
from flet.controls import object_patch
from flet.controls.base_control import BaseControl
from flet.controls.object_patch import DiffBuilder
from flet.controls.page import ServiceRegistry

from flet_anyio.render.shapes import DICT, ENUM, LIST, PLAIN, Plan, plan_of, shape_of


@ft.control("Own")
class Own(ft.Container):  # type: ignore[type-var]
    """An app's own class, with a hook."""

    def before_update(self) -> None:
        super().before_update()


@ft.control("Tame")
class Tame(ft.Container):  # type: ignore[type-var]
    """An app's own class, without."""


@dataclass
class Data:
    """An app's own data."""

    items: list[int]


def test_shapes() -> None:
    assert shape_of(int) is PLAIN
    assert shape_of(type(None)) is PLAIN
    assert shape_of(list) is LIST
    assert shape_of(dict) is DICT
    assert shape_of(ft.TextAlign) is ENUM
    assert isinstance(shape_of(ft.TextStyle), Plan)


def test_what_flet_marks_and_what_it_does_not() -> None:
    row = plan_of(ft.Row())
    assert row.control
    assert row.sparse
    assert row.apart == ("controls",)
    assert "spacing" in row.defaults
    assert "on_scroll" in row.events
    style = plan_of(ft.TextStyle())
    assert style.sparse
    assert not style.control
    data = plan_of(Data([]))
    assert not data.sparse
    assert data.apart == ("items",)


def test_values_and_marks_are_where_flet_keeps_them() -> None:
    text = ft.Text("a")
    assert text._values == {"value": "a"}
    assert text._dirty == {}
    text.value = "b"
    assert text._dirty == {"value": None}
    style = ft.TextStyle(size=1)
    style.size = 2
    assert style._dirty == {"size": None}  # type: ignore[attr-defined]


def test_hooks() -> None:
    assert plan_of(Own()).unruly
    assert not plan_of(Tame()).unruly
    assert plan_of(ft.Button("x")).looks_below
    assert plan_of(ft.Text()).hooked
    assert not plan_of(ft.Text()).looks_below


def test_what_is_hidden() -> None:
    assert plan_of(ft.Button("x")).hidden == ("color", "bgcolor", "elevation", "style")
    assert plan_of(ft.FilledButton("x")).hidden == ("color", "bgcolor", "elevation", "style")
    assert plan_of(ft.IconButton("x")).hidden == ("bgcolor", "mouse_cursor", "visual_density")
    assert plan_of(ft.Text()).hidden == ()
    assert (ft.Button.bgcolor, ft.Button.elevation) == (None, 1)


def test_the_registry_of_services_is_remade() -> None:
    assert plan_of(ServiceRegistry()).remade == ("_services",)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_compare_values", ["parent", "path", "key", "src", "dst", "frozen"]),
        ("_compare_lists", ["parent", "path", "src", "dst", "frozen"]),
        ("_compare_dicts", ["parent", "path", "src", "dst", "frozen"]),
        ("_compare_dataclasses", ["parent", "path", "src", "dst", "frozen"]),
        ("_item_replaced", ["path", "key", "item"]),
        ("_dataclass_added", ["item", "parent", "frozen"]),
        ("_dataclass_removed", ["item"]),
        ("insert", ["op"]),
        ("execute", []),
        ("get_added_controls", []),
        ("get_removed_controls", []),
        ("teardown", []),
    ],
)
def test_what_is_used_of_flets_differ(name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(DiffBuilder, name)).parameters) == ["self", *parameters]


def test_where_flets_differ_keeps_what_came_and_went() -> None:
    differ = DiffBuilder(None, None, control_cls=BaseControl)
    assert differ._added_dataclasses == differ._removed_dataclasses == {}


def test_how_flet_marks_the_fields_of_data() -> None:
    source = inspect.getsource(object_patch._control_setattr)
    assert '"__changes"' in source
