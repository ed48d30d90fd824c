"""Much at once: order, bounds and deadlines hold."""

from __future__ import annotations

import threading
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import flet as ft
import pytest

from flet_anyio.testing import InProcess

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FLOOD = 5_000
THREADS = 50


async def test_a_flood_of_events_is_handled_in_order_by_few_tasks() -> None:
    handled: list[Any] = []
    most = 0

    def main(page: ft.Page) -> None:
        async def count(e: ft.Event[ft.Button]) -> None:
            nonlocal most
            handled.append(e.data)
            most = max(most, len(handled) - len(ended))
            await anyio.lowlevel.checkpoint()
            ended.append(e.data)
            if len(ended) == FLOOD:
                over.set()

        ended: list[Any] = []
        over = anyio.Event()
        ft.context.disable_auto_update()
        page.add(ft.Button("+", on_click=count), text := ft.Text("counting"))

        async def show() -> None:
            await over.wait()
            text.value = "done"
            page.update()

        page.run_task(show)

    async with InProcess(main) as app, app.connect() as client:
        client.patience = 60
        await client.see("+")
        button = client.find("+")
        for number in range(FLOOD):
            client.fire(button, "click", number)
        await client.see("done")
        assert handled == list(range(FLOOD))
        assert most <= app.server.limits.events_in_flight  # type: ignore[operator]


async def test_updates_from_many_threads_leave_the_client_in_the_right_state() -> None:
    def main(page: ft.Page) -> None:
        page.add(*(ft.Text("0", key=f"t{n}") for n in range(THREADS)), ft.Column())

    def work(page: ft.Page, number: int) -> None:
        text, column = page.controls[number], page.controls[THREADS]
        assert isinstance(text, ft.Text)
        assert isinstance(column, ft.Column)
        for step in range(1, 6):
            text.value = str(step)
            page.update()
            with lock:
                column.controls.append(ft.Text(f"{number}.{step}"))
            column.update()

    lock = threading.Lock()
    async with InProcess(main) as app, app.connect() as client:
        client.patience = 30
        await client.see("0")
        page = app.session.page
        limiter = anyio.CapacityLimiter(THREADS)
        in_thread = anyio.to_thread.run_sync
        async with anyio.create_task_group() as tasks:
            for number in range(THREADS):
                tasks.start_soon(partial(in_thread, work, page, number, limiter=limiter))
        page.add(ft.Text("the end"))
        await client.see("the end")
        column = page.controls[THREADS]
        assert isinstance(column, ft.Column)
        wanted = [c.value for c in column.controls if isinstance(c, ft.Text)]
        assert len(wanted) == THREADS * 5
        assert client.texts == ["5"] * THREADS + wanted + ["the end"]


async def test_many_sessions_end_with_their_server() -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Text("here"))

    async with InProcess(main) as app, AsyncExitStack() as clients:
        for _ in range(200):
            client = await clients.enter_async_context(app.connect())
            await client.see("here")
        assert len(app.sessions) == 200
    assert not app.sessions
