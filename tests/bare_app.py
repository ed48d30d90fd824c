"""Apps for tests of servers, of `FletApp` in a route alone: none is made by `flet_anyio.app`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import flet as ft
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

import flet_anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.websockets import WebSocket


def main(page: ft.Page) -> None:
    page.add(ft.Text("hello"))


async def handle(websocket: WebSocket) -> None:
    await flet_anyio.FletApp(main=main).handle(websocket)


@asynccontextmanager
async def lifespan(site: Starlette) -> AsyncIterator[None]:
    await flet_anyio.app_manager.start()
    yield
    await flet_anyio.app_manager.shutdown()


unguarded = Starlette(routes=[WebSocketRoute("/ws", handle)])
app = Starlette(routes=unguarded.routes, lifespan=lifespan)
