"""Properties that the client reports, checked against what their controls declare."""

from __future__ import annotations

import dataclasses
import sys
from enum import Enum
from functools import lru_cache
from typing import Any, get_type_hints

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
    props = {name: value for name, value in props.items() if _is_clients(control, name)}
    _check(type(control), props)
    patch_dataclass(control, props)


def declared(control: Any, props: dict[str, Any]) -> dict[str, Any]:
    """Those of the properties that the control's class declares: no more than it has fields."""
    return {name: props[name] for name in control.__dataclass_fields__.keys() & props.keys()}


def _is_clients(control: Any, name: str) -> bool:
    return not name.startswith(("_", "on_")) and name not in _SERVERS_OWN


def _check(kind: type, values: dict[str, Any]) -> None:
    hints = _hints(kind)
    for name, value in values.items():
        if name in hints and value is not None:
            _check_value(name, hints[name], value)


def _check_value(name: str, hint: Any, value: Any) -> None:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ValueError(f"{name} is not a map")
        _check(hint, value)  # type: ignore[arg-type]
    elif isinstance(hint, type) and issubclass(hint, Enum):
        hint(value)
    elif hint in _ACCEPTED and not _accepts(hint, value):
        raise ValueError(f"{name} is not of type {hint.__name__}")


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
