"""From the controls that changed to the operations that change the client's page.

Flet's differ walks all controls. This one looks at those it is told of, and at their values, and
leaves alone the controls below: each of these is looked at for itself. What it leaves to flet's
differ, whose class it extends, are trees that are made anew for each drawing, as components do,
lists and dicts of values, and the bookkeeping of operations.
"""

from __future__ import annotations

import weakref
from enum import Enum
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from flet.controls.base_control import BaseControl
from flet.controls.object_patch import (
    AddOperation,
    DiffBuilder,
    MoveOperation,
    RemoveOperation,
    get_control_key,
)

from .edits import Add, Edit, Move, Remove, edits
from .marking import SharedDirty
from .shapes import DICT, LIST, SENT, Plan, plan_of, shape_of
from .tracking import CHANGED_FIELDS, same_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    from .tracking import Tracker

__all__ = ["Differ"]

_NOT_SENT: Any = object()


class Differ(DiffBuilder):
    """One update.

    Nothing is final before `keep`: until then `undo` takes it all back, but for what hooks did.

    Args:
        before, after: What paths are relative to.
        tracker: Follows the controls that come into the page.
    """

    def __init__(self, before: Any, after: Any, tracker: Tracker) -> None:
        super().__init__(before, after, control_cls=BaseControl)
        self._tracker = tracker
        self._sent: list[tuple[Any, dict[str, Any]]] = []
        self._marks: list[tuple[Any, str, Any]] = []
        self._shared: Set[int] = frozenset()
        self._news: list[BaseControl] = []
        self._compared: list[BaseControl] = []

    # --- one control --------------------------------------------------------------------------

    def compare_control(self, control: BaseControl, path: list[Any], shared: Set[int]) -> None:
        """Find what was changed in a control itself since it was last sent.

        Args:
            path: Leads to it.
            shared: The ids of values of it that others have as well, and that were changed.
        """
        if self._comes_anew(control):
            return
        self._shared = shared
        self._compare_fields(control, control, path)
        self._compared.append(control)

    def _comes_anew(self, control: BaseControl | None) -> bool:
        """Whether it is sent as a whole, in something that comes into the page or moves."""
        while control is not None:
            if control._i in self._added_dataclasses:
                return True
            control = control.parent
        return False

    def _compare_fields(self, control: BaseControl, owner: Any, path: list[Any]) -> None:
        """Compare a control, or a value in it."""
        plan = plan_of(owner)
        before: dict[str, Any] = getattr(owner, SENT, None) or {}
        after = before.copy()
        marked = self._take_marks(owner, plan)
        for name in marked:
            self._compare_field(control, owner, plan, path, name, after, marked=True)
        unmarked = [*before, *(name for name in plan.structural if name not in before)]
        for name in unmarked:
            if name not in marked:
                self._compare_field(control, owner, plan, path, name, after, marked=False)
        self._sent.append((owner, after))

    def _compare_field(
        self,
        control: BaseControl,
        owner: Any,
        plan: Plan,
        path: list[Any],
        name: str,
        after: dict[str, Any],
        *,
        marked: bool,
    ) -> None:
        old = after.get(name, _NOT_SENT)
        new = _field(owner, plan, name)
        shape = shape_of(type(new))
        if shape is LIST or shape is DICT:
            now = list(new) if shape is LIST else dict(new)
            self._compare_content(control, path, name, old, now)
            # One that was set may be filled without a mark.
            if now or marked or old is not _NOT_SENT:
                kept = type(old) is type(now) and same_content(old, now)
                after[name] = old if kept else now
        elif isinstance(shape, Plan):
            self._compare_value(control, path, name, old, new, shape)
            after[name] = new
        elif old is not _NOT_SENT or marked:
            if name in plan.events:
                new = new is not None
            self._item_replaced(path, name, new)
            self._dataclass_removed(old)
            after.pop(name, None)

    def _compare_content(
        self, control: BaseControl, path: list[Any], name: str, old: Any, new: Any
    ) -> None:
        """Compare lists or dicts."""
        alike = isinstance(old, list | dict) and isinstance(old, list) is isinstance(new, list)
        if alike and bool(old) is bool(new):
            compare: Any = self._compare_lists if isinstance(new, list) else self._compare_dicts
            compare(control, [*path, name], old, new, False)
        elif new or alike or old is not _NOT_SENT:
            self._item_replaced(path, name, new)
            self._dataclass_removed(old)
            self._dataclass_added(new, control, False)

    def _compare_value(
        self, control: BaseControl, path: list[Any], name: str, old: Any, new: Any, plan: Plan
    ) -> None:
        if old is new:
            if not plan.control and not hasattr(new, "_frozen"):
                self._compare_same_value(control, [*path, name], new)
        elif hasattr(old, "_frozen") or hasattr(new, "_frozen"):
            # Made anew by a component: what is the same for flet stays in place.
            self._compare_values(control, path, name, old, new, False)
        else:
            self._item_replaced(path, name, new)
            self._dataclass_removed(old)
            self._dataclass_added(new, control, False)

    def _compare_same_value(self, control: BaseControl, path: list[Any], value: Any) -> None:
        if id(value) in self._shared:
            self._item_replaced(path[:-1], path[-1], value)
        self._compare_fields(control, value, path)

    def _take_marks(self, owner: Any, plan: Plan) -> list[str]:
        # Each is taken before the value is read: a thread that sets it again marks it again.
        where = owner._dirty if plan.sparse else getattr(owner, CHANGED_FIELDS, {})
        if isinstance(where, SharedDirty):
            return []
        names = list(where)
        for name in names:
            self._marks.append((where, name, where.pop(name, None)))
        return [name for name in names if name in plan.order]

    # --- flet's differ, where controls stay the same objects ------------------------------------

    def _compare_dataclasses(
        self, parent: Any, path: list[Any], src: Any, dst: Any, frozen: bool
    ) -> None:
        if frozen or src is not dst:
            super()._compare_dataclasses(parent, path, src, dst, frozen)
        elif not isinstance(dst, BaseControl) and not hasattr(dst, "_frozen"):
            self._compare_same_value(parent, path, dst)

    def _compare_lists(
        self, parent: Any, path: list[Any], src: list[Any], dst: list[Any], frozen: bool
    ) -> None:
        if frozen or not _all_controls(src, dst):
            super()._compare_lists(parent, path, src, dst, frozen)
            return
        found = edits(src, dst)
        if found is None or _rebuilt(found):
            super()._compare_lists(parent, path, src, dst, frozen)
            return
        for edit in found:
            self._insert_edit(parent, path, edit)

    def _compare_dicts(
        self,
        parent: Any,
        path: list[Any],
        src: dict[Any, Any],
        dst: dict[Any, Any],
        frozen: bool,
    ) -> None:
        # By the keys that the client was told: flet takes their texts, which differ for enums.
        for key in src.keys() - dst.keys():
            self._item_removed(path, _told(key), src[key], frozen=frozen)
        for key in dst.keys() - src.keys():
            self._item_added(parent, path, _told(key), dst[key], frozen=frozen)
        for key in src.keys() & dst.keys():
            self._compare_values(parent, path, _told(key), src[key], dst[key], frozen)

    def _insert_edit(self, parent: Any, path: list[Any], edit: Edit) -> None:
        match edit:
            case Add(at, item):
                self.insert(AddOperation({"op": "add", "path": [*path, at], "value": item}))
                self._dataclass_added(item, parent, False)
            case Remove(at, item):
                self.insert(RemoveOperation({"op": "remove", "path": [*path, at], "value": item}))
                self._dataclass_removed(item)
            case Move(at, to):
                places = {"from": [*path, at], "path": [*path, to]}
                self.insert(MoveOperation({"op": "move", **places}))

    # --- what comes and goes --------------------------------------------------------------------

    def get_added_controls(self) -> Iterator[Any]:
        """Set up the controls that come into the page; return them, parents before children."""
        for key, item in self._added_dataclasses.items():
            gone = self._removed_dataclasses.get(key, _NOT_SENT)
            if gone is _NOT_SENT or gone is item:
                again = gone is item or self._tracker.is_mounted(item)
                self._enter(item, None, False, again=again)
            else:
                # Made anew, in the place of the one that it continues.
                self._enter_alone(item)
        return iter(self._news)

    def get_removed_controls(self) -> Iterator[Any]:
        """Return the controls that leave the page, children before parents."""
        left: list[BaseControl] = []
        self._forget_those_that_stay()
        for key, item in self._removed_dataclasses.items():
            come = self._added_dataclasses.get(key, item)
            if come is item:
                _leave(item, left)
            elif isinstance(item, BaseControl):
                left.append(item)
        for key, item in self._added_dataclasses.items():
            if key not in self._removed_dataclasses and self._tracker.is_mounted(item):
                # It moves here from where it is yet to be missed: it is mounted, and stays so.
                _leave(item, left)
        # Once each, by whatever ways they were found; and what came into something that left,
        # and was never drawn, has not been there.
        gone = {control._i: control for control in left}
        return iter([one for one in gone.values() if self._tracker.is_known(one._i)])

    def _forget_those_that_stay(self) -> None:
        """Leave out what was taken from one place, and was drawn in another before."""
        now = {id(owner): sent for owner, sent in self._sent}
        for key, item in list(self._removed_dataclasses.items()):
            parent = item.parent if isinstance(item, BaseControl) else None
            if parent is None or key in self._added_dataclasses:
                continue
            sent = now[id(parent)] if id(parent) in now else getattr(parent, SENT, None) or {}
            if any(_holds(value, item) for value in sent.values()):
                del self._removed_dataclasses[key]

    def _enter(self, item: Any, parent: Any, frozen: bool, *, again: bool) -> None:
        """Set up a control or a value with all below it.

        `again` says that it was in the page already, in another place.
        """
        shape = shape_of(type(item))
        if shape is LIST or shape is DICT:
            for one in list(item.values() if shape is DICT else item):
                self._enter(one, parent, frozen, again=again)
        elif isinstance(shape, Plan):
            self._enter_dataclass(item, shape, parent, frozen, again=again)

    def _enter_dataclass(
        self, item: Any, plan: Plan, parent: Any, frozen: bool, *, again: bool
    ) -> None:
        parent = _set_parent(item, parent)
        frozen = _set_frozen(item, frozen)
        if plan.control:
            if not (again and hasattr(item, "_initialized")):
                item.build()
            if plan.hooked:
                item._before_update_safe()
            object.__setattr__(item, "_initialized", True)
            self._news.append(item)
            parent = item
        self._enter_children(item, plan, parent, frozen, again=again)
        if not frozen and plan.sparse:
            item._dirty.clear()
        if not frozen and plan.control:
            self._tracker.follow(item)

    def _enter_children(
        self, item: Any, plan: Plan, parent: Any, frozen: bool, *, again: bool
    ) -> None:
        # Apart, so that no variable holds a list when its control is followed.
        for child in _children(item, plan):
            self._enter(child, parent, frozen, again=again)

    def _enter_alone(self, item: Any) -> None:
        plan = shape_of(type(item))
        _set_parent(item, None)
        if isinstance(plan, Plan) and plan.control:
            self._news.append(item)

    # --- the end --------------------------------------------------------------------------------

    def keep(self) -> None:
        """The update was packed: it counts."""
        for owner, sent in self._sent:
            if sent or hasattr(owner, SENT):
                object.__setattr__(owner, SENT, sent)
        for control in self._compared:
            # It may hold other lists and values than before.
            self._tracker.follow(control)

    def undo(self) -> None:
        """The update could not be packed: leave all marks where they were, but note no change."""
        for where, name, value in self._marks:
            dict.__setitem__(where, name, value)
        for control in self._news:
            self._tracker.forget(control._i)


