"""Every class of controls and of values that flet has, and values for each of their fields."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import importlib
import inspect
import pkgutil
import sys
import types
import typing
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

import flet
import flet as ft
from flet.controls.base_control import BaseControl

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MADE_CONTROLS",
    "NOT_MADE",
    "NOT_SHOWN",
    "all_controls",
    "all_values",
    "make",
    "other_values",
]

_WITHOUT_MODULES = ("flet.testing", "flet.pubsub", "flet.auth", "flet.security", "flet.fastapi")

NOT_MADE = {
    "ActionControl": "has only subclasses",
    "AdaptiveControl": "has only subclasses",
    "FormFieldControl": "has only subclasses",
    "InputBorder": "has only subclasses",
    "LayoutControl": "has only subclasses",
    "Page": "is made by its session",
    "ScrollableControl": "has only subclasses",
}
"""Classes of which nobody makes an instance, and why."""

NOT_SHOWN = {
    "BasePage": "is a page",
    "Component": "is made by its renderer",
    "Dialogs": "is in each page",
    "MultiView": "is a page",
    "Overlay": "is in each page",
    "ServiceRegistry": "is in each page",
    "Window": "is in each page",
}
"""Classes of controls that are not put into pages by apps, and why."""


@cache
def _load_all() -> None:
    for module in pkgutil.walk_packages(flet.__path__, "flet."):
        if module.name.startswith(_WITHOUT_MODULES) or module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except (ImportError, OSError, RuntimeError, AttributeError):
            continue  # of another platform, or of an optional package


def _below(kind: type) -> list[type]:
    subclasses: list[type] = kind.__subclasses__()
    return [one for sub in subclasses for one in (sub, *_below(sub))]


@cache
def all_controls() -> list[type]:
    """The classes of controls that have a name on the client."""
    _load_all()
    found = {one for one in _below(BaseControl) if one.__module__.startswith("flet.")}
    return sorted((one for one in found if _is_named(one)), key=_name)


def _is_named(kind: type) -> bool:
    # `control` was applied to the class itself.
    return "__control_meta__" in vars(kind) and not inspect.isabstract(kind)


@cache
def all_values() -> list[type]:
    """The classes of values, such as `TextStyle`."""
    kinds = {one for one in _names().values() if isinstance(one, type)}
    return sorted((one for one in kinds if "_is_flet_value" in vars(one)), key=_name)


@cache
def _names() -> dict[str, Any]:
    """What flet's annotations may name, also what is imported for type checkers only."""
    _load_all()
    found: dict[str, Any] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("flet."):
            found.update({n: one for n, one in vars(module).items() if isinstance(one, type)})
    return {**found, **vars(ft)}


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _resolved(hint: Any, names: dict[str, Any]) -> Any:
    if isinstance(hint, typing.ForwardRef):
        hint = hint.__forward_arg__
    return _resolved(eval(hint, names), names) if isinstance(hint, str) else hint


def make(kind: Any, depth: int = 0) -> Any:
    """Make a control or a value with no more than it needs.

    Raises:
        TypeError, ValueError: It cannot be made so.
    """
    given = {}
    if kind in _NEEDS:
        given = {name: one() for name, one in _NEEDS[kind].items()}
    for field in dataclasses.fields(kind):
        if _is_needed(field) and field.name not in given:
            values = other_values(kind, field.name, depth)
            if not values:
                raise TypeError(f"{kind.__name__}.{field.name}")
            given[field.name] = values[0]
    return kind(**given)


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.init and field.default is missing and field.default_factory is missing


