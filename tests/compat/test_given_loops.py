"""What `FletApp` does with the loop and the executor that upstream's callers give it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import flet as ft
import pytest
from anyio.lowlevel import checkpoint

from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import InProcess
from waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio


def blank(page: ft.Page) -> None:
    page.add(ft.Text("ready"))


class Elsewhere:
    """An asyncio loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        running = threading.Event()
        self.loop.call_soon(running.set)
        self.thread.start()
        assert running.wait(PATIENCE)

    def close(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(PATIENCE)
            self.loop.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    there = Elsewhere()
    yield there
    there.close()


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(thread_name_prefix="given") as pool:
        yield pool


class TestTheRunningLoop:
    @pytest.fixture(autouse=True)
    def _only_asyncio(self, anyio_backend_name: str) -> None:
        if anyio_backend_name != "asyncio":
            pytest.skip("there is no such loop on trio")

    async def test_it_is_the_pages_loop(self) -> None:
        loop = asyncio.get_running_loop()
        async with InProcess(blank, loop=loop) as app, app.connect() as client:
            await client.see("ready")
            assert app.session.page.loop is loop
            assert app.connections[0].loop is loop

    async def test_code_for_asyncio_runs_as_it_is(self) -> None:
        async def main(page: ft.Page) -> None:
            loop = asyncio.get_running_loop()
            words: asyncio.Queue[str] = asyncio.Queue()
            task = asyncio.create_task(words.put("from a task"))
            future = loop.create_future()
            page.loop.call_later(0, future.set_result, "from a timer")
            in_thread = await asyncio.to_thread(lambda: "from a thread")
            page.add(ft.Text(await words.get()), ft.Text(await future), ft.Text(in_thread))
            await task

        loop = asyncio.get_running_loop()
        async with InProcess(main, loop=loop) as app, app.connect() as client:
            await client.see("from a task", "from a timer", "from a thread")


class TestALoopElsewhere:
    async def test_the_app_runs_on_the_servers_loop(self, elsewhere: Elsewhere) -> None:
        here = threading.get_ident()
        where: dict[str, bool] = {}

        async def main(page: ft.Page) -> None:
            async def task() -> None:
                where["task"] = threading.get_ident() == here
                page.add(ft.Text("task"))

            async def click() -> None:
                where["handler"] = threading.get_ident() == here
                page.run_task(task)

            where["main"] = threading.get_ident() == here
            page.add(ft.Button("start", on_click=click))

        async with InProcess(main, loop=elsewhere.loop) as app, app.connect() as client:
            await client.click("start")
            await client.see("task")
        assert where == {"main": True, "handler": True, "task": True}

    async def test_coroutines_given_to_the_pages_loop_run_there(self, elsewhere: Elsewhere) -> None:
        async with InProcess(blank, loop=elsewhere.loop) as app, app.connect() as client:
            await client.see("ready")
            page = app.session.page

            async def there() -> int:
                await asyncio.sleep(0)
                page.add(ft.Text("from there"))
                return threading.get_ident()

            def ask() -> int:
                return asyncio.run_coroutine_threadsafe(there(), page.loop).result(PATIENCE)

            assert await anyio.to_thread.run_sync(ask) == elsewhere.thread.ident
            await client.see("from there")

    async def test_a_session_goes_on_when_it_ends(self, elsewhere: Elsewhere) -> None:
        async with InProcess(blank, loop=elsewhere.loop) as app, app.connect() as client:
            await client.see("ready")
            await anyio.to_thread.run_sync(elsewhere.close)
            page = app.session.page

            async def task() -> None:
                await checkpoint()
                page.add(ft.Text("still here"))

            page.run_task(task)
            await client.see("still here")


class TestAGivenExecutor:
    async def test_functions_of_the_page_run_in_it(self, executor: ThreadPoolExecutor) -> None:
        async with InProcess(blank, executor=executor) as app, app.connect() as client:
            await client.see("ready")
            page = app.session.page

            def work(word: str, *, again: str) -> None:
                name = threading.current_thread().name.partition("_")[0]
                page.add(ft.Text(f"{word} {again} in {name}"))

            assert page.executor is executor
            page.run_thread(work, "once", again="twice")
            await client.see("once twice in given")

    async def test_one_that_is_shut_down_later_says_so(self, executor: ThreadPoolExecutor) -> None:
        async with InProcess(blank, executor=executor) as app, app.connect() as client:
            await client.see("ready")
            executor.shutdown()
            with pytest.raises(RuntimeError, match="after shutdown"):
                app.session.page.run_thread(print)

    async def test_it_outlives_the_server(self, executor: ThreadPoolExecutor) -> None:
        async with InProcess(blank, executor=executor) as app, app.connect() as client:
            await client.see("ready")
        assert executor.submit(lambda: 42).result(PATIENCE) == 42

    async def test_without_one_functions_run_in_the_servers(self) -> None:
        async with InProcess(blank) as app, app.connect() as client:
            await client.see("ready")
            assert app.session.page.executor is app.server.executor


class TestFromThreads:
    """`asyncio.run_coroutine_threadsafe(coro, page.loop)`, with no loop given."""

    async def test_the_coroutine_is_a_child_of_the_session_on_trio(
        self, anyio_backend_name: str
    ) -> None:
        if anyio_backend_name != "trio":
            pytest.skip("on asyncio, page.loop is the loop, and knows nothing of sessions")
        entered = anyio.Event()

        async def wait() -> None:
            entered.set()
            await anyio.sleep_forever()

        caught: list[type[BaseException]] = []

        def ask(loop: Any) -> None:
            try:
                asyncio.run_coroutine_threadsafe(wait(), loop).result(PATIENCE)
            except BaseException as error:
                caught.append(type(error))

        async with InProcess(blank) as app, app.connect() as client:
            await client.see("ready")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.to_thread.run_sync, ask, app.session.page.loop)
                await entered.wait()
                app.session.close(Reason.CLOSED_BY_APP)
        assert caught == [CancelledError]

    async def test_it_can_be_cancelled_from_the_thread(self) -> None:
        entered, ended = anyio.Event(), anyio.Event()

        async def wait() -> None:
            entered.set()
            try:
                await anyio.sleep_forever()
            finally:
                ended.set()

        async with InProcess(blank) as app, app.connect() as client:
            await client.see("ready")
            loop = app.session.page.loop
            futures: list[Any] = []

            def ask() -> None:
                futures.append(asyncio.run_coroutine_threadsafe(wait(), loop))

            await anyio.to_thread.run_sync(ask)
            with anyio.fail_after(PATIENCE):
                await entered.wait()
                await anyio.to_thread.run_sync(futures[0].cancel)
                await ended.wait()
            assert futures[0].cancelled()

    async def test_many_threads_at_once(self) -> None:
        async def double(n: int) -> int:
            await checkpoint()
            return 2 * n

        async with InProcess(blank) as app, app.connect() as client:
            await client.see("ready")
            loop = app.session.page.loop
            results: dict[int, int] = {}

            def ask(n: int) -> None:
                results[n] = asyncio.run_coroutine_threadsafe(double(n), loop).result(PATIENCE)

            async with anyio.create_task_group() as tasks:
                for n in range(20):
                    tasks.start_soon(anyio.to_thread.run_sync, ask, n)
            assert results == {n: 2 * n for n in range(20)}