def _told(key: Any) -> Any:
    return key.value if isinstance(key, Enum) else key


def _field(owner: Any, plan: Plan, name: str) -> Any:
    if name in plan.defaults:
        return owner._values.get(name, plan.defaults[name])
    return getattr(owner, name, None)


def _children(item: Any, plan: Plan) -> list[Any]:
    """What may hold controls, in the order in which the fields are declared."""
    if not plan.sparse:
        return [getattr(item, name) for name in plan.order]
    found = [
        (plan.order[name], value)
        for name, value in list(item._values.items())
        if _has_depth(value) and name in plan.order
    ]
    found += [(plan.order[name], getattr(item, name)) for name in plan.structural]
    found.sort(key=itemgetter(0))
    return [value for _, value in found]


def _has_depth(value: Any) -> bool:
    shape = shape_of(type(value))
    return shape is LIST or shape is DICT or isinstance(shape, Plan)


def _set_parent(item: Any, parent: Any) -> Any:
    if parent is None:
        # It may have been set before, when it was found that the item is new.
        reference = getattr(item, "_parent", None)
        return reference() if reference is not None else None
    if parent is item:
        raise ValueError(f"{item} is in itself")
    item._parent = weakref.ref(parent)
    return parent


def _set_frozen(item: Any, frozen: bool) -> bool:
    if hasattr(item, "_frozen"):
        return bool(item._frozen)
    if frozen:
        item._frozen = True
    return frozen