_NEEDS: dict[Any, dict[str, Callable[[], Any]]] = {
    ft.Button: {"content": lambda: "press"},
    ft.CupertinoActionSheet: {"title": lambda: ft.Text("title")},
    ft.CupertinoAlertDialog: {"title": lambda: ft.Text("title")},
    ft.CupertinoButton: {"content": lambda: "press"},
    ft.AlertDialog: {"title": lambda: ft.Text("title")},
    ft.CupertinoNavigationBar: {"destinations": lambda: _two(ft.NavigationBarDestination)},
    ft.CupertinoSegmentedButton: {"controls": lambda: _two(ft.Text)},
    ft.CupertinoSlidingSegmentedButton: {"controls": lambda: _two(ft.Text)},
    ft.DataRow: {"cells": lambda: [ft.DataCell(ft.Text("cell"))]},
    ft.DropdownOption: {"key": lambda: "one"},
    ft.FloatingActionButton: {"content": lambda: "press"},
    ft.MenuBar: {"controls": lambda: _two(ft.Text)},
    ft.NavigationBar: {"destinations": lambda: _two(ft.NavigationBarDestination)},
    ft.Segment: {"value": lambda: "one", "label": lambda: "label"},
    ft.SegmentedButton: {
        "segments": lambda: [ft.Segment(value="one", label="label")],
        "selected": lambda: ["one"],
    },
    ft.Shimmer: {
        "content": lambda: ft.Text("content"),
        "base_color": lambda: "red",
        "highlight_color": lambda: "blue",
    },
    ft.Tab: {"label": lambda: "label"},
    ft.TabBar: {"tabs": lambda: [ft.Tab("one"), ft.Tab("two")]},
    ft.dropdownm2.Option: {"key": lambda: "one"},
    **{
        kind: {"content": lambda: "press"}
        for kind in (ft.FilledButton, ft.FilledTonalButton, ft.OutlinedButton, ft.TextButton)
    },
}
"""What some classes cannot be without, beyond what they have no default for."""


def _two(kind: Any) -> list[Any]:
    if kind is ft.NavigationBarDestination:
        return [kind(icon=ft.Icons.ADD), kind(icon=ft.Icons.REMOVE)]
    return [kind("one"), kind("two")]


_INSTEAD: dict[type, type] = {
    ft.InputBorder: ft.OutlineInputBorder,
    ft.ShapeBorder: ft.StadiumBorder,
}
"""Classes that only have subclasses made of them."""


def other_values(kind: Any, name: str, depth: int = 0) -> list[Any]:
    """Some values that a field may have by its type. None among them when it may be None."""
    field = next(one for one in dataclasses.fields(kind) if one.name == name)
    modules = [vars(importlib.import_module(base.__module__)) for base in reversed(kind.__mro__)]
    names = {**_names(), **{name: one for module in modules for name, one in module.items()}}
    return _values(field.type, names, depth)


_SCALARS: dict[Any, list[Any]] = {
    str: ["one", "two"],
    int: [1, 2],
    float: [0.5, 1.0],
    bool: [True, False],
    bytes: [b"one", b"two"],
    datetime.datetime: [datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC)],
    datetime.date: [datetime.date(2026, 1, 2)],
    datetime.time: [datetime.time(3, 4)],
}


def _values(hint: Any, names: dict[str, Any], depth: int) -> list[Any]:
    hint = _resolved(hint, names)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is type(None):
        return [None]
    if hint in _SCALARS:
        return list(_SCALARS[hint])
    if isinstance(hint, typing.TypeVar):
        return ["one"]
    if origin is typing.Annotated:
        return _values(inner[0], names, depth)
    if origin in (typing.Union, types.UnionType):
        return [value for one in inner for value in _values(one, names, depth)]
    if origin is typing.Literal:
        return list(inner)
    if origin in (list, collections.abc.Sequence):
        return [_values(inner[0], names, depth + 1)[:1], []]
    if origin is tuple:
        return []
    if origin is dict:
        values = _values(inner[1], names, depth + 1)[:1]
        return [dict(zip(_values(inner[0], names, depth + 1), values, strict=False)), {}]
    if origin is collections.abc.Callable:
        return [_handler]
    return _of_class(hint, depth) if isinstance(hint, type) else []


def _handler(*args: Any) -> None:
    """What is set for any event."""


def _of_class(kind: type, depth: int) -> list[Any]:
    if kind is ft.IconData:
        return [ft.Icons.ADD, ft.CupertinoIcons.ADD]
    if issubclass(kind, Enum):
        return list(kind)[:2]
    if kind in (ft.Control, BaseControl) or inspect.isabstract(kind):
        return [ft.Text("a control"), ft.Container()]
    if not dataclasses.is_dataclass(kind) or depth > 3:
        return []
    if issubclass(kind, BaseControl) and not _is_named(kind):
        subs = [one for one in _below(kind) if one in all_controls()]
        return [make(subs[0], depth + 1)] if subs else []
    if kind in _INSTEAD:
        kind = _INSTEAD[kind]
    try:
        return [make(kind, depth + 1)]
    except (TypeError, ValueError):
        return []


MADE_CONTROLS = [one for one in all_controls() if one.__name__ not in NOT_MADE]
"""The classes of controls that instances are made of."""
