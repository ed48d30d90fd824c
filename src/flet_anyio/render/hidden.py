"""Fields that flet keeps out of its marks, although it makes something of them.

A button's `color`, `bgcolor`, `elevation` and `style` are not sent: its hook makes one style of
them, which is. So they are plain attributes, and to find that one was assigned, all four of each
button would have to be looked at for every update: more than all other controls together. The
classes that flet makes so are the one thing in it that is patched here: assigning such a field
notes a change of its control.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from flet.components.component import Component
from flet.controls.base_control import BaseControl

from .marking import Dirty

__all__ = ["NotedField", "note_hidden"]

_COMMON = frozenset(field.name for field in dataclasses.fields(BaseControl))


class NotedField:
    """A field whose assignment is noted, as that of all others is."""

    def __init__(self, name: str, default: Any) -> None:
        self._name = name
        self._default = default

    def __get__(self, control: Any, owner: Any = None) -> Any:
        return self._default if control is None else control.__dict__.get(self._name, self._default)

    def __set__(self, control: Any, value: Any) -> None:
        control.__dict__[self._name] = value
        marks = control.__dict__.get("_dirty")
        if isinstance(marks, Dirty):
            marks.note()


def note_hidden(kind: Any) -> tuple[str, ...]:
    """Have a class of flet's controls note its hidden fields; return their names."""
    if issubclass(kind, Component):
        return ()  # made anew, and never assigned to
    fields = [field for field in dataclasses.fields(kind) if field.metadata.get("skip")]
    hidden = [field for field in fields if field.name not in _COMMON]
    for field in hidden:
        if not any(isinstance(vars(base).get(field.name), NotedField) for base in kind.__mro__):
            setattr(_declaring(kind, field.name), field.name, NotedField(field.name, field.default))
    return tuple(field.name for field in hidden)


def _declaring(kind: Any, name: str) -> Any:
    return next(base for base in kind.__mro__ if name in vars(base).get("__annotations__", ()))
