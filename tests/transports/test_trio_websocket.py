from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import flet as ft
import pytest
from flet.messaging.protocol import MessageAction
from websockets.exceptions import InvalidStatus

from flet_anyio import FletApp, Server
from sockets import Socket, open_socket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

trio = pytest.importorskip("trio")
trio_websocket = pytest.importorskip("trio_websocket")
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


def main(page: ft.Page) -> None:
    page.add(ft.Text(f"{page.url} {page.name}"))


async def visit(handler: Any, talk: Callable[[Socket], Awaitable[None]]) -> None:
    """Serve on a free port, and have one client talk."""
    async with trio.open_nursery() as nursery:
        listen = partial(trio_websocket.serve_websocket, handler, "127.0.0.1", 0, ssl_context=None)
        listener = await nursery.start(listen)
        async with open_socket(f"ws://127.0.0.1:{listener.port}/shop/ws?x=1") as socket:
            await talk(socket)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("accepted", [False, True], ids=["request", "connection"])
async def test_a_request_and_an_accepted_connection_are_served(accepted: bool) -> None:
    async with Server() as server:

        async def handler(request: Any) -> None:
            websocket = await request.accept() if accepted else request
            await FletApp(main=main, server=server).handle(websocket)

        async def talk(socket: Socket) -> None:
            await socket.register()
            action, _ = await socket.receive()
            assert action is MessageAction.REGISTER_CLIENT
            shown = await socket.receive_until(lambda body: "Text" in str(body))
            assert "/shop shop" in str(shown)

        await visit(handler, talk)


async def test_a_request_of_another_site_is_rejected() -> None:
    async with Server() as server:

        async def handler(request: Any) -> None:
            await FletApp(main=main, server=server).handle(request)

        async with trio.open_nursery() as nursery:
            listen = partial(trio_websocket.serve_websocket, handler, "127.0.0.1", 0)
            listener = await nursery.start(partial(listen, ssl_context=None))
            with pytest.raises(InvalidStatus, match="403"):
                async with open_socket(f"ws://127.0.0.1:{listener.port}/ws", "http://evil.com"):
                    pass
            nursery.cancel_scope.cancel()


async def test_the_answer_to_a_request_names_the_browser() -> None:
    async with Server() as server:

        async def handler(request: Any) -> None:
            await FletApp(main=main, server=server).handle(request)

        async def talk(socket: Socket) -> None:
            cookie = socket.headers["set-cookie"]
            assert cookie.startswith("flet_anyio_browser=")
            assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")

        await visit(handler, talk)


async def test_a_text_frame_is_answered_with_its_close_code() -> None:
    async with Server() as server:

        async def handler(request: Any) -> None:
            await FletApp(main=main, server=server).handle(request)

        async def talk(socket: Socket) -> None:
            await socket.send_text("text")
            assert await socket.wait_goodbye() == 1003

        await visit(handler, talk)


async def test_a_client_that_leaves_detaches_its_session() -> None:
    async with Server() as server:
        left = trio.Event()

        async def handler(request: Any) -> None:
            await FletApp(main=main, server=server).handle(request)
            left.set()

        async def talk(socket: Socket) -> None:
            await socket.register()
            await socket.receive()
            (session,) = server.sessions
            assert session.attached
            await socket.hang_up()
            await left.wait()
            assert not session.attached

        await visit(handler, talk)
