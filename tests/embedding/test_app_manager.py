from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import anyio
import flet as ft
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute

import flet_anyio
from flet_anyio import FletApp, app_manager
from flet_anyio.server import default_server
from visits import browsing, visit_asgi

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

pytestmark = pytest.mark.anyio


def main(page: ft.Page) -> None:
    page.on_close = lambda: log.append("closed")
    page.add(ft.Text("hello"))


log: list[str] = []


@pytest.fixture(autouse=True)
def _fresh_log() -> None:
    log.clear()


async def bare(websocket: WebSocket) -> None:
    await FletApp(executor=app_manager.executor, main=main).handle(websocket)


def site() -> Starlette:
    return Starlette(
        routes=[WebSocketRoute("/bare/ws", bare), Mount("/mounted", flet_anyio.app(main))]
    )


@pytest.mark.parametrize("path", ["/bare/ws", "/mounted/ws"])
async def test_shutdown_ends_what_the_loop_hosts(path: str) -> None:
    async with visit_asgi(site(), path) as client:
        await client.see("hello")
        await app_manager.shutdown()
        assert log == ["closed"]
        await client.until(lambda: client.closed)
        assert client.transport.close_code == 1012


async def test_it_can_be_started_again() -> None:
    app = site()
    async with visit_asgi(app, "/mounted/ws") as client:
        await client.see("hello")
    await app_manager.shutdown()
    async with browsing(app) as http:
        assert (await http.get("/mounted/-/ready")).status_code == 503
        await app_manager.start()
        assert (await http.get("/mounted/-/ready")).status_code == 200
    async with visit_asgi(app, "/mounted/ws") as client, visit_asgi(app, "/bare/ws") as other:
        await client.see("hello")
        await other.see("hello")


async def test_each_may_be_called_twice_and_in_any_order() -> None:
    await app_manager.shutdown()
    await app_manager.start()
    await app_manager.start()
    await app_manager.shutdown()
    await app_manager.shutdown()


async def test_start_sets_the_bounds_of_the_loops_server() -> None:
    limits = flet_anyio.Limits(close_timeout=3)
    await app_manager.start(limits, debug=True)
    server = await default_server()
    assert server.limits is limits
    assert server.debug


async def test_the_executor_is_that_of_the_loops_server_before_and_after_it_is_made() -> None:
    early = app_manager.executor
    assert isinstance(early, ThreadPoolExecutor)
    assert app_manager.executor is early
    server = await default_server()
    assert server.executor is early
    assert app_manager.executor is early
    await app_manager.shutdown()
    later = app_manager.executor
    assert later is not early
    with pytest.raises(RuntimeError):
        early.submit(print)
    later.shutdown()


def test_without_an_event_loop_there_is_no_executor() -> None:
    # anyio's own error, of which kind depends on its version.
    with pytest.raises(Exception, match="event loop"):
        _ = app_manager.executor


async def test_functions_of_the_page_run_in_its_threads() -> None:
    names: list[str] = []
    done = anyio.Event()

    def where() -> None:
        names.append(threading.current_thread().name)

    async def threaded(page: ft.Page) -> None:
        page.run_thread(where)
        page.add(ft.Text("hello"))

    async def handle(websocket: WebSocket) -> None:
        await FletApp(executor=app_manager.executor, main=threaded).handle(websocket)
        done.set()

    async with visit_asgi(Starlette(routes=[WebSocketRoute("/ws", handle)])) as client:
        await client.see("hello")
    await done.wait()
    await app_manager.shutdown()
    assert names
    assert names[0].startswith("flet-anyio")


async def test_shutdown_goes_on_when_it_is_cancelled() -> None:
    async with visit_asgi(site(), "/mounted/ws") as client:
        await client.see("hello")
        with anyio.CancelScope() as scope:
            scope.cancel()
            await app_manager.shutdown()
        assert log == ["closed"]


async def test_start_guards_hypercorns_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = pytest.importorskip("hypercorn.trio.run")

    class Plain:
        pass

    monkeypatch.setattr(worker, "TCPServer", Plain)
    await app_manager.start()
    assert worker.TCPServer is not Plain
    assert issubclass(worker.TCPServer, Plain)
