"""Fields that flet does not mark: assigning them is noted here.

Flet marks the assignment of most fields, and looks at the others of all controls in every update:
the lists of rows and columns, and what it makes by a factory; and what it does not send itself, as
a button's colors, of which its hook makes a style. To look at those of each control, even in C,
cost 30 ns a control and more with buttons: on a large page more than all the rest of a click. So
these fields get a descriptor, as flet gives one to all others. It is the one thing in flet's
classes that is patched here.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from flet.components.component import Component
from flet.controls.base_control import BaseControl

from .marking import Dirty, SharedDirty

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NotedField", "hidden_fields", "note_fields"]

_COMMON = frozenset(field.name for field in dataclasses.fields(BaseControl))
_NONE: Any = object()


class NotedField:
    """A field that is kept where it was, and whose assignment is noted."""

    def __init__(self, name: str, default: Any) -> None:
        self._name = name
        self._default = default

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        value = self._default if owner is None else owner.__dict__.get(self._name, self._default)
        if value is _NONE:
            # As if nothing were here: dataclasses look for defaults so.
            raise AttributeError(self._name)
        return value

    def __set__(self, owner: Any, value: Any) -> None:
        owner.__dict__[self._name] = value
        marks = owner.__dict__.get("_dirty")
        if isinstance(marks, Dirty | SharedDirty):
            marks[self._name] = None


def note_fields(kind: Any, names: Iterable[str]) -> None:
    """Have the assignment of these fields noted, for a class and all that inherit them from it."""
    for name in names:
        if not any(isinstance(vars(base).get(name), NotedField) for base in kind.__mro__):
            declaring = next(b for b in kind.__mro__ if name in vars(b).get("__annotations__", ()))
            setattr(declaring, name, NotedField(name, vars(declaring).get(name, _NONE)))


def hidden_fields(kind: Any) -> tuple[str, ...]:
    """The fields of a control that are not sent, and of which its hook may make what is."""
    if issubclass(kind, Component):
        return ()  # made anew, and never assigned to
    fields = (field for field in dataclasses.fields(kind) if field.metadata.get("skip"))
    return tuple(field.name for field in fields if field.name not in _COMMON)
