"""The app that is fuzzed: controls of many kinds, whose handlers take whatever reaches them.

`/state` tells what the process holds, and how many messages have reached it.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
from starlette.responses import JSONResponse
from starlette.routing import Route

import flet_anyio
from flet_anyio.link import Link
from flet_anyio.session.stacks import stack_of

if TYPE_CHECKING:
    from starlette.requests import Request

logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")

_SESSION_TIMEOUT = 0.5
_LIMITS = flet_anyio.Limits(
    message_bytes=256 * 1024,
    register_timeout=10,
    ping_timeout=0.2,
    close_timeout=2,
    shutdown_grace=5,
    events_queued=64,
    events_in_flight=8,
    journal_bytes=64 * 1024,
)
_SHOWN = 40
_UNANSWERED = 0.5


async def main(page: ft.Page) -> None:
    """Show what happened, and do what takes part of the wire each."""
    count, answer = ft.Text("0", key="count"), ft.Text("", key="answer")
    rows = ft.Column(key="rows")

    def add() -> None:
        count.value = str(int(count.value) + 1)

    def tell(e: Any) -> None:
        answer.value = (
            f"{e.name}: {getattr(e, 'data', None)!r}"[:_SHOWN].encode("ascii", "replace").decode()
        )

    def grow() -> None:
        rows.controls.append(ft.Text(f"row {len(rows.controls)}"))
        del rows.controls[:-4]

    async def call() -> None:
        try:
            await page.session.invoke_method(field._i, "focus", {"at": 1}, _UNANSWERED)
        except (RuntimeError, TimeoutError) as error:
            answer.value = type(error).__name__

    def rename() -> None:
        page.title = f"after {count.value}"

    page.on_route_change = tell
    page.on_resize = page.on_media_change = tell
    page.on_platform_brightness_change = page.on_app_lifecycle_state_change = tell
    page.on_connect = page.on_disconnect = grow
    field = ft.TextField(label="field", key="field", on_change=tell, on_submit=tell)
    page.add(
        count,
        answer,
        ft.Text(page.get_upload_url("fuzzed.bin", 600), key="upload"),
        ft.Button("add", on_click=add),
        ft.Button("grow", on_click=grow),
        ft.Button("call", on_click=call),
        ft.Button("rename", on_click=rename),
        field,
        ft.Checkbox("checkbox", key="checkbox", on_change=tell),
        ft.Slider(key="slider", min=0, max=10, on_change=tell),
        ft.Dropdown(
            key="dropdown", options=[ft.DropdownOption("a"), ft.DropdownOption("b")], on_select=tell
        ),
        ft.GestureDetector(
            ft.Text("pad"), key="pad", on_tap_down=tell, on_pan_update=tell, on_scroll=tell
        ),
        ft.DatePicker(key="date", on_change=tell),
        rows,
    )


def _count(_: Any = None) -> None:
    global heard
    heard += 1


heard = 0
_receive = Link.receive


async def _counted(self: Link) -> bytes | str:
    frame = await _receive(self)
    _count()
    return frame


Link.receive = _counted  # type: ignore[method-assign]


def _place(task: anyio.TaskInfo) -> str:
    """Where a task waits, from the outside in."""
    return " < ".join(step.name for step in reversed(stack_of(task.coro)[-8:]))


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def state(request: Request) -> JSONResponse:
    gc.collect()
    server = app.site.server
    assert server is not None
    tasks = anyio.get_running_tasks()
    return JSONResponse(
        {
            "sessions": len(server.sessions),
            "connections": server.connections,
            "tasks": len(tasks),
            "names": sorted(f"{task.name} at {_place(task)}" for task in tasks),
            "file descriptors": len(os.listdir("/proc/self/fd")),
            "heard": heard,
            "resident": _resident(),
            "seconds": time.process_time(),
        }
    )


app = flet_anyio.app(
    main,
    limits=_LIMITS,
    session_timeout_seconds=_SESSION_TIMEOUT,
    secret_key="of the fuzzed app",
    max_upload_size=100_000,
)
app.router.routes[:0] = [Route("/state", state)]
