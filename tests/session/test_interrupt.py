"""An interrupt ends the program, also when a handler is what it hits: in order, and all of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from backends import REAL_TIME

PROGRAM = """
import sys
import anyio, flet as ft
from flet_anyio.testing import InProcess
from backends import backend_options

def main(page):
    def now():
        raise KeyboardInterrupt

    async def later():
        await anyio.lowlevel.checkpoint()
        raise KeyboardInterrupt

    page.on_close = lambda: print("closed", page.route)
    page.add(ft.Button("now", on_click=now), ft.Button("later", on_click=later))

async def run():
    async with (
        InProcess(main) as app,
        app.connect(route="/healthy") as healthy,
        app.connect(route="/interrupted") as interrupted,
    ):
        await healthy.see("now")
        await interrupted.click(sys.argv[2])
        await interrupted.until(lambda: interrupted.closed)
        await anyio.sleep_forever()

backend = backend_options(sys.argv[1])
name, options = backend if isinstance(backend, tuple) else (backend, {})
try:
    anyio.run(run, backend=name, backend_options=options)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("backend", REAL_TIME)
@pytest.mark.parametrize("handler", ["now", "later"])
def test_an_interrupt_in_a_handler_closes_all_sessions(backend: str, handler: str) -> None:
    program = f"import sys; sys.path[:0] = {sys.path!r}\n{PROGRAM}"
    command = [sys.executable, "-c", program, backend, handler]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    *closed, last = done.stdout.splitlines()
    assert sorted(closed) == ["closed /healthy", "closed /interrupted"], done.stderr
    assert last == "interrupted"
