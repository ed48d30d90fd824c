"""Where a setting comes from: the argument, else the `FLET_*` variable, else the default.

Upstream lets the environment override explicit arguments; here an explicit argument wins, so
that a program means what it says.
"""

from __future__ import annotations

import logging
import math
import os
from typing import TYPE_CHECKING, TypeVar, cast, get_args

from .render import RendererName

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "address",
    "endpoint",
    "flag",
    "largest_upload",
    "log_level",
    "oauth_state_timeout",
    "renderer_setting",
    "seconds",
    "session_timeout",
    "setting",
    "strict_setting",
]

T = TypeVar("T")

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_LAST_PORT = 65535


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
        ValueError: The value is negative, not finite or not a number; the message names the
            setting, or the variable that it came from.
    """
    chosen = setting(value, variable, _seconds)
    if chosen is None:
        return default
    if isinstance(chosen, bool) or not isinstance(chosen, (int, float)):
        raise ValueError(f"{name} must be a number of seconds, not {chosen!r}")
    if not math.isfinite(chosen) or chosen < 0:
        raise ValueError(f"{name} must be 0 or more seconds, not {chosen!r}")
    return chosen


def session_timeout(value: float | None) -> float:
    """How long a session lives without a client, in seconds.

    Raises:
        ValueError: See `seconds`.
    """
    return seconds("session_timeout_seconds", value, "FLET_SESSION_TIMEOUT", 3600)


def oauth_state_timeout(value: float | None) -> float:
    """How long a sign-in may take, in seconds.

    Raises:
        ValueError: See `seconds`.
    """
    return seconds("oauth_state_timeout_seconds", value, "FLET_OAUTH_STATE_TIMEOUT", 600)


def largest_upload(value: int | None) -> int | None:
    """Return the bytes that an uploaded file may have; 0 or None is no limit.

    Raises:
        ValueError: `value`, or FLET_MAX_UPLOAD_SIZE, is no whole number from 0 up.
    """
    if value is not None and value < 0:
        raise ValueError(f"max_upload_size must be 0 or more bytes, not {value!r}")
    return setting(value, "FLET_MAX_UPLOAD_SIZE", _bytes)


def endpoint(value: str | None, variable: str, default: str) -> str:
    """Return the path of a route, relative to the app, without slashes at its ends.

    Raises:
        ValueError: The variable holds nothing but slashes.
    """
    return (setting(value, variable, _path) or default).strip("/")


def address(host: str | None, port: int | None) -> tuple[str, int]:
    """Return where to listen.

    Raises:
        ValueError: FLET_SERVER_PORT is no port.
    """
    chosen = setting(port, "FLET_SERVER_PORT", _port)
    return setting(host, "FLET_SERVER_IP", str) or "127.0.0.1", 8000 if chosen is None else chosen


def strict_setting(value: bool | None) -> bool:
    """Return whether clients may do only what Flet's own does.

    Raises:
        ValueError: FLET_ANYIO_STRICT is neither yes nor no.
    """
    chosen = setting(value, "FLET_ANYIO_STRICT", flag)
    return True if chosen is None else chosen


def log_level(variable: str = "FLET_LOG_LEVEL") -> int | None:
    """Return the level that the environment asks for, if it does.

    Raises:
        ValueError: There is no such level.
    """
    return setting(None, variable, _level)


def _seconds(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or number < 0:
        raise ValueError("expected 0 or more seconds")
    return number


def _bytes(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError("expected 0 or more bytes")
    return number


def _path(text: str) -> str:
    if not text.strip("/"):
        raise ValueError("expected a path")
    return text


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= _LAST_PORT:
        raise ValueError(f"expected a port from 0 to {_LAST_PORT}")
    return number


def _level(text: str) -> int:
    level = logging.getLevelNamesMapping().get(text.strip().upper())
    if level is None:
        raise ValueError("expected a level of logging, such as DEBUG or INFO")
    return level


def renderer_setting(name: str | None) -> RendererName:
    """What draws pages: `name`, else FLET_ANYIO_RENDERER, else "tracked".

    Raises:
        ValueError: There is none of that name.
    """
    chosen = setting(name, "FLET_ANYIO_RENDERER", _renderer)
    return "tracked" if chosen is None else _renderer(chosen)


def _renderer(name: str) -> RendererName:
    names = get_args(RendererName)
    if name not in names:
        raise ValueError(f"renderer must be one of {', '.join(names)}, not {name!r}")
    return cast("RendererName", name)
