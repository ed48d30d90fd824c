"""What can be served: a Flet app, or an ASGI app."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import Mount

from ..limits import Limits
from ..settings import setting
from ..web.app import FletAsgi, app
from ..web.lifespan import lifespan

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["as_asgi", "is_asgi", "limits_for", "place_for"]

_ASGI_PARAMETERS = 3


def as_asgi(main: Any, limits: Limits, settings: dict[str, Any], place: str = "") -> ASGIApp:
    """Make an ASGI app of a Flet app, or return what is one already.

    A Flet app at a `place` other than the root is mounted there.

    Raises:
        TypeError: It is one, and settings were given.
    """
    if not is_asgi(main):
        flet = app(main, limits=limits, **settings)
        if not place:
            return flet
        return Starlette(routes=[Mount(place, flet)], lifespan=lambda site: lifespan(flet))
    if settings:
        names = ", ".join(settings)
        raise TypeError(f"an ASGI app has its own settings; serve() cannot set {names}")
    asgi: ASGIApp = main
    return asgi


def place_for(main: Any, given: str | None) -> str:
    """The path at which a Flet app is served: empty for the root, else begun by a slash.

    Raises:
        TypeError: A path was given for an ASGI app.
    """
    if is_asgi(main):
        if given is not None:
            raise TypeError("an ASGI app has its own paths; serve() cannot set one")
        return ""
    path = (setting(given, "FLET_WEB_APP_PATH", str) or "").strip("/")
    return f"/{path}" if path else ""


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
