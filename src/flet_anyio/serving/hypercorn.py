"""hypercorn, on whichever backend runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hypercorn.config import Config

from ..compat import accepting
from ..compat.door import on_trio
from ..compat.servers import guard_hypercorn
from .sockets import BACKLOG

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    import anyio
    from starlette.types import ASGIApp

    from ..limits import Limits

__all__ = ["make_config", "serve_sockets"]

_ACCEPTED_AT_ONCE = 4
"""Connections after which others have their turn, on asyncio. trio makes it one, uvloop all."""
_GRACE = 1.0
"""Seconds for what hypercorn itself has left to do: sessions were drained before."""


def make_config(limits: Limits) -> Config:
    """hypercorn's settings for this package."""
    config = Config()
    config.loglevel = "WARNING"
    config.graceful_timeout = _GRACE
    config.backlog = _ACCEPTED_AT_ONCE
    # hypercorn has a bound of its own otherwise.
    bound = limits.message_bytes
    config.websocket_max_message_size = sys.maxsize if bound is None else bound
    return config


async def serve_sockets(
    app: ASGIApp, listener: socket.socket, config: Config, stop: anyio.Event
) -> None:
    """Serve connections of a listening socket until `stop` is set. Takes over the socket."""
    serve = _backend_serve()
    with listener.dup() as same:
        config.bind = [f"fd://{listener.detach()}"]

        async def until_stopped() -> None:
            # hypercorn's backlog is what waits in the system, and what asyncio accepts in one go:
            # a thousand is right for the one, and holds up everybody in the other. hypercorn has
            # told asyncio by now, and so the system can be told something else.
            with same:
                same.listen(BACKLOG)
            await stop.wait()

        with accepting.told_once():
            await serve(app, config, shutdown_trigger=until_stopped, mode="asgi")


def _backend_serve() -> Callable[..., Awaitable[Any]]:
    serve: Callable[..., Awaitable[Any]]
    if on_trio():
        from hypercorn.trio import serve
    else:
        from hypercorn.asyncio import serve
    guard_hypercorn()
    return serve
