from __future__ import annotations

import signal
import socket
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.from_thread
import anyio.to_thread
import flet as ft
import httpx
import msgpack
import pytest
from flet.messaging.protocol import MessageAction
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import flet_anyio
from sockets import open_socket

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.usefixtures("hypercorn_runs")]


def main(page: ft.Page) -> None:
    page.add(ft.Text("hello"))


class Visitor:
    """A client on a real socket, in a thread: registers, and stays until it is closed."""

    def __init__(self, url: str, path: str = "ws") -> None:
        self._url = url.replace("http", "ws") + path
        self.answer: Any = None
        self.close_code: int | None = None

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Reports as started when it has been answered."""
        registered = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, self._stay, registered)
            await registered.wait()
            task_status.started()

    def _stay(self, registered: anyio.Event) -> None:
        body = {"session_id": None, "page_name": "", "page": {"route": "/", "web": True}}
        with connect(self._url, max_size=None) as connection:
            connection.send(b"\x00" + msgpack.packb([1, body]))
            self.answer = msgpack.unpackb(connection.recv(5)[1:], strict_map_key=False)
            anyio.from_thread.run_sync(registered.set)
            try:
                while True:
                    connection.recv(20)
            except ConnectionClosed as closed:
                self.close_code = closed.rcvd.code if closed.rcvd else None


async def test_a_page_of_another_site_gets_a_403() -> None:
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(partial(flet_anyio.serve, main, port=0))
        address = url.replace("http", "ws") + "ws"
        with pytest.raises(InvalidStatus, match="403"):
            async with open_socket(address, "http://evil.com"):
                pass
        async with open_socket(address, url.rstrip("/")) as socket:
            await socket.register()
            action, _ = await socket.receive()
            assert action is MessageAction.REGISTER_CLIENT
        tasks.cancel_scope.cancel()


async def test_an_app_is_served_until_cancelled() -> None:
    async with anyio.create_task_group() as visits, anyio.create_task_group() as serving:
        url = await serving.start(lambda **kw: flet_anyio.serve(main, port=0, **kw))
        async with httpx.AsyncClient() as http:
            page = await http.get(url)
        assert page.status_code == 200
        assert "flutter_bootstrap.js" in page.text
        assert page.headers["cross-origin-opener-policy"] == "same-origin"
        visitor = Visitor(url)
        await visits.start(visitor.run)
        action, body = visitor.answer
        assert action == 1
        assert body["session_id"]
        serving.cancel_scope.cancel()
    assert visitor.close_code == 1012


async def test_an_asgi_app_with_flet_inside_is_served() -> None:
    site = Starlette(
        routes=[
            Route("/health", lambda request: PlainTextResponse("fine")),
            Mount("/dash", flet_anyio.app(main)),
        ]
    )
    async with anyio.create_task_group() as visits, anyio.create_task_group() as tasks:
        url = await tasks.start(lambda **kw: flet_anyio.serve(site, port=0, **kw))
        async with httpx.AsyncClient() as http:
            assert (await http.get(url + "health")).text == "fine"
            assert '<base href="/dash/">' in (await http.get(url + "dash/")).text
        visitor = Visitor(url, "dash/ws")
        await visits.start(visitor.run)
        assert visitor.answer[0] == 1
        tasks.cancel_scope.cancel()
    assert visitor.close_code == 1012


async def test_a_download_that_nobody_takes_holds_up_no_end() -> None:
    with socket.socket() as sock:
        async with anyio.create_task_group() as tasks:
            url = httpx.URL(await tasks.start(lambda **kw: flet_anyio.serve(main, port=0, **kw)))
            sock.connect((url.host, url.port or 0))
            sock.sendall(b"GET /main.dart.wasm HTTP/1.1\r\nHost: x\r\n\r\n")
            await anyio.to_thread.run_sync(sock.recv, 1000)
            tasks.cancel_scope.cancel()


async def test_an_asgi_app_takes_no_settings_of_flet() -> None:
    with pytest.raises(TypeError, match="assets_dir"):
        await flet_anyio.serve(Starlette(), port=0, assets_dir="x")


async def test_an_address_in_use_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=r"[Aa]ddress already in use"):
            await flet_anyio.serve(main, port=port)


PROGRAM = """
import sys
import flet as ft
import flet_anyio

def main(page: ft.Page):
    page.on_close = lambda: print("closed", flush=True)
    page.add(ft.Text("hello"))

flet_anyio.run(main, backend=sys.argv[1], uvloop=sys.argv[2] == "uvloop", port=0,
               on_start=lambda url: print(url, flush=True))
"""


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_a_program_ends_in_order_when_signalled(
    anyio_backend: Any, anyio_backend_name: str, stop: signal.Signals
) -> None:
    uvloop = "uvloop" if "uvloop" in str(anyio_backend) else "plain"
    command = [sys.executable, "-c", PROGRAM, anyio_backend_name, uvloop]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            visitor = Visitor(url)
            async with anyio.create_task_group() as visits:
                await visits.start(visitor.run)
                process.send_signal(stop)
            assert visitor.close_code == 1012
            assert process.stdout.read() == "closed\n"
            assert process.wait(10) == 0
        finally:
            process.kill()


STUBBORN = """
import logging, sys
import anyio
import flet as ft
import flet_anyio

logging.basicConfig(stream=sys.stdout)

async def stays(page):
    while True:
        try:
            await anyio.sleep(0.01)
        except BaseException:
            pass

def main(page: ft.Page):
    page.run_task(stays, page)

flet_anyio.run(main, backend=sys.argv[1], port=0, limits=flet_anyio.Limits(shutdown_grace=0.2),
               on_start=lambda url: print(url, flush=True))
"""


async def test_code_that_will_not_end_is_named_and_left_behind(anyio_backend_name: str) -> None:
    command = [sys.executable, "-c", STUBBORN, anyio_backend_name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            visitor = Visitor(process.stdout.readline().strip())
            async with anyio.create_task_group() as visits:
                await visits.start(visitor.run)
                process.send_signal(signal.SIGTERM)
            assert visitor.close_code == 1012
            log = await anyio.to_thread.run_sync(process.stdout.read)
            assert process.wait(10) == 1
            assert "was cancelled and goes on" in log
            assert "in stays" in log
        finally:
            process.kill()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_the_program_at_once(
    anyio_backend_name: str, second: signal.Signals
) -> None:
    program = STUBBORN.replace("shutdown_grace=0.2", "shutdown_grace=60")
    command = [sys.executable, "-c", program, anyio_backend_name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            visitor = Visitor(process.stdout.readline().strip())
            async with anyio.create_task_group() as visits:
                await visits.start(visitor.run)
                process.send_signal(signal.SIGTERM)
            assert visitor.close_code == 1012  # so the first signal has been taken
            process.send_signal(second)
            assert process.wait(10) == -second
        finally:
            process.kill()