def _leave(item: Any, left: list[BaseControl]) -> None:
    shape = shape_of(type(item))
    if shape is LIST or shape is DICT:
        for one in list(item.values() if shape is DICT else item):
            _leave(one, left)
    elif isinstance(shape, Plan):
        for child in _sent_children(item, shape):
            _leave(child, left)
        if shape.control:
            left.append(item)


def _sent_children(item: Any, plan: Plan) -> list[Any]:
    """What was in it when it was last sent. What a component made stays as it was made."""
    if hasattr(item, "_frozen"):
        return _children(item, plan)
    sent: dict[str, Any] = getattr(item, SENT, None) or {}
    lists = [value for value in sent.values() if isinstance(value, list)]
    dicts = [value for value in sent.values() if isinstance(value, dict)]
    others = [value for value in sent.values() if not isinstance(value, list | dict)]
    return [*lists, *dicts, *others]


def _holds(value: Any, item: Any) -> bool:
    if isinstance(value, list | dict):
        items = value.values() if isinstance(value, dict) else value
        return any(_holds(one, item) for one in items)
    return value is item


def _all_controls(*lists: list[Any]) -> bool:
    kinds = {kind for items in lists for kind in map(type, items)}
    shapes = map(shape_of, kinds)
    return all(isinstance(shape, Plan) and shape.control for shape in shapes)


def _rebuilt(found: list[Edit]) -> bool:
    """Whether a control was replaced by one with the same key, which is to continue it."""
    gone = {get_control_key(edit.item) for edit in found if isinstance(edit, Remove)} - {None}
    return any(get_control_key(e.item) in gone for e in found if isinstance(e, Add))
