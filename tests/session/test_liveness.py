"""Clients that say nothing, in virtual time."""

from __future__ import annotations

from typing import Any

import anyio
import flet as ft
import pytest

from backends import VIRTUAL_TIME, backend_options
from flet_anyio import Limits
from flet_anyio.session.lifecycle import State
from flet_anyio.testing import InProcess
from waiting import gone

pytestmark = pytest.mark.anyio


@pytest.fixture(params=VIRTUAL_TIME)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return backend_options(request.param)


def main(page: ft.Page) -> None:
    page.add(ft.Text("ready"))


async def test_a_client_that_answers_nothing_is_detached() -> None:
    limits = Limits(silence_timeout=60)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        client.patience = 1000
        await client.see("ready")
        client.silent = True
        began = anyio.current_time()
        await client.until(lambda: client.closed)
        assert 60 <= anyio.current_time() - began <= 90
        assert client.transport.close_code == 1013
        assert app.session.state is State.DETACHED


async def test_an_idle_client_is_asked_and_stays() -> None:
    limits = Limits(silence_timeout=60)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.see("ready")
        await anyio.sleep(3600)
        assert not client.closed
        assert app.session.attached
        assert 60 <= len(client.calls) <= 130


async def test_a_client_that_says_anything_is_not_asked() -> None:
    limits = Limits(silence_timeout=60)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.see("ready")
        client.silent = True
        for _ in range(100):
            await anyio.sleep(29)
            client.set(1, width=500.0)
        assert not client.closed
        assert client.calls == []
        assert app.session.attached


async def test_without_a_limit_nobody_is_asked() -> None:
    limits = Limits(silence_timeout=None)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.see("ready")
        client.silent = True
        await anyio.sleep(80_000)
        assert client.calls == []
        assert app.session.attached


async def test_a_client_whose_messages_nobody_takes_is_let_go() -> None:
    go_on = anyio.Event()

    async def wait() -> None:
        await go_on.wait()

    def slow_main(page: ft.Page) -> None:
        page.add(ft.Button("go", on_click=wait))

    limits = Limits(silence_timeout=60, events_queued=1, events_in_flight=1)
    async with InProcess(slow_main, limits=limits) as app, app.connect() as client:
        await client.see("go")
        client.silent = True
        for _ in range(10):
            client.fire("go", "click")
        await anyio.sleep(50)
        assert not client.closed
        # It may have gone long ago: nobody reads that it has.
        await anyio.sleep(50)
        assert client.closed
        assert app.session.state is State.DETACHED
        go_on.set()
        async with app.connect(after=client, live=True) as back:
            await back.see("go")


async def test_a_page_that_is_not_shown_for_hours_is_there_when_it_is() -> None:
    limits = Limits(silence_timeout=60)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.see("ready")
        client.page.root["window"]["e"] = "another page"
        await gone(client)
        async with app.connect(after=client, live=True, register=False) as back:
            back.silent = True
            back.register()
            await back.until(lambda: back.calls)
            (stand_in,) = back.calls
            back.silent = False  # it answers, but builds no views
            await anyio.sleep(5 * 3600)
            app.session.page.add(ft.Text("meanwhile"))
            assert not back.closed
            assert "ready" not in back.texts
            back.reply(stand_in)
            await back.see("ready", "meanwhile")


async def test_what_the_client_has_is_not_kept_for_long() -> None:
    limits = Limits(silence_timeout=60)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.see("ready")
        app.session.page.add(ft.Text("more"))
        await client.see("more")
        await anyio.sleep(100)
        receipts = [call for call in client.calls if ":" in call["call_id"]]
        assert len(receipts) == 1


async def test_a_client_that_waits_for_its_page_is_not_asked() -> None:
    async def long(page: ft.Page) -> None:
        await anyio.sleep(1000)

    limits = Limits(silence_timeout=60)
    async with (
        InProcess(main, limits=limits, before_main=long) as app,
        app.connect(register=False) as client,
    ):
        client.patience = 2000
        client.register()
        await client.see("ready")
        assert client.calls == []
