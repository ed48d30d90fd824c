"""What the engine has to know of a class, worked out once for each.

Flet keeps what is set, and only that, in `_values` of controls and of value objects such as
`TextStyle`. Fields made by a default factory are attributes of their own, which flet calls
structural. All that this package reads of flet's bookkeeping on classes is read here.
"""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any, Final, TypeAlias, cast

from flet.controls.base_control import BaseControl
from flet.controls.page import ServiceRegistry
from flet.controls.value_types import Value
from flet.utils.validation import _compile_class_spec

from .fields import hidden_fields, note_fields

__all__ = ["DICT", "ENUM", "LIST", "PLAIN", "SENT", "Plan", "Shape", "plan_of", "shape_of"]

SENT: Final = "_flet_anyio_sent"
"""Where a control, or a value in one, keeps its lists, dicts and values as they were last sent."""

_MOST_CLASSES = 4096
"""How many classes are remembered: apps may define some anew for each session."""


class Plan:
    """One class of dataclasses: controls, value objects, or an app's own.

    Attributes:
        control: Whether it is a class of controls.
        sparse: Whether flet keeps what is set in `_values`.
        order: The fields that are sent, each with its place in the declaration.
        events: Those that hold handlers; the client is told only whether one is set.
        defaults: What a field in `_values` is when it is not there.
        roots: Of those, what the client takes for granted; None is left out.
        overrides: Defaults that differ from what the client takes for granted.
        structural: Fields that are attributes of their own.
        apart: Those an app may set.
        remade: Those that are assigned anew all the time.
        hidden: Fields that are not sent, and that its hook may make something of that is.
        foreign: Whether it is no class of flet's own.
        fixed: What the client takes for granted of them.
        hooked: Whether there is anything to run before it is updated.
        looks_below: Whether that may depend on the controls in it.
        unruly: Whether that is an app's own code, which may look at anything: it is run before
            every update, whatever changed.
    """

    __slots__ = (
        "apart",
        "control",
        "defaults",
        "events",
        "fixed",
        "foreign",
        "hidden",
        "hooked",
        "looks_below",
        "order",
        "overrides",
        "remade",
        "roots",
        "sparse",
        "structural",
        "unruly",
    )

    def __init__(self, kind: Any) -> None:
        fields = [field for field in dataclasses.fields(kind) if not field.metadata.get("skip")]
        self.control = issubclass(kind, BaseControl)
        self.sparse = hasattr(kind, "_structural_fields") and (
            self.control or issubclass(kind, Value)
        )
        self.order = {field.name: place for place, field in enumerate(fields)}
        self.foreign = not _flets_own(kind)
        if self.sparse:
            self._read_marks(kind)
        else:
            self._read_fields(fields)
        self.remade = ("_services",) if issubclass(kind, ServiceRegistry) else ()
        self.apart = tuple(name for name in self.structural if not name.startswith("_"))
        self.fixed = {name: _taken_for_granted(kind, name) for name in self.structural}
        self.looks_below = self.control and _looks_below(kind)
        self.hidden = hidden_fields(kind) if self.looks_below else ()
        if self.sparse:
            note_fields(kind, (*self.apart, *self.hidden))
        self.hooked = self.looks_below or (self.control and _has_rules(kind))
        self.unruly = self.control and _is_unruly(kind)

    def _read_marks(self, kind: Any) -> None:
        self.events: frozenset[str] = kind._event_fields
        self.defaults: dict[str, Any] = kind._prop_defaults
        self.roots = {n: v for n, v in kind._root_defaults.items() if _is_told(v)}
        self.overrides = {n: v for n, v in kind._override_props.items() if v is not None}
        self.structural: tuple[str, ...] = tuple(
            sorted(kind._structural_fields, key=lambda name: self.order[name])
        )

    def _read_fields(self, fields: list[Any]) -> None:
        self.events = frozenset(
            f.name for f in fields if f.name.startswith("on_") and f.metadata.get("event", True)
        )
        self.defaults = {}
        self.roots = {}
        self.overrides = {}
        self.structural = tuple(self.order)


class _Plain(Enum):
    """Shapes of what is no dataclass."""

    PLAIN = 0
    LIST = 1
    DICT = 2
    ENUM = 3


PLAIN: Final = _Plain.PLAIN
LIST: Final = _Plain.LIST
DICT: Final = _Plain.DICT
ENUM: Final = _Plain.ENUM

Shape: TypeAlias = Plan | _Plain

_shapes: dict[type, Shape] = {}


def shape_of(kind: type) -> Shape:
    """The shape of the instances of a class."""
    try:
        return _shapes[kind]
    except KeyError:
        pass
    if len(_shapes) >= _MOST_CLASSES:
        _shapes.clear()
    shape = _shapes[kind] = _find_shape(kind)
    return shape


def plan_of(value: Any) -> Plan:
    """The plan of a dataclass's instance."""
    return cast("Plan", shape_of(type(value)))


def _find_shape(kind: type) -> Shape:
    if dataclasses.is_dataclass(kind):
        return Plan(kind)
    if issubclass(kind, list):
        return LIST
    if issubclass(kind, dict):
        return DICT
    return ENUM if issubclass(kind, Enum) else PLAIN


def _is_told(default: Any) -> bool:
    # A sentinel stands for "there is no default".
    return default is not None and type(default) is not object


def _taken_for_granted(kind: Any, name: str) -> Any:
    """The value of a structural field that the client has without being told."""
    declared = (getattr(base, "__dataclass_fields__", {}) for base in reversed(kind.__mro__))
    first = next(fields[name] for fields in declared if name in fields)
    return first.default


def _flets_own(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == BaseControl.__module__.partition(".")[0]


def _looks_below(kind: Any) -> bool:
    return (
        kind.before_update is not BaseControl.before_update
        or kind._before_update_safe is not BaseControl._before_update_safe
        or bool(_compile_class_spec(kind).class_rules)
    )


def _has_rules(kind: Any) -> bool:
    # These are about one field each.
    return bool(_compile_class_spec(kind).field_rules)


def _is_unruly(kind: Any) -> bool:
    def own(base: Any) -> bool:
        names = ("before_update", "_before_update_safe", "__validation_rules__")
        return any(name in vars(base) for name in names)

    return any(own(base) and not _flets_own(base) for base in kind.__mro__ if base is not object)
