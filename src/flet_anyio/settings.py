"""Where a setting comes from: the argument, else the `FLET_*` variable, else the default.

Upstream lets the environment override explicit arguments; here an explicit argument wins, so
that a program means what it says.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["flag", "seconds", "setting"]

T = TypeVar("T")

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def setting(value: T | None, variable: str, parse: Callable[[str], T]) -> T | None:
    """Return `value`, or what `variable` holds when `value` is None.

    An unset or empty variable counts as absent.

    Raises:
        ValueError: `parse` refused the variable's text; the message names the variable.
    """
    if value is not None:
        return value
    text = os.environ.get(variable)
    if not text:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"environment variable {variable}={text!r}: {error}") from error


def flag(text: str) -> bool:
    """Read a yes/no variable."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("expected true or false")


def seconds(name: str, value: float | None, variable: str, default: float) -> float:
    """Return a duration of at least 0 seconds for the setting `name`.

    Raises:
        ValueError: The value is negative, not finite or not a number.
    """
    chosen = setting(value, variable, float)
    if chosen is None:
        return default
    if isinstance(chosen, bool) or not isinstance(chosen, (int, float)):
        raise ValueError(f"{name} must be a number of seconds, not {chosen!r}")
    if not math.isfinite(chosen) or chosen < 0:
        raise ValueError(f"{name} must be 0 or more seconds, not {chosen!r}")
    return chosen
