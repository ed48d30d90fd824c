"""An app for tests of servers, which run it in a process of its own.

Its page is as large as FLET_ANYIO_TEST_BYTES says. With FLET_UPLOAD_DIR set, it says where a file
may be uploaded. `/state` tells how the process is, `/end`
ends all sessions. As a program, `python served_app.py BACKEND [uvloop]` serves it by
`flet_anyio.serve` alone, and leaves when SIGTERM cancels that.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute

import flet_anyio
from flet_anyio.session.lifecycle import Reason

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.websockets import WebSocket

_SIZE = int(os.environ.get("FLET_ANYIO_TEST_BYTES", "0"))
_LIMITS = flet_anyio.Limits(
    write_timeout=float(os.environ.get("FLET_ANYIO_TEST_WRITE_TIMEOUT", "30")),
    shutdown_grace=float(os.environ.get("FLET_ANYIO_TEST_GRACE", "10")),
)
_said: list[str] = []


def main(page: ft.Page) -> None:
    page.on_disconnect = lambda: _say("disconnected")
    page.on_close = _stay if os.environ.get("FLET_ANYIO_TEST_STUCK") else lambda: _say("closed")
    page.add(ft.Text("x" * _SIZE))
    if os.environ.get("FLET_UPLOAD_DIR"):
        _say(page.get_upload_url("file", 60))


async def _stay() -> None:
    await anyio.sleep_forever()


def _say(word: str) -> None:
    # Another process counts these lines.
    print(word, flush=True)


async def state(request: Request) -> JSONResponse:
    gc.collect()
    sessions = _sessions()
    return JSONResponse(
        {
            "sessions": len(sessions),
            "attached": sum(session.attached for session in sessions),
            "tasks": len(anyio.get_running_tasks()),
            "fds": len(os.listdir("/proc/self/fd")),
            "pid": os.getpid(),  # hypercorn's own command serves in a child
        }
    )


async def end(request: Request) -> JSONResponse:
    for session in _sessions():
        session.close(Reason.CLOSED_BY_APP)
    return JSONResponse({})


def _sessions() -> list[Any]:
    server = app.site.server
    return server.sessions if server is not None else []


app = flet_anyio.app(main, limits=_LIMITS)
app.router.routes[:0] = [Route("/state", state), Route("/end", end)]


async def handle(websocket: WebSocket) -> None:
    await flet_anyio.FletApp(main=main).handle(websocket)


async def wrapped(scope: Any, receive: Any, send: Any) -> None:
    """The app in one that knows of no lifespan."""
    assert scope["type"] != "lifespan"
    await app(scope, receive, send)


bare = Starlette(routes=[WebSocketRoute("/ws", handle)])
mounted = Starlette(routes=[Mount("/", flet_anyio.app(main, limits=_LIMITS))])


async def serve() -> None:
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_told, scope)
            url = await tasks.start(partial(flet_anyio.serve, app, port=0, limits=_LIMITS))
            print(f"running on {url}", file=sys.stderr, flush=True)


async def _cancel_when_told(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


if __name__ == "__main__":
    backend, *uvloop = sys.argv[1:]
    anyio.run(serve, backend=backend, backend_options={"use_uvloop": True} if uvloop else {})
