"""Properties that the client reports, checked against what their controls declare."""

from __future__ import annotations

import dataclasses
import sys
from enum import Enum
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints

from flet.utils.from_dict import from_dict
from flet.utils.object_model import patch_dataclass, resolve_actual_type

__all__ = ["apply_props", "declared"]

# A whole number may stand for a fraction: JavaScript clients do not tell them apart.
_ACCEPTED: dict[Any, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int, float),
    float: (int, float),
}


_SERVERS_OWN = {"client_ip", "client_user_agent", "data"}


def apply_props(control: Any, props: dict[str, Any]) -> None:
    """Set properties of a control to what the client says they are.

    Properties that the control does not have are passed over: a newer client may send more. So
    are those that are not the client's to set: handlers, an app's own data, and what the server
    itself knows of the client.

    Raises:
        ValueError: A value is of another type than its property; nothing was set.
    """
    props = _clients(type(control), props)
    _check(type(control), control, props)
    patch_dataclass(control, props)


def declared(control: Any, props: dict[str, Any]) -> dict[str, Any]:
    """Those of the properties that the control's class declares: no more than it has fields."""
    return {name: props[name] for name in control.__dataclass_fields__.keys() & props.keys()}


def _clients(kind: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Without what is not the client's to set, also in the values that these consist of."""
    hints = _hints(kind)
    return {
        name: _clients_part(hints.get(name), value)
        for name, value in values.items()
        if not name.startswith(("_", "on_")) and name not in _SERVERS_OWN
    }


def _clients_part(hint: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _clients(hint, value)
    if isinstance(value, list) and (item := _item(hint)) is not None:
        return [_clients_part(item, one) for one in value]
    return value


def _item(hint: Any) -> Any:
    """The dataclass that a list is to consist of, or None."""
    item = get_args(hint)[0] if get_origin(hint) is list else None
    return item if dataclasses.is_dataclass(item) else None


def _check(kind: type, target: Any, values: dict[str, Any]) -> None:
    hints = _hints(kind)
    for name, value in values.items():
        if name in hints:
            _check_value(name, hints[name], getattr(target, name, None), value)


def _check_value(name: str, hint: Any, current: Any, value: Any) -> None:
    if isinstance(hint, type) and issubclass(hint, Enum):
        _try_to_make(name, hint, value)
    elif value is None:
        pass
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
    elif hint in _ACCEPTED and not _accepts(hint, value):
        raise ValueError(f"{name} is not of type {hint.__name__}")


def _try_to_make(name: str, kind: Any, value: Any) -> None:
    """Make what flet will make of it: only that tells whether it can."""
    try:
        from_dict(kind, value)
    except Exception as error:
        # Nothing here awaits: whatever it is, the value is at fault.
        raise ValueError(f"{name} is not of type {kind.__name__}") from error


def _accepts(hint: Any, value: Any) -> bool:
    # A bool is an int to isinstance, but no client sends one for a number.
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, _ACCEPTED[hint])


@lru_cache(maxsize=4096)
def _hints(kind: Any) -> dict[str, Any]:
    try:
        hints = get_type_hints(kind, globalns=vars(sys.modules[kind.__module__]))
    except Exception:
        # As in flet: some names are only there for type checkers. What cannot be resolved then
        # is a string, and is not checked.
        hints = {field.name: field.type for field in dataclasses.fields(kind)}
    return {name: _hashable(resolve_actual_type(hint)) for name, hint in hints.items()}


def _hashable(hint: Any) -> Any:
    try:
        hash(hint)
    except TypeError:
        return Any
    return hint
