"""Serving as a child of any anyio program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from ..server import shut_down_default_server
from ..web.app import FletAsgi
from .apps import as_asgi, limits_for
from .hypercorn import make_config, serve_sockets
from .sockets import listen, url_of

if TYPE_CHECKING:
    from anyio.abc import TaskStatus
    from starlette.types import ASGIApp

    from ..limits import Limits

__all__ = ["serve"]


async def serve(
    main: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
    **settings: Any,
) -> None:
    """Serve an app until cancelled, on the backend that runs.

    Started with `url = await tg.start(flet_anyio.serve, main)`, it reports its URL as soon as
    clients may connect. It takes no signals. Cancelled, it first tells all clients to come back
    later and lets sessions end, within `Limits.shutdown_grace`.

    Args:
        main: A Flet app, or an ASGI app.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        limits: Bounds of the server. Default: those of an app made by `flet_anyio.app`.
        task_status: Given by `tg.start`.
        **settings: As for `flet_anyio.app`, when `main` is a Flet app.

    Raises:
        OSError: The address cannot be listened on.
        TypeError: Settings were given with an ASGI app, which has its own.
    """
    limits = limits_for(main, limits)
    asgi = as_asgi(main, limits, settings)
    listener = listen(host, port, write_timeout=limits.write_timeout)
    url = url_of(listener, host)
    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        server = _HypercornTask(asgi, listener, limits, stop)
        tasks.start_soon(server.run)
        try:
            task_status.started(url)
            await anyio.sleep_forever()
        finally:
            await server.drain()


class _HypercornTask:
    """hypercorn, shielded so that it serves until the sessions have ended."""

    def __init__(self, asgi: ASGIApp, listener: Any, limits: Limits, stop: anyio.Event) -> None:
        self._asgi = asgi
        self._listener = listener
        self._limits = limits
        self._stop = stop
        self._scope = anyio.CancelScope(shield=True)

    async def run(self) -> None:
        with self._scope:
            config = make_config(self._limits)
            await serve_sockets(self._asgi, self._listener, config, self._stop)

    async def drain(self) -> None:
        grace = self._limits.shutdown_grace
        with anyio.CancelScope(shield=True):
            if isinstance(self._asgi, FletAsgi):
                await self._asgi.shutdown()
            else:
                # Flet apps mounted in another one have no server of their own.
                await shut_down_default_server()
            self._stop.set()
        # hypercorn has a grace of its own; this is for what it cannot cancel.
        self._scope.deadline = anyio.current_time() + grace
