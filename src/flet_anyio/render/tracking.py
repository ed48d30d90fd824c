"""Noting changes where they are made, so that nobody has to search for them.

Flet marks each property that is set in the `_dirty` of its control or value object. The dicts
that stand there for mounted controls also note whose mark it is. Lists have no marks: one that
only its control knows is replaced by one that notes each change; others, and dicts, are looked
at. What is reassigned without a mark, as flet's structural fields are, is found by one scan over
the fields where that can happen; it compares by identity and runs in C.

No mark is lost when threads change controls while the page is drawn: a mark is taken before the
value it stands for is read.
"""

from __future__ import annotations

import weakref
from itertools import count
from operator import is_
from sys import getrefcount
from typing import TYPE_CHECKING, Any

from flet.controls.object_patch import _control_setattr

from .marking import Changes, Dirty, NotedList, Owner, SharedDirty
from .shapes import DICT, ENUM, LIST, PLAIN, SENT, Plan, plan_of, shape_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from flet.controls.base_control import BaseControl

__all__ = [
    "CHANGED_FIELDS",
    "Changes",
    "Dirty",
    "NotedList",
    "SharedDirty",
    "Tracker",
    "same_items",
]

CHANGED_FIELDS = "__changes"
"""Where flet marks the fields of a dataclass that is neither a control nor a value object."""


def same_items(one: Collection[Any], other: Collection[Any]) -> bool:
    """Whether both hold the very same objects in the same order."""
    return len(one) == len(other) and all(map(is_, one, other))


def _references_to_nothing_else() -> int:
    held: list[Any] = []
    return getrefcount(held)


_ALONE = _references_to_nothing_else()
"""What `getrefcount` says of a list that only a local variable holds."""


