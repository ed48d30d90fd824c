"""A loop that anyio did not start, as uvicorn's: it is asked which library runs in each task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from flet_anyio.testing import InProcess

if TYPE_CHECKING:
    import flet as ft


def test_a_thread_begins_a_task() -> None:
    pages: list[ft.Page] = []

    async def work() -> str:
        return "done"

    async def run() -> str:
        async with InProcess(pages.append) as app, app.connect():
            future = asyncio.to_thread(lambda: pages[0].run_task(work).result(timeout=5))
            return await future

    assert asyncio.run(run()) == "done"
