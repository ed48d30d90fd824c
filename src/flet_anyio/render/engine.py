"""Draws a page by what was changed in it, however large it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress, count, repeat
from operator import is_
from typing import TYPE_CHECKING, Any

from flet.controls.object_patch import ObjectPatch, Operation

from .differ import Differ
from .encoder import as_sent, first_time
from .patch import Patch
from .shapes import DICT, ENUM, LIST, PLAIN, SENT, Plan, plan_of, shape_of
from .tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flet import Page
    from flet.controls.base_control import BaseControl

__all__ = ["TrackedRenderer"]

_REPLACE = Operation.Replace.value


class TrackedRenderer:
    """Finds changes where they were noted.

    Args:
        page: The root of all that is drawn.
        mounted: The controls that are in it, by id. Whoever draws keeps it up to date.
    """

    __slots__ = ("_mounted", "_page", "_places", "_tracker")

    first_time = staticmethod(first_time)
    as_sent = staticmethod(as_sent)

    def __init__(self, page: Page, mounted: Mapping[int, BaseControl]) -> None:
        self._page = page
        self._mounted = mounted
        self._tracker = Tracker(mounted)
        self._places: dict[int, int] = {}

    def draw(self) -> Patch:
        """Set up the whole page, which was not drawn before. The client is to be sent it whole."""
        differ = Differ(None, self._page, self._tracker)
        differ._dataclass_added(self._page, None, False)
        added = list(differ.get_added_controls())
        return Patch(self._page._i, added=added)

    def update(self, control: BaseControl) -> Patch:
        """Find what was changed in a control and all below it.

        What updates on its own, as flet's isolated controls do, is left to its own updates.

        Raises:
            Exception: Whatever `before_update` or `validate` of a control raises. All changes
                are kept for the next update then.
        """
        self._tracker.scan()
        changed = self._take_changed(control)
        shared = {one: self._tracker.changes.shared.pop(one, set()) for one in changed}
        if len(changed) == 1:
            (only,) = changed.values()
            patch = self._plain_update(only) if not shared[only._i] else None
            if patch is not None:
                return patch
        root = control if self._tracker.changes else self._page
        return self._full_update(root, changed, shared) if changed else Patch(root._i)

    def update_apart(self, control_ids: Iterable[int]) -> Iterator[Patch]:
        """Draw each of these controls for itself, after an update of all that was undone.

        What is undone again is left until something else changes in that control.
        """
        for control_id in control_ids:
            control = self._mounted.get(control_id)
            if control is not None:
                shared = self._tracker.changes.shared.pop(control_id, set())
                yield self._full_update(control, {control_id: control}, {control_id: shared})

    def reconcile(
        self, new: Any, old: Any, *, parent: BaseControl | None, path: list[Any], frozen: bool
    ) -> Patch:
        """Compare what a component has made with what it made before."""
        differ = Differ(old, new, self._tracker)
        differ._compare_values(parent, path, None, old, new, frozen)
        operations = list(differ.execute())
        root = new if parent is None else parent
        self._tracker.scan()
        # The client may lack what was changed above.
        above = self._path_to(root, self._page) if not self._tracker.changes else None
        if above is None:
            return self._patch(root._i, operations, differ)
        for operation in operations:
            for place in operation.keys() & {"path", "from"}:
                operation[place] = [*above, *operation[place]]
        return self._patch(self._page._i, operations, differ)

    def renamed(self, control: BaseControl, before: int) -> None:
        """A control has another id than before."""
        self._tracker.forget(before)
        self._tracker.follow(control)

    # --- what was changed -----------------------------------------------------------------------

    def _take_changed(self, root: BaseControl) -> dict[int, BaseControl]:
        """Take the controls that were changed, after their hooks, which may change more."""
        taken: dict[int, BaseControl] = {}
        hooked: set[int] = set()
        try:
            while batch := self._take(root):
                taken.update(batch)
                for control in batch.values():
                    self._run_hook(control, hooked)
                    parent = control.parent if control is not root else None
                    if parent is not None and plan_of(parent).looks_below:
                        self._run_hook(parent, hooked)
        except BaseException:
            self._tracker.changes.update(dict.fromkeys(taken))
            raise
        return taken

    def _run_hook(self, control: BaseControl, hooked: set[int]) -> None:
        plan = plan_of(control)
        if control._i in hooked or not plan.hooked or hasattr(control, "_frozen"):
            return
        hooked.add(control._i)
        # One that has left the page, which is yet to be found, has no say in its updates.
        if plan.unruly and self._path_to(control, self._page) is None:
            return
        try:
            control._before_update_safe()
        except Exception:
            if self._path_to(control, self._page) is not None:
                raise

    def _take(self, root: BaseControl) -> dict[int, BaseControl]:
        changes = self._tracker.changes
        taken: dict[int, BaseControl] = {}
        for control_id in list(changes):
            control = self._mounted.get(control_id)
            if control is None:
                changes.pop(control_id, None)
            elif _is_part(control, root):
                # Before anything is read: who changes it from now on notes it again.
                changes.pop(control_id, None)
                taken[control_id] = control
        return taken

    # --- updates --------------------------------------------------------------------------------

    def _plain_update(self, control: BaseControl) -> Patch | None:
        """The commonest update: plain values of one control. None if it may be more."""
        plan = plan_of(control)
        if plan.apart or plan.remade or control._internals or getattr(control, SENT, None):
            return None
        values, marks = control._values, control._dirty
        names = list(marks)
        operations: list[Any] = [[0]]
        for name in names:
            value = values.get(name, plan.defaults.get(name))
            shape = shape_of(type(value))
            if name not in plan.defaults or not (shape is PLAIN or shape is ENUM):
                return None
        for name in names:
            marks.pop(name, None)
            value = values.get(name, plan.defaults[name])
            value = value is not None if name in plan.events else value
            operations.append([_REPLACE, 0, name, value])

        def undo() -> None:
            marks.update(dict.fromkeys(names))

        return Patch(control._i, operations, undo=undo, changed=(control._i,))

    def _full_update(
        self, root: BaseControl, changed: dict[int, BaseControl], shared: dict[int, set[int]]
    ) -> Patch:
        """Compare these controls; say it of `root`, above which the client may lack changes."""
        differ = Differ(root, root, self._tracker)
        # Where they are in the end: outer lists are put in order before the controls in them
        # are named. Who is not found has left, or comes as a whole in another place.
        found = [(self._path_to(control, root), control) for control in changed.values()]
        placed = [(path, control) for path, control in found if path is not None]
        placed.sort(key=lambda one: len(one[0]))

        def undo() -> None:
            differ.undo()
            for control_id, values in shared.items():
                if values:
                    self._tracker.changes.shared.setdefault(control_id, set()).update(values)

        try:
            for path, control in placed:
                differ.compare_control(control, path, shared[control._i])
            patch = self._patch(root._i, list(differ.execute()), differ)
        except BaseException:
            # A control that comes into the page has failed. All is tried again.
            undo()
            self._tracker.changes.update(dict.fromkeys(changed))
            raise
        return replace(patch, undo=undo, changed=tuple(changed))

    def _patch(self, root: int, operations: list[Any], differ: Differ) -> Patch:
        added = list(differ.get_added_controls())
        removed = list(differ.get_removed_controls())
        differ.teardown()

        def keep() -> None:
            staying = {control._i for control in added}
            for control in removed:
                if control._i not in staying:
                    self._tracker.forget(control._i)
                    self._places.pop(control._i, None)
            differ.keep()

        message = ObjectPatch(operations).to_message()
        return Patch(root, message, added, removed, keep, differ.undo)

    # --- places ---------------------------------------------------------------------------------

    def _path_to(self, control: BaseControl, root: BaseControl) -> list[Any] | None:
        """The keys that lead to a control from one above it, or None when it is not in that."""
        path: list[Any] = []
        while control is not root:
            parent = control.parent
            step = self._step(parent, control) if parent is not None else None
            if step is None:
                return None
            path[:0] = step
            control = parent  # type: ignore[assignment]
        return path

    def _step(self, parent: Any, child: BaseControl) -> list[Any] | None:
        """The keys that lead from a control to one right below it."""
        plan = plan_of(parent)
        if plan.sparse:
            for name, value in list(parent._values.items()):
                if value is child:
                    return [name]
                if (rest := self._place_in(value, child)) is not None:
                    return [name, *rest]
        for name in plan.structural:
            value = getattr(parent, name)
            if value is child:
                return [name]
            if (rest := self._place_in(value, child)) is not None:
                return [name, *rest]
        return None

    def _place_in(self, value: Any, child: BaseControl) -> list[Any] | None:
        shape = shape_of(type(value))
        if shape is LIST:
            return self._place_in_list(value, child)
        if shape is DICT:
            return self._place_among(value.items(), child)
        if isinstance(shape, Plan) and not shape.control:
            return self._step(value, child)
        return None

    def _place_in_list(self, items: list[Any], child: BaseControl) -> list[Any] | None:
        place = self._places.get(child._i, 0)
        if place < len(items) and items[place] is child:
            return [place]
        found = next(compress(count(), map(is_, items, repeat(child))), None)
        if found is not None:
            self._places[child._i] = found
            return [found]
        return self._place_among(enumerate(items), child)

    def _place_among(self, items: Any, child: BaseControl) -> list[Any] | None:
        for key, value in list(items):
            if value is child:
                return [key]
            if (rest := self._place_in(value, child)) is not None:
                return [key, *rest]
        return None


def _is_part(control: BaseControl, root: BaseControl) -> bool:
    """Whether a control is updated with `root`."""
    while control is not root:
        parent = control.parent
        if parent is None or (parent.is_isolated() and parent is not root):
            return False
        control = parent
    return True
