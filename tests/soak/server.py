"""The server of a soak: serves the app, and measures itself when it is asked to.

A process of its own: what it holds is not mixed with what the clients hold. It reads commands
from stdin, `measure` or nothing more, and writes JSON, a line each, to stdout.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import secrets
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import flet as ft

import flet_anyio

__all__ = ["SESSION_TIMEOUT", "SOAKED"]

SESSION_TIMEOUT = 3.0
SOAKED = "soaked on purpose"
BIG = 200_000
LIMITS = flet_anyio.Limits(
    register_timeout=2,
    write_timeout=2,
    silence_timeout=6,
    ping_timeout=1,
    close_timeout=2,
    shutdown_grace=5,
    journal_bytes=20_000,
)
_PATIENCE = 30
_OURS = (str(Path(flet_anyio.__file__).parent), str(Path(__file__).parent))


# --- the app ----------------------------------------------------------------------------------


async def main(page: ft.Page) -> None:
    """Shows whose session this is, and does on a click whatever may leave something behind."""
    answer = ft.Text("")
    rows = ft.Column()

    def echo(e: ft.Event[ft.Button]) -> None:
        answer.value = f"seen {e.data}"
        rows.controls.append(ft.Text(f"row {e.data}"))
        del rows.controls[:-5]

    def begin(e: ft.Event[ft.Button]) -> None:
        page.run_task(anyio.sleep_forever)
        page.run_thread(page.closing.wait)  # type: ignore[attr-defined]

    async def wait(e: ft.Event[ft.Button]) -> None:
        await anyio.sleep_forever()

    async def call(e: ft.Event[ft.Button]) -> None:
        await page.session.invoke_method(1, "unanswered", None, 60)

    def send_much(e: ft.Event[ft.Button]) -> None:
        answer.value = "x" * BIG

    def fail(e: ft.Event[ft.Button]) -> None:
        raise ValueError(SOAKED)

    def leave(e: ft.Event[ft.Button]) -> None:
        sys.exit()

    def end(e: ft.Event[ft.Button]) -> None:
        page.session.close()

    async def close() -> None:
        await anyio.lowlevel.checkpoint()

    page.on_close = close
    page.pubsub.subscribe(lambda message: None)
    handlers: list[Any] = [echo, begin, wait, call, send_much, fail, leave, end]
    page.add(
        ft.Text(secrets.token_hex(8), key="desk"),
        answer,
        ft.TextField(label="field"),
        *(ft.Button(handler.__name__, on_click=handler) for handler in handlers),
        rows,
    )


# --- measuring --------------------------------------------------------------------------------


class Errors(logging.Handler):
    """Keeps what was logged as an error of this package and was not meant to fail.

    What hypercorn itself fails with is its own: on asyncio it logs the timeout of a client that
    never reads as unhandled.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        ours = record.name.startswith("flet_anyio") or any(path in text for path in _OURS)
        if ours and SOAKED not in text:
            self.seen.append(text[-2000:])


class Meter:
    """What this process holds, when all is quiet."""

    def __init__(self, app: Any, errors: Errors) -> None:
        self._app = app
        self._errors = errors
        self._tasks = 0

    async def measure(self) -> dict[str, Any]:
        """Wait until nothing lives that must end, but not for ever; then look."""
        with anyio.move_on_after(_PATIENCE):
            # Many things end here, and there is nobody who tells of all.
            while self._sessions() or self._more_runs():  # noqa: ASYNC110
                await anyio.sleep(0.1)
        tasks = anyio.get_running_tasks()
        self._tasks = self._tasks or len(tasks)
        _give_back()
        return {
            "tasks": len(tasks),
            "sessions": self._sessions(),
            "busy threads": _busy_threads(),
            "file descriptors": len(os.listdir("/proc/self/fd")),
            "resident": _resident(),
            "names": sorted(Counter((task.name or "?").split(": ")[-1] for task in tasks).items()),
            "objects": Counter(type(o).__name__ for o in gc.get_objects()).most_common(300),
            "errors": self._errors.seen,
        }

    def _more_runs(self) -> bool:
        return len(anyio.get_running_tasks()) > self._tasks > 0 or _busy_threads() > 0

    def _sessions(self) -> int:
        server = self._app.site.server
        return 0 if server is None else len(server.sessions)


def _give_back() -> None:
    """Free what nobody uses: cycles, and pages that malloc keeps for later.

    What remains is what somebody holds. Without this the measure would tell how the last burst
    of work happened to lie in memory.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def _resident() -> int:
    """Bytes of memory: the system's own count, as it sees C code and fragments too."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _busy_threads() -> int:
    frames = sys._current_frames()
    here = threading.get_ident()
    return sum(_runs_ours(frame) for ident, frame in frames.items() if ident != here)


def _runs_ours(frame: Any) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(_OURS):
            return True
        frame = frame.f_back
    return False


# --- the program ------------------------------------------------------------------------------


async def serve_and_measure() -> None:
    errors = Errors()
    logging.basicConfig(handlers=[errors], level=logging.ERROR)
    app = flet_anyio.app(main, session_timeout_seconds=SESSION_TIMEOUT)
    meter = Meter(app, errors)
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(_serve, app)
        _say({"url": url})
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            _say(await meter.measure())
        tasks.cancel_scope.cancel()


async def _serve(app: Any, *, task_status: Any) -> None:
    await flet_anyio.serve(app, port=0, limits=LIMITS, task_status=task_status)


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    backend, _, loop = sys.argv[1].partition("+")
    anyio.run(
        serve_and_measure, backend=backend, backend_options={"use_uvloop": True} if loop else {}
    )
