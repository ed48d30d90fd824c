"""Noting changes where they are made, so that nobody has to search for them.

Flet marks each property that is set in the `_dirty` of its control or value object. The dicts
that stand there for mounted controls also note whose mark it is; the assignment of fields that
flet does not mark is noted in the same way. A list that only its control knows is replaced by one
that notes each change. What cannot be noted is looked at for each update, by identity: lists that
the app holds as well, dicts, and what is in an app's own dataclasses.

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

__all__ = ["CHANGED_FIELDS", "Tracker", "same_content"]

CHANGED_FIELDS = "__changes"
"""Where flet marks the fields of a dataclass that is neither a control nor a value object."""


def same_content(one: Any, other: Any) -> bool:
    """Whether two lists, or two dicts, hold the very same objects in the same order."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and _same_items(one.values(), other.values())
    return _same_items(one, other)


def _references_to_nothing_else() -> int:
    held: list[Any] = []
    return getrefcount(held)


_ALONE = _references_to_nothing_else()
"""What `getrefcount` says of a list that only a local variable holds."""


class Tracker:
    """What has changed in the controls of one page. `mounted` finds these by their id."""

    __slots__ = ("_always", "_homes", "_loose", "_numbers", "_unmarked", "_watches", "changes")

    def __init__(self, mounted: Mapping[int, Any]) -> None:
        self.changes = Changes(mounted)
        self._always: dict[int, None] = {}
        self._watches: dict[int, list[int]] = {}
        self._numbers = count()
        self._homes: dict[int, int] = {}
        self._loose: dict[int, tuple[Any, Any]] = {}
        self._unmarked: dict[int, tuple[dict[str, Any], str]] = {}

    def is_mounted(self, item: Any) -> bool:
        """Whether this very control is in the page already."""
        return self.changes.holds(item)

    def is_known(self, control_id: int) -> bool:
        """Whether a control with this id is in the page already."""
        return self.changes.is_mounted(control_id)

    def scan(self) -> None:
        """Note what was changed without a mark."""
        for number, (value, before) in self._loose.items():
            if not same_content(value, before):
                self.changes[self._homes[number]] = None
        for number, (namespace, name) in self._unmarked.items():
            sent = (namespace.get(SENT) or {}).get(name)
            if not _same_value(namespace.get(name), sent):
                self.changes[self._homes[number]] = None
        if self._always:
            self.changes.update(self._always)

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
            self._loose.pop(number, None)
            self._unmarked.pop(number, None)

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
        for name in (*plan.apart, *plan.hidden):
            self._follow_field(namespace, name, owner)
        for name in plan.remade if plan.sparse else plan.apart:
            # Neither it nor its object is held here: flet ends services that nobody else holds.
            self._unmarked[self._number(owner)] = namespace, name

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


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _has_content(kind: type) -> bool:
    shape = shape_of(kind)
    return shape in (LIST, DICT) or (isinstance(shape, Plan) and not shape.control)


def _same_value(value: Any, sent: Any) -> bool:
    """Whether a field holds what was sent of it, if that is more than a plain value."""
    if isinstance(value, dict):
        return same_content(value, sent if isinstance(sent, dict) else {})
    if isinstance(value, list):
        return same_content(value, sent if isinstance(sent, list) else [])
    return value is sent or (sent is None and shape_of(type(value)) in (PLAIN, ENUM))


def _same_items(one: Collection[Any], other: Collection[Any]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))
