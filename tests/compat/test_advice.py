from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import flet as ft
import pytest

from flet_anyio.testing import InProcess

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


async def sleeps() -> None:
    await asyncio.sleep(1)


async def sleeps_zero() -> None:
    await asyncio.sleep(0)


async def waits() -> None:
    async with asyncio.timeout(1):
        await sleeps()


async def uses_a_thread() -> None:
    await asyncio.to_thread(print)


async def asks_for_the_loop() -> None:
    asyncio.get_running_loop()


def starts_a_task() -> None:
    coroutine = sleeps()
    try:
        asyncio.create_task(coroutine)  # noqa: RUF006 - it never starts
    finally:
        coroutine.close()


@pytest.mark.parametrize(
    ("handler", "instead"),
    [
        (sleeps, "anyio.sleep"),
        (sleeps_zero, "anyio.sleep"),
        (waits, "anyio.fail_after"),
        (uses_a_thread, "anyio.to_thread.run_sync"),
        (asks_for_the_loop, "page.loop"),
        (starts_a_task, "page.run_task"),
    ],
)
async def test_asyncio_in_a_handler_on_trio_is_answered_with_what_to_write(
    handler: Callable[[], Any], instead: str, anyio_backend_name: str
) -> None:
    if anyio_backend_name != "trio":
        pytest.skip("works on asyncio")

    def main(page: ft.Page) -> None:
        page.add(ft.Button("go", on_click=handler))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.until(lambda: client.errors)
        assert "runs on trio" in client.errors[0]
        assert instead in client.errors[0]


async def test_other_errors_get_no_advice() -> None:
    def fail() -> None:
        raise RuntimeError("no such thing")

    def main(page: ft.Page) -> None:
        page.add(ft.Button("go", on_click=fail))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.until(lambda: client.errors)
        assert "trio" not in client.errors[0].splitlines()[0]
        assert "This app runs on" not in client.errors[0]
