from __future__ import annotations

import anyio
import flet as ft
import pytest

from flet_anyio import FletApp
from flet_anyio.server import default_server
from flet_anyio.testing import Client, MemoryTransport
from flet_anyio.transports import PeerInfo

BACKENDS = ["asyncio", "trio"]


def transport() -> MemoryTransport:
    return MemoryTransport(PeerInfo(url="ws://test/ws", path="/ws"))


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "trio":
        pytest.importorskip("trio")
    return name


def test_bare_apps_of_one_main_find_each_other(backend: str) -> None:
    def main(page: ft.Page) -> None:
        page.pubsub.subscribe(lambda text: page.add(ft.Text(text)))
        page.add(ft.Text("ready"))

    async def program() -> list[str]:
        async with anyio.create_task_group() as tasks:
            clients = [Client(transport()), Client(transport())]
            for client in clients:
                tasks.start_soon(FletApp(main=main).handle, client.transport)
                await tasks.start(client.run)
                client.register()
                await client.see("ready")
            server = await default_server()
            assert len(server.sessions) == 2
            server.sessions[0].page.pubsub.send_all("to all")
            for client in clients:
                await client.see("to all")
                client.drop()
        return ["both"]

    assert anyio.run(program, backend=backend) == ["both"]


def test_the_loops_server_shuts_down_with_the_loop(backend: str) -> None:
    log: list[str] = []

    async def main(page: ft.Page) -> None:
        page.on_disconnect = lambda: log.append("disconnect")
        page.on_close = lambda: log.append("close")
        page.add(ft.Text("ready"))
        try:
            await anyio.sleep_forever()
        finally:
            log.append("main ended")

    async def program() -> None:
        async with anyio.create_task_group() as tasks:
            client = Client(transport())
            tasks.start_soon(FletApp(main=main).handle, client.transport)
            await tasks.start(client.run)
            client.register()
            await client.see("ready")
            client.drop()

    anyio.run(program, backend=backend)
    assert log == ["disconnect", "main ended", "close"] or log == [
        "main ended",
        "disconnect",
        "close",
    ]


def test_each_loop_has_a_server_of_its_own(backend: str) -> None:
    async def program() -> tuple[int, bool]:
        first, second = await default_server(), await default_server()
        return id(first), first is second

    one, same = anyio.run(program, backend=backend)
    other, same_again = anyio.run(program, backend=backend)
    assert same
    assert same_again
    assert isinstance(one, int)
    assert isinstance(other, int)


def test_connections_that_come_at_once_share_it(backend: str) -> None:
    found: set[int] = set()

    async def ask() -> None:
        found.add(id(await default_server()))

    async def program() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(ask)

    anyio.run(program, backend=backend)
    assert len(found) == 1
