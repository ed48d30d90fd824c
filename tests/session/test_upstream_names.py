"""Names of upstream's session that only other code calls."""

from __future__ import annotations

import flet as ft
import pytest

from flet_anyio.session.lifecycle import State
from flet_anyio.testing import InProcess
from waiting import reached

pytestmark = pytest.mark.anyio


def main(page: ft.Page) -> None:
    page.add(ft.Text("here"))


async def test_the_page_can_be_had_as_a_client_gets_it() -> None:
    async with InProcess(main) as app, app.connect() as client:
        await client.see("here")
        patch = app.session.get_page_patch()
        assert patch["_c"] == "Page"
        assert patch["window"]["_i"] == 2
        assert patch["views"][0].controls[0].value == "here"


async def test_a_session_can_be_disconnected() -> None:
    async with InProcess(main) as app, app.connect() as client:
        await client.see("here")
        await app.session.disconnect(60)
        await client.until(lambda: client.closed)
        assert client.transport.close_code == 1000
        assert app.session.state is State.DETACHED
        assert app.session.connection is None
        assert app.session.expires_at is not None
        async with app.connect(after=client, live=True) as back:
            assert app.session_of(back) is app.session_of(client)
            assert app.session.expires_at is None


async def test_a_disconnected_session_may_end_at_once() -> None:
    async with InProcess(main) as app, app.connect() as client:
        await client.see("here")
        await app.session.disconnect(0)
        await reached(lambda: not app.sessions)


async def test_a_result_can_be_handed_in() -> None:
    async with InProcess(main) as app, app.connect() as client:
        await client.see("here")
        client.silent = True
        session = app.session
        call = session.page.run_task(session.invoke_method, 1, "method", None)
        await client.until(lambda: client.calls)
        session.handle_invoke_method_results(1, client.calls[0]["call_id"], "result", None)
        await reached(lambda: call.done())
        assert call.result() == "result"


async def test_a_session_takes_another_connection() -> None:
    log: list[str] = []

    def greeting(page: ft.Page) -> None:
        page.on_connect = lambda: log.append("connect")
        page.add(ft.Text(f"visitor {len(log)}"))
        log.append("main")

    async with InProcess(greeting) as app, app.connect() as first:
        await first.see("visitor 0")
        session = app.session
        async with app.connect() as second:
            await second.see("visitor 1")
            _, other = app.connections
            await session.connect(other)
            await second.see("visitor 0")
            await first.until(lambda: first.closed)
            assert session.connection is other
            assert log == ["main", "main", "connect"]
