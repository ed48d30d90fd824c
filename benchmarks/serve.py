"""Serves one app on one server: `python -m benchmarks.serve SERVER APP [SETTINGS]`.

SETTINGS are the app's, as JSON. Prints its port when it listens. One process, whose CPU is all that
the serving costs. hypercorn is run by `flet_anyio.run`.
"""

from __future__ import annotations

import importlib
import json
import socket
import sys
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["APPS", "SERVERS", "main"]


def ours() -> Any:
    import flet_anyio
    from benchmarks.apps import main

    # Who measures clicks as fast as they go is no user: counted, but never too many.
    limits = flet_anyio.Limits(event_rate=1e9, update_rate=1e9)
    return flet_anyio.app(main, limits=limits)


def upstream() -> Any:
    fastapi = importlib.import_module("flet_web.fastapi")
    from benchmarks.apps import main

    return fastapi.app(main, no_cdn=True)


def transport() -> Any:
    """Answers with canned frames, and does no Flet work: what is left is the server's own cost."""
    from benchmarks.transport import app

    return app


def nicegui() -> Any:
    """The same page on another framework, which only `nox -s bench` installs."""
    from benchmarks.nicegui_app import app

    return app()


def load(limits: dict[str, Any] | None = None, upload_dir: str | None = None) -> Any:
    """The app of `benchmarks.load`."""
    from benchmarks.load.app import ours

    return ours(limits or {}, upload_dir)


def load_upstream(limits: dict[str, Any] | None = None, upload_dir: str | None = None) -> Any:
    """The same by upstream, which has no limits to set."""
    fastapi = importlib.import_module("flet_web.fastapi")
    from benchmarks.load.app import main

    return fastapi.app(main, no_cdn=True, upload_dir=upload_dir, secret_key="load")


def on_uvicorn(app: Any) -> None:
    uvicorn = importlib.import_module("uvicorn")
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.set_inheritable(True)
    _say(listener.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])


def on_hypercorn(app: Any, backend: Literal["asyncio", "trio"], *, uvloop: bool = False) -> None:
    import flet_anyio

    def say_where(url: str) -> None:
        _say(urlsplit(url).port)

    flet_anyio.run(app, backend=backend, uvloop=uvloop, port=0, on_start=say_where)


def _say(port: int | None) -> None:
    print(port, flush=True)


_MADE: tuple[Callable[..., Any], ...] = (ours, upstream, transport, nicegui, load, load_upstream)
APPS = {make.__name__: make for make in _MADE}
SERVERS: dict[str, Callable[[Any], None]] = {
    "hypercorn asyncio": lambda app: on_hypercorn(app, "asyncio"),
    "hypercorn uvloop": lambda app: on_hypercorn(app, "asyncio", uvloop=True),
    "hypercorn trio": lambda app: on_hypercorn(app, "trio"),
    "uvicorn": on_uvicorn,
}


def main() -> None:
    server, app, *settings = sys.argv[1:]
    SERVERS[server](APPS[app](**json.loads(settings[0] if settings else "{}")))


if __name__ == "__main__":
    main()
