"""The marks of changes: dicts and lists that also tell whose they are."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Changes", "Dirty", "NotedList", "Owner", "SharedDirty"]


class Changes(dict[int, None]):
    """The ids of controls in which something was changed, oldest first.

    Attributes:
        shared: Values that several controls have and that were changed, by the id of the control
            that is yet to say so.
    """

    __slots__ = ("__weakref__", "_mounted", "shared")
    # Those of two pages are never the same, whatever was changed in them.
    __eq__ = object.__eq__
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, mounted: Mapping[int, Any]) -> None:
        super().__init__()
        self._mounted = mounted
        self.shared: dict[int, set[int]] = {}

    def is_mounted(self, control_id: int) -> bool:
        """Whether there still is such a control."""
        return control_id in self._mounted

    def holds(self, item: Any) -> bool:
        """Whether this very control is mounted."""
        return self._mounted.get(getattr(item, "_i", None)) is item  # type: ignore[arg-type]


Owner: TypeAlias = tuple[weakref.ref[Changes], int]


class Dirty(dict[str, Any]):
    """The marks of one control, or of a value that only one control has."""

    __slots__ = ("_changes", "_owner")

    def __init__(self, changes: Changes, owner: int, marks: Iterable[Any] = ()) -> None:
        super().__init__(marks)
        self._changes = changes
        self._owner = owner

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._changes[self._owner] = None

    def is_of(self, changes: Changes, owner: int) -> bool:
        """Whether marks made here are noted for this control."""
        return self._owner == owner and self._changes is changes

    @property
    def owners(self) -> list[Owner]:
        """For whom marks made here are noted."""
        return [(weakref.ref(self._changes), self._owner)]

    def copy(self) -> Dirty:
        """Marks of the same control. Flet keeps such a copy, to undo an update that failed."""
        return Dirty(self._changes, self._owner, self.items())

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        # A copy of a control belongs to no page.
        return dict, (dict(self),)


class SharedDirty(dict[str, Any]):
    """The marks of a value that several controls have, such as the style of all headings.

    Flet tells the client of the first of these controls, and then forgets. Here each change has
    all of them say the whole value again. No mark is kept, as none of them could take it.
    """

    __slots__ = ("_most", "_owners", "_value_id")

    def __init__(self, value: Any, owners: Iterable[Owner]) -> None:
        super().__init__()
        self._value_id = id(value)
        self._owners = dict.fromkeys(owners)
        self._most = 8

    def __setitem__(self, name: str, value: Any) -> None:
        for reference, owner in list(self._owners):
            changes = reference()
            if changes is not None:
                changes.shared.setdefault(owner, set()).add(self._value_id)
                changes[owner] = None

    def add(self, owner: Owner) -> None:
        """Note marks for this control, too."""
        self._owners[owner] = None
        if len(self._owners) > self._most:
            # A value may outlive any number of sessions.
            self._owners = {one: None for one in self._owners if _is_alive(*one)}
            self._most = max(8, 2 * len(self._owners))

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, ()


def _is_alive(reference: weakref.ref[Changes], owner: int) -> bool:
    changes = reference()
    return changes is not None and changes.is_mounted(owner)


class NotedList(list[Any]):
    """A list in a control that notes each change of it."""

    __slots__ = ("_changes", "_owner")

    def __init__(self, items: Iterable[Any], changes: Changes, owner: int) -> None:
        super().__init__(items)
        self._changes = changes
        self._owner = owner

    def is_of(self, changes: Changes, owner: int) -> bool:
        """Whether changes are noted for this control."""
        return self._owner == owner and self._changes is changes

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        # A copy of a control belongs to no page.
        return list, (list(self),)


def _noting(change: Callable[..., Any]) -> Callable[..., Any]:
    def noted(self: NotedList, *args: Any, **kwargs: Any) -> Any:
        try:
            return change(self, *args, **kwargs)
        finally:
            self._changes[self._owner] = None

    noted.__name__ = change.__name__
    noted.__doc__ = change.__doc__
    return noted


for _name in (
    *("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"),
    *("__delitem__", "__iadd__", "__imul__", "__setitem__"),
):
    setattr(NotedList, _name, _noting(getattr(list, _name)))
