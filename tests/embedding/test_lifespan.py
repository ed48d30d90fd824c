from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import flet as ft
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import flet_anyio
from flet_anyio.server import hosted_servers
from visits import running, visit_asgi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


async def test_the_hosts_lifespan_runs_those_of_its_apps() -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        page.on_close = lambda: log.append("session closed")
        page.add(ft.Text("hello"))

    shop, desk = flet_anyio.app(main), flet_anyio.app(main)

    @asynccontextmanager
    async def lifespan(site: Starlette) -> AsyncIterator[dict[str, Any]]:
        log.append("database opened")
        async with flet_anyio.lifespan(shop, desk):
            yield {"database": "here"}
        log.append("database closed")

    site = Starlette(routes=[Mount("/shop", shop), Mount("/desk", desk)], lifespan=lifespan)
    async with running(site):
        async with visit_asgi(site, "/shop/ws") as one, visit_asgi(site, "/desk/ws") as two:
            await one.see("hello")
            await two.see("hello")
        assert hosted_servers() == {}
    assert log == ["database opened", "session closed", "session closed", "database closed"]


async def test_apps_that_ran_end_when_a_later_one_does_not_start() -> None:
    @asynccontextmanager
    async def fails(app: Starlette) -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    shop = flet_anyio.app(lambda page: None)
    # It went through the task group of the first one's server.
    with pytest.RaisesGroup(pytest.RaisesExc(OSError, match="no database")):
        async with flet_anyio.lifespan(shop, Starlette(lifespan=fails)):
            pass
    assert shop.site.server is None
