"""Properties that the client reports, checked against what their controls declare."""

from __future__ import annotations

import dataclasses
import sys
from enum import Enum
from functools import lru_cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints

from flet.utils.from_dict import from_dict
from flet.utils.object_model import patch_dataclass, resolve_actual_type

from .client_part import REGISTERED, written_by_client

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from flet.controls.base_control import BaseControl

__all__ = ["apply_props", "apply_registration", "believed", "drawn"]

# A whole number may stand for a fraction: JavaScript clients do not tell them apart.
_ACCEPTED: dict[Any, frozenset[type]] = {
    str: frozenset({str}),
    bool: frozenset({bool}),
    int: frozenset({int, float}),
    float: frozenset({int, float}),
    type(None): frozenset({type(None)}),
}


def believed(control: BaseControl, props: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """Those of the properties that the client has any business to set.

    Never are handlers, what holds controls, an app's own data and what the server itself knows
    of the client. If `strict`, only those are that Flet's client writes.
    """
    return _only(props, written_by_client(control, strict=strict))


def drawn(control: BaseControl, props: dict[str, Any]) -> dict[str, Any]:
    """Those of the properties that the control is drawn with."""
    return _only(props, control.__dataclass_fields__.keys())


def apply_registration(page: BaseControl, props: dict[str, Any]) -> None:
    """Set properties of the page to what a client says that registers.

    Raises:
        ValueError: A value is of another type than its property; nothing was set.
    """
    props = _only(props, REGISTERED)
    window = getattr(page, "window", None)
    if isinstance(props.get("window"), dict) and window is not None:
        props["window"] = _only(props["window"], written_by_client(window))
    apply_props(page, props)


def apply_props(control: BaseControl, props: dict[str, Any]) -> None:
    """Set properties that the client was `believed`.

    Raises:
        ValueError: A value is of another type than its property; nothing was set.
    """
    kind: Any = type(control)
    hints = _hints(kind)
    props = {name: _clients_part(hints.get(name), value) for name, value in props.items()}
    _check(kind, control, props)
    for name, value in props.items():
        # What the client notes for itself: a place in a list, or that something is over.
        if name.startswith("_") and not isinstance(value, int | None):
            raise ValueError(f"{name} is not a number")
    patch_dataclass(control, props)


def _clients_part(hint: Any, value: Any) -> Any:
    """Without what is private in the values that a property consists of."""
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        kind: Any = hint
        hints = _hints(kind)
        return {
            name: _clients_part(hints.get(name), part)
            for name, part in value.items()
            if not name.startswith(("_", "on_"))
        }
    if isinstance(value, list) and (item := _item(hint)) is not None:
        return [_clients_part(item, one) for one in value]
    return value


def _item(hint: Any) -> Any:
    """The dataclass that a list is to consist of, or None."""
    item = get_args(hint)[0] if get_origin(hint) is list else None
    return item if dataclasses.is_dataclass(item) else None


def _only(props: dict[str, Any], names: AbstractSet[str]) -> dict[str, Any]:
    return {name: value for name, value in props.items() if name in names}


def _check(kind: type, target: Any, values: dict[str, Any]) -> None:
    hints = _hints(kind)
    for name, value in values.items():
        if name in hints:
            _check_value(name, hints[name], getattr(target, name, None), value)


def _check_value(name: str, hint: Any, current: Any, value: Any) -> None:
    if isinstance(hint, type) and issubclass(hint, Enum):
        _try_to_make(name, hint, value)
    elif value is None:
        return
    elif dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ValueError(f"{name} is not a map")
        _check(hint, current, value)  # type: ignore[arg-type]
        if current is None:
            _try_to_make(name, hint, value)
        elif not dataclasses.is_dataclass(current):
            raise ValueError(f"{name} is not to be changed in parts")
    elif isinstance(value, list) and (item := _item(hint)) is not None:
        for one in value:
            _try_to_make(name, item, one)
    elif get_origin(hint) is list:
        if not isinstance(value, list):
            raise ValueError(f"{name} is not a list")
        for one in value:
            _check_plain(name, get_args(hint)[0], one)
    else:
        _check_plain(name, hint, value)


def _check_plain(name: str, hint: Any, value: Any) -> None:
    kinds = _plain_kinds(hint)
    if kinds is not None and not _is_one_of(kinds, value):
        raise ValueError(f"{name} is not of type {getattr(hint, '__name__', hint)}")


def _try_to_make(name: str, kind: Any, value: Any) -> None:
    """Make what flet will make of it: only that tells whether it can."""
    try:
        from_dict(kind, value)
    except Exception as error:
        # Nothing here awaits: whatever it is, the value is at fault.
        raise ValueError(f"{name} is not of type {kind.__name__}") from error


@lru_cache(maxsize=4096)
def _plain_kinds(hint: Any) -> frozenset[type] | None:
    """The types that values of this hint may have, or None: it is not for plain values alone."""
    if get_origin(hint) in (Union, UnionType):
        parts = [_plain_kinds(part) for part in get_args(hint)]
        return None if None in parts else frozenset().union(*filter(None, parts))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return frozenset(type(member.value) for member in hint)
    return _ACCEPTED.get(hint)


def _is_one_of(kinds: frozenset[type], value: Any) -> bool:
    # A bool is an int to isinstance, but no client sends one for a number.
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, tuple(kinds))


@lru_cache(maxsize=4096)
def _hints(kind: Any) -> dict[str, Any]:
    try:
        hints = get_type_hints(kind, globalns=vars(sys.modules[kind.__module__]))
    except Exception:
        # As in flet: some names are only there for type checkers. What cannot be resolved then
        # is a string, and is not checked.
        hints = {field.name: field.type for field in dataclasses.fields(kind)}
    return {name: _hashable(resolve_actual_type(_bare(hint))) for name, hint in hints.items()}


def _bare(hint: Any) -> Any:
    """Without Flet's own rules for it: those are looked at when the control is drawn."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _hashable(hint: Any) -> Any:
    try:
        hash(hint)
    except TypeError:
        return Any
    return hint