class Tracker:
    """What has changed in the controls of one page. `mounted` finds these by their id."""

    def __init__(self, mounted: Mapping[int, Any]) -> None:
        self.changes = Changes(mounted)
        self._always: dict[int, None] = {}
        self._watches: dict[int, list[int]] = {}
        self._numbers = count()
        # One column each for whose field it is, its name, and what was in it. The namespaces of
        # objects and not these, as flet ends services that nobody else refers to.
        self._namespaces: dict[int, dict[str, Any]] = {}
        self._names: dict[int, str] = {}
        self._held: dict[int, Any] = {}
        self._homes: dict[int, int] = {}
        self._loose: dict[int, tuple[Any, Any]] = {}
        self._remade: dict[int, tuple[dict[str, Any], str]] = {}

    def is_mounted(self, item: Any) -> bool:
        """Whether this very control is in the page already."""
        return self.changes.holds(item)

    def scan(self) -> None:
        """Note what was changed without a mark."""
        now = map(dict.get, self._namespaces.values(), self._names.values())
        if not all(map(is_, now, self._held.values())):
            self._note_reassigned()
        for number, (value, before) in self._loose.items():
            if not _same_content(value, before):
                self.changes[self._homes[number]] = None
        for number, (namespace, name) in self._remade.items():
            sent = namespace.get(SENT) or {}
            if not same_items(namespace[name], sent.get(name, ())):
                self.changes[self._homes[number]] = None
        if self._always:
            self.changes.update(self._always)

    def _note_reassigned(self) -> None:
        for number, held in self._held.items():
            namespace, name = self._namespaces[number], self._names[number]
            if namespace.get(name) is not held:
                self.changes[self._homes[number]] = None

    def follow(self, control: BaseControl) -> None:
        """Note the changes of a control, and of the values in it, from now on."""
        owner = control._i
        self.forget(owner)
        plan = plan_of(control)
        if plan.unruly:
            self._always[owner] = None
        self._follow(control, plan, owner)

    def forget(self, control_id: int) -> None:
        """The control has left the page, or is to be followed anew."""
        self._always.pop(control_id, None)
        for number in self._watches.pop(control_id, ()):
            del self._homes[number]
            for column in (self._namespaces, self._names, self._held, self._loose, self._remade):
                column.pop(number, None)

    def _follow(self, value: Any, plan: Plan, owner: int) -> None:
        self._take_marks(value, plan, owner)
        if plan.sparse:
            values = value._values
            for name in list(values):
                self._follow_field(values, name, owner)
        if plan.apart or plan.remade or plan.hidden:
            self._follow_apart(value.__dict__, plan, owner)
        if plan.foreign and plan.control:
            self._watch_content(value._internals, owner)

    def _follow_apart(self, namespace: dict[str, Any], plan: Plan, owner: int) -> None:
        for name in plan.hidden:
            self._follow_field(namespace, name, owner)
        for name in plan.apart:
            self._follow_field(namespace, name, owner)
            if not _may_change_unmarked(namespace.get(name), plan):
                continue
            number = self._number(owner)
            self._namespaces[number] = namespace
            self._names[number] = name
            self._held[number] = namespace.get(name)
        for name in plan.remade:
            # It is not held here: flet ends services that nobody else refers to.
            self._remade[self._number(owner)] = namespace, name

    def _follow_field(self, fields: dict[str, Any], name: str, owner: int) -> None:
        # The list itself is held nowhere here, not even by a variable: see `_noted`.
        noted = self._noted(fields, name, owner) if _is_list(fields.get(name)) else None
        if noted is not None:
            self._follow_items(noted, owner)
        else:
            self._follow_item(fields.get(name), owner)

    def _follow_item(self, value: Any, owner: int) -> None:
        shape = shape_of(type(value))
        if shape is PLAIN or shape is ENUM:
            return
        if shape is LIST:
            self._watch_content(value, owner)
            self._follow_items(value, owner)
        elif shape is DICT:
            self._watch_content(value, owner)
            self._follow_items(value.values(), owner)
        elif isinstance(shape, Plan) and not shape.control and not hasattr(value, "_frozen"):
            self._follow(value, shape, owner)

    def _follow_items(self, items: Collection[Any], owner: int) -> None:
        if any(map(_has_content, set(map(type, items)))):
            for item in list(items):
                self._follow_item(item, owner)

    def _noted(self, holder: dict[str, Any], name: str, owner: int) -> NotedList | None:
        """Have the list there note its changes. None if somebody else may change it, too."""
        held = holder[name]
        if isinstance(held, NotedList):
            return held if held.is_of(self.changes, owner) else None
        if type(held) is not list:
            return None
        noted = NotedList(held, self.changes, owner)
        holder[name] = noted
        # Only now: whoever gets at it from here on gets at the one that notes changes.
        if getrefcount(held) > _ALONE:
            holder[name] = held
            return None
        return noted

    def _watch_content(self, value: Any, owner: int) -> None:
        self._loose[self._number(owner)] = value, value.copy()

    def _number(self, owner: int) -> int:
        number = next(self._numbers)
        self._watches.setdefault(owner, []).append(number)
        self._homes[number] = owner
        return number

    def _take_marks(self, value: Any, plan: Plan, owner: int) -> None:
        if not plan.sparse:
            self._take_plain_marks(value, owner)
            return
        marks = value._dirty
        if isinstance(marks, Dirty):
            if marks.is_of(self.changes, owner):
                return
            if not plan.control:
                value._dirty = SharedDirty(value, [*marks.owners, self._owner(owner)])
                return
        elif isinstance(marks, SharedDirty):
            marks.add(self._owner(owner))
            return
        value._dirty = Dirty(self.changes, owner, marks.items())

    def _take_plain_marks(self, value: Any, owner: int) -> None:
        kind: Any = type(value)
        if kind.__setattr__ is not _control_setattr:
            kind.__setattr__ = _control_setattr
        marks = getattr(value, CHANGED_FIELDS, {})
        object.__setattr__(value, CHANGED_FIELDS, Dirty(self.changes, owner, marks.items()))

    def _owner(self, control_id: int) -> Owner:
        return weakref.ref(self.changes), control_id


def _may_change_unmarked(value: Any, plan: Plan) -> bool:
    """Whether a field that holds this may get another value of which there is to be told.

    Flet looks at those that hold more than a plain value, and marks the others in an app's own
    dataclasses.
    """
    shape = shape_of(type(value))
    return shape not in (PLAIN, ENUM) or (value is None and plan.sparse)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _has_content(kind: type) -> bool:
    shape = shape_of(kind)
    return shape in (LIST, DICT) or (isinstance(shape, Plan) and not shape.control)


def _same_content(value: Any, before: Any) -> bool:
    if isinstance(value, dict):
        return value.keys() == before.keys() and same_items(value.values(), before.values())
    return same_items(value, before)
