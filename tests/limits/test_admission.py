from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import flet as ft
import pytest

from flet_anyio import Limits
from flet_anyio.testing import InProcess
from logged import warnings_of
from visits import turned_away
from waiting import reached

if TYPE_CHECKING:
    from flet_anyio.testing import Client

pytestmark = pytest.mark.anyio

CLIENT, OTHER = "8.8.8.8", "2a00:1450::1"


def main(page: ft.Page) -> None:
    page.add(ft.Text("ready"))


async def served(app: InProcess, visits: AsyncExitStack, address: str) -> Client:
    client = await visits.enter_async_context(app.connect(address=address))
    await client.see("ready")
    return client


@pytest.mark.parametrize(
    ("limits", "status"),
    [(Limits(connections=2), 503), (Limits(address_connections=2), 429)],
    ids=["in all", "from one address"],
)
async def test_one_connection_too_many_is_refused(
    limits: Limits, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with InProcess(main, limits=limits) as app:
        async with AsyncExitStack() as visits:
            for _ in range(2):
                await served(app, visits, CLIENT)
            assert await turned_away(app, main, CLIENT) == status
            assert await turned_away(app, main, CLIENT) == status
            (warning,) = warnings_of(caplog)
            assert "Limits." in warning
            if status == 429:
                await served(app, visits, OTHER)
        await reached(lambda: app.server.connections == 0)
        async with app.connect(address=CLIENT) as client:
            await client.see("ready")


@pytest.mark.parametrize("limits", [Limits(sessions=2), Limits(address_sessions=2)])
async def test_one_session_too_many_is_refused(
    limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    async with InProcess(main, limits=limits, session_timeout_seconds=60) as app:
        async with AsyncExitStack() as visits:
            first = await served(app, visits, CLIENT)
            await served(app, visits, CLIENT)
            async with app.connect(address=CLIENT) as late:
                await late.until(lambda: late.closed)
                assert late.transport.close_code == 1013
            assert len(app.server.sessions) == 2
            first.drop()
            # Its session is there still, and is no new one.
            async with app.connect(address=CLIENT, after=first, live=True) as back:
                await back.see("ready")
        for session in app.server.sessions:
            session.close()
        await reached(lambda: not app.server.sessions)
        async with app.connect(address=CLIENT) as client:
            await client.see("ready")


@pytest.mark.parametrize("limits", [Limits(sessions=1), Limits(address_sessions=1)])
async def test_of_many_that_come_at_once_no_more_are_taken(limits: Limits) -> None:
    async with InProcess(main, limits=limits) as app, AsyncExitStack() as visits:
        clients = [
            await visits.enter_async_context(app.connect(address=CLIENT, register=False))
            for _ in range(5)
        ]
        for client in clients:
            client.register()
        for client in clients:
            await client.until(lambda client=client: client.registered or client.closed)  # type: ignore[misc]
        assert len(app.server.sessions) == 1
        assert sorted(client.transport.close_code or 0 for client in clients) == [0, *[1013] * 4]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "", "unix:"])
async def test_addresses_where_a_proxy_may_stand_are_not_counted(address: str) -> None:
    limits = Limits(address_connections=1, address_sessions=1)
    async with InProcess(main, limits=limits) as app, AsyncExitStack() as visits:
        for _ in range(3):
            await served(app, visits, address)
