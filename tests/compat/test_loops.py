from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import flet as ft
import pytest
from anyio.lowlevel import checkpoint, current_token

from flet_anyio import AsyncioNeeded
from flet_anyio.testing import InProcess
from waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


def on_trio() -> bool:
    return "trio" in current_token().backend_class.__module__


def blank(page: ft.Page) -> None:
    page.add(ft.Text("ready"))


async def test_coroutines_can_be_run_from_other_threads() -> None:
    async def double(n: int) -> int:
        await checkpoint()
        return 2 * n

    async with InProcess(blank) as app, app.connect() as client:
        await client.see("ready")
        loop = app.session.page.loop

        def in_thread() -> int:
            return asyncio.run_coroutine_threadsafe(double(21), loop).result(5)

        assert await anyio.to_thread.run_sync(in_thread) == 42


async def test_what_such_a_coroutine_raises_reaches_the_thread() -> None:
    async def fail() -> None:
        raise ValueError("no")

    async with InProcess(blank) as app, app.connect() as client:
        await client.see("ready")
        loop = app.session.page.loop

        def in_thread() -> str:
            with pytest.raises(ValueError, match="no") as caught:
                asyncio.run_coroutine_threadsafe(fail(), loop).result(5)
            return str(caught.value)

        assert await anyio.to_thread.run_sync(in_thread) == "no"


async def test_callbacks_can_be_called_from_other_threads() -> None:
    async with InProcess(blank) as app, app.connect() as client:
        await client.see("ready")
        loop = app.session.page.loop
        called = anyio.Event()
        where: list[int] = []

        def callback() -> None:
            where.append(threading.get_ident())
            called.set()

        await anyio.to_thread.run_sync(lambda: loop.call_soon_threadsafe(callback))
        with anyio.fail_after(PATIENCE):
            await called.wait()
        assert where == [threading.get_ident()]


@pytest.mark.parametrize("own_executor", [False, True])
async def test_functions_run_in_threads(own_executor: bool) -> None:
    async with InProcess(blank) as app, app.connect() as client:
        await client.see("ready")
        page = app.session.page
        executor = page.executor if own_executor else None
        thread = await page.loop.run_in_executor(executor, threading.get_ident)
        assert thread != threading.get_ident()


class TestOnTrio:
    @pytest.fixture(autouse=True)
    def _only_trio(self, anyio_backend_name: str) -> None:
        if anyio_backend_name != "trio":
            pytest.skip("on asyncio, page.loop is the loop")

    @pytest.mark.parametrize(
        ("use", "instead"),
        [
            (lambda loop: loop.call_later(1, print), "anyio.sleep"),
            (lambda loop: loop.create_future(), "anyio.Event"),
            (lambda loop: loop.run_until_complete(None), "page.run_task"),
            (lambda loop: loop.create_connection(None), "anyio.connect_tcp"),
            (lambda loop: loop.add_reader(0, print), "anyio"),
        ],
    )
    async def test_what_it_cannot_do_names_the_other_way(
        self, use: Callable[[Any], Any], instead: str
    ) -> None:
        async with InProcess(blank) as app, app.connect() as client:
            await client.see("ready")
            with pytest.raises(AsyncioNeeded, match=instead):
                use(app.session.page.loop)

    async def test_it_passes_for_a_running_loop(self) -> None:
        async with InProcess(blank) as app, app.connect() as client:
            await client.see("ready")
            loop = app.session.page.loop
            assert isinstance(loop, asyncio.AbstractEventLoop)
            assert loop.is_running()
            assert not loop.is_closed()

    async def test_a_callback_can_be_called_off(self) -> None:
        async with InProcess(blank) as app, app.connect() as client:
            await client.see("ready")
            loop = app.session.page.loop
            called: list[str] = []
            second = anyio.Event()
            loop.call_soon_threadsafe(called.append, "first").cancel()
            loop.call_soon_threadsafe(second.set)
            with anyio.fail_after(PATIENCE):
                await second.wait()
            assert called == []


class TestOnAsyncio:
    async def test_the_page_returns_the_running_loop(self, anyio_backend_name: str) -> None:
        if anyio_backend_name != "asyncio":
            pytest.skip("there is no such loop on trio")
        async with InProcess(blank) as app, app.connect() as client:
            await client.see("ready")
            assert app.session.page.loop is asyncio.get_running_loop()
