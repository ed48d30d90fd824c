"""What can be served: a Flet app, or an ASGI app."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ..limits import Limits
from ..web.app import FletAsgi, app

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["as_asgi", "is_asgi", "limits_for"]

_ASGI_PARAMETERS = 3


def as_asgi(main: Any, limits: Limits, settings: dict[str, Any]) -> ASGIApp:
    """Make an ASGI app of a Flet app, or return what is one already.

    Raises:
        TypeError: It is one, and settings were given.
    """
    if not is_asgi(main):
        return app(main, limits=limits, **settings)
    if settings:
        names = ", ".join(settings)
        raise TypeError(f"an ASGI app has its own settings; serve() cannot set {names}")
    asgi: ASGIApp = main
    return asgi


def is_asgi(main: Any) -> bool:
    """Whether this takes `scope, receive, send`, and not a page."""
    try:
        return len(inspect.signature(main).parameters) == _ASGI_PARAMETERS
    except (TypeError, ValueError):
        return False


def limits_for(main: Any, given: Limits | None) -> Limits:
    """The bounds for a server of `main`: those given, else the app's own."""
    if given is not None:
        return given
    return main.limits if isinstance(main, FletAsgi) else Limits()
