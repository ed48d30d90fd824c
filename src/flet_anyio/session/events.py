"""From what the client said to the object a handler is given."""

from __future__ import annotations

import dataclasses
import weakref
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flet.controls.base_control import BaseControl
from flet.controls.control_event import ControlEvent, get_event_field_type
from flet.utils.from_dict import from_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ControlIndex", "event_type", "make_event", "runs_itself"]


@lru_cache(maxsize=4096)
def event_type(control_class: Any, field: str) -> Any:
    """The type of event that handlers in `field` take, or None when there is no such field.

    Worked out once: flet resolves all annotations of a class for this, which costs more than
    all the rest of a click.

    Raises:
        RuntimeError: The annotation cannot be resolved.
    """
    # Only the class of the control is looked at, so an empty instance will do.
    return get_event_field_type(object.__new__(control_class), field)


def make_event(control: BaseControl, name: str, data: Any) -> Any | None:
    """Make the event object for `on_<name>` of `control`, or None when it has no such event.

    Raises:
        TypeError, ValueError, KeyError, RuntimeError: `data` does not fit the event's type.
    """
    control_class: Any = type(control)
    kind = event_type(control_class, f"on_{name}")
    if kind is None:
        return None
    if kind == ControlEvent or not isinstance(data, dict):
        return ControlEvent(control=control, name=name, data=data)
    return from_dict(kind, {**data, "control": control, "name": name})


def runs_itself(control: BaseControl) -> bool:
    """Whether the class overrides flet's own way to run an event."""
    return type(control)._trigger_event is not BaseControl._trigger_event


class ControlIndex(weakref.WeakValueDictionary[int, BaseControl]):
    """The mounted controls of one page by id.

    `complete` says that the index was made from the whole page since that last changed.
    """

    complete = False

    def find(self, control_id: int, page: BaseControl) -> BaseControl | None:
        """Return the live control with this id, or None when it has left the page.

        A component that renders again may put a new object where one with the same id was. So
        an id that is not here, or of an object that has left, has the page searched: once for
        each state of the page, however many such ids a client sends.
        """
        control = self.get(control_id)
        if control is not None and _root(control) is page:
            return control
        if not self.complete:
            self.complete = True
            for live in _walk(page):
                self[live._i] = live
        control = self.get(control_id)
        return control if control is not None and _root(control) is page else None


def _root(control: BaseControl) -> BaseControl:
    while (parent := control.parent) is not None:
        control = parent
    return control


def _walk(page: BaseControl) -> Iterator[BaseControl]:
    # Parents are set on the way down: a control that was never diffed has none yet, and its
    # handler needs `control.page`.
    waiting: list[tuple[Any, BaseControl | None]] = [(page, None)]
    seen: set[int] = set()
    while waiting:
        value, parent = waiting.pop()
        if id(value) in seen:
            continue
        if isinstance(value, BaseControl):
            seen.add(id(value))
            if parent is not None:
                value._parent = weakref.ref(parent)  # type: ignore[attr-defined]
            parent = value
            yield value
        waiting.extend((child, parent) for child in _children(value))


def _children(value: Any) -> list[Any]:
    if dataclasses.is_dataclass(value):
        return [
            getattr(value, field.name, None)
            for field in dataclasses.fields(value)
            if not field.metadata.get("skip") and field.name != "_parent"
        ]
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple):
        return list(value)
    return []
