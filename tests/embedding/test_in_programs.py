"""`serve` as a child of a program that goes on without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
import httpx
import pytest
from anyio.lowlevel import checkpoint
from starlette.applications import Starlette
from starlette.routing import Mount

import flet_anyio
from visits import visit_url
from waiting import PATIENCE

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.usefixtures("hypercorn_runs")]


class Part:
    """A server as a part of a program, with a scope to end it."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.scope = anyio.CancelScope()
        self.returned = anyio.Event()

    async def run(self, *, task_status: TaskStatus[str]) -> None:
        with self.scope:
            await flet_anyio.serve(self._app, port=0, task_status=task_status)
        self.returned.set()


def page_with(log: list[str]) -> Any:
    async def last_words() -> None:
        await checkpoint()
        log.append("closed")

    async def main(page: ft.Page) -> None:
        page.on_close = last_words
        page.add(ft.Text("hello"))
        try:
            await anyio.sleep_forever()
        finally:
            log.append("main ended")

    return main


async def test_a_server_that_is_cancelled_ends_in_order_and_the_program_goes_on() -> None:
    log: list[str] = []
    part = Part(page_with(log))
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(part.run)
        tasks.start_soon(anyio.sleep_forever)
        async with visit_url(f"{url}ws") as client:
            await client.see("hello")
            part.scope.cancel()
            await client.until(lambda: client.closed)
            assert client.transport.close_code == 1012
        with anyio.fail_after(PATIENCE):
            await part.returned.wait()
        assert log == ["main ended", "closed"]
        # The rest of the program is as it was, and may serve again.
        assert not tasks.cancel_scope.cancel_called
        again = Part(page_with(log))
        url = await tasks.start(again.run)
        async with visit_url(f"{url}ws") as client:
            await client.see("hello")
        tasks.cancel_scope.cancel()


async def test_a_program_that_fails_takes_the_server_with_it_in_order() -> None:
    log: list[str] = []
    fail = anyio.Event()

    async def other_part() -> None:
        await fail.wait()
        raise OSError("no disk")

    async with anyio.create_task_group() as visits:
        left = anyio.Event()

        async def visit(url: str) -> None:
            async with visit_url(f"{url}ws") as client:
                await client.see("hello")
                fail.set()
                await client.until(lambda: client.closed)
                assert client.transport.close_code == 1012
                left.set()

        with pytest.RaisesGroup(pytest.RaisesExc(OSError, match="no disk")):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(other_part)
                visits.start_soon(visit, await tasks.start(Part(page_with(log)).run))
        assert log == ["main ended", "closed"]
        await left.wait()


async def test_the_url_comes_when_clients_may_connect() -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            url = await tasks.start(Part(page_with([])).run)
            async with visit_url(f"{url}ws") as client:
                await client.see("hello")
        tasks.cancel_scope.cancel()


class Wrapped:
    """An ASGI app that nobody takes for one of Flet's."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


def as_it_is(main: Any) -> Any:
    return main


def wrapped(main: Any) -> Any:
    return Wrapped(flet_anyio.app(main))


def mounted(main: Any) -> Any:
    return Starlette(routes=[Mount("/", flet_anyio.app(main))])


@pytest.mark.parametrize("made", [as_it_is, wrapped, mounted])
async def test_requests_are_answered_until_the_last_session_has_ended(made: Any) -> None:
    closing, go_on, closed = anyio.Event(), anyio.Event(), anyio.Event()

    async def last_words() -> None:
        closing.set()
        await go_on.wait()
        closed.set()

    def main(page: ft.Page) -> None:
        page.on_close = last_words
        page.add(ft.Text("hello"))

    part = Part(made(main))
    async with anyio.create_task_group() as tasks, httpx.AsyncClient() as http:
        url = await tasks.start(part.run)
        async with visit_url(f"{url}ws") as client:
            await client.see("hello")
        assert (await http.get(f"{url}-/ready")).status_code == 200
        part.scope.cancel()
        with anyio.fail_after(PATIENCE):
            await closing.wait()
            assert (await http.get(f"{url}-/ready")).status_code == 503
            assert not part.returned.is_set()
            go_on.set()
            await part.returned.wait()
        assert closed.is_set()
