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

_GRACE = 1.0
"""Seconds for what hypercorn itself has left to do: sessions were drained before."""


def make_config(limits: Limits) -> Config:
    """hypercorn's settings for this package."""
    config = Config()
    config.loglevel = "WARNING"
    config.graceful_timeout = _GRACE
    config.backlog = BACKLOG  # it listens anew on what is given to it
    # hypercorn has a bound of its own otherwise.
    bound = limits.message_bytes
    config.websocket_max_message_size = sys.maxsize if bound is None else bound
    return config


async def serve_sockets(
    app: ASGIApp, listener: socket.socket, config: Config, stop: anyio.Event
) -> None:
    """Serve connections of a listening socket until `stop` is set. Takes over the socket."""
    config.bind = [f"fd://{listener.detach()}"]
    serve = _backend_serve()
    with accepting.told_once():
        await serve(app, config, shutdown_trigger=stop.wait, mode="asgi")


def _backend_serve() -> Callable[..., Awaitable[Any]]:
    serve: Callable[..., Awaitable[Any]]
    if on_trio():
        from hypercorn.trio import serve
    else:
        from hypercorn.asyncio import serve
    guard_hypercorn()
    return serve
