"""Serving as a child of any anyio program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from ..compat.servers import drop_connections
from ..settings import address
from .apps import as_asgi, limits_for, place_for
from .gate import Gate
from .hypercorn import make_config, serve_sockets
from .sockets import listen, url_of

if TYPE_CHECKING:
    from socket import socket

    from anyio.abc import TaskStatus
    from starlette.types import ASGIApp

    from ..limits import Limits

__all__ = ["serve"]

_LAST_REQUESTS = 0.5
"""Seconds for requests under way when all sessions have ended."""
_LAST_STEPS = 0.3
"""Seconds for hypercorn to notice that it has no connections any more."""


async def serve(
    main: Any,
    *,
    host: str | None = None,
    port: int | None = None,
    path: str | None = None,
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
        host: Address to listen on. Default: `FLET_SERVER_IP`, else 127.0.0.1.
        port: Port to listen on; 0 takes a free one. Default: `FLET_SERVER_PORT`, else 8000.
        path: Where a Flet app is on the server. Default: `FLET_WEB_APP_PATH`, else the root.
        limits: Bounds of the server. Default: those of an app made by `flet_anyio.app`.
        task_status: Given by `tg.start`.
        **settings: As for `flet_anyio.app`, when `main` is a Flet app.

    Raises:
        OSError: The address cannot be listened on.
        TypeError: Settings were given with an ASGI app, which has its own.
        ValueError: A setting or variable is not of its kind; the message names it.
    """
    limits = limits_for(main, limits)
    place = place_for(main, path)
    program = _Program(as_asgi(main, limits, settings, place), limits)
    host, port = address(host, port)
    listener = listen(host, port, write_timeout=limits.write_timeout)
    url = url_of(listener, host, place)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(program.run, listener)
        try:
            task_status.started(url)
            await anyio.sleep_forever()
        finally:
            await program.shut_down()


class _Program:
    """hypercorn with an app, shielded so that it serves until the sessions have ended."""

    def __init__(self, asgi: ASGIApp, limits: Limits) -> None:
        self._gate = Gate(asgi)
        self._config = make_config(limits)
        self._stop = anyio.Event()
        self._ended = anyio.Event()
        self._scope = anyio.CancelScope(shield=True)

    async def run(self, listener: socket) -> None:
        with self._scope:
            try:
                await serve_sockets(self._gate, listener, self._config, self._stop)
            finally:
                self._ended.set()

    async def shut_down(self) -> None:
        """No more WebSockets; clients told and sessions ended; no more requests; the end."""
        with anyio.CancelScope(shield=True):
            self._gate.shut()
            await self._gate.shut_down()
            self._stop.set()
            with anyio.move_on_after(_LAST_REQUESTS):
                await self._ended.wait()
        drop_connections(self._config)
        self._scope.deadline = anyio.current_time() + _LAST_STEPS
