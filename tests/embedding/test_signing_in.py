"""Where a provider leads the user back to, in programs that place their own endpoints."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute

import flet_anyio
from flet_anyio import FletApp, FletOAuth
from visits import browsing, visit_asgi
from web.signing_in import begin, signing_in

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.websockets import WebSocket

    from flet_anyio.testing import Client

pytestmark = pytest.mark.anyio

main = signing_in()


async def socket(websocket: WebSocket) -> None:
    await FletApp(main=main).handle(websocket)


async def callback(request: Request) -> Any:
    return await FletOAuth().handle(request)


def cookie_for(client: Client, path: str) -> dict[str, str]:
    """The header field with which the client's browser asks for `path`."""
    (given,) = SimpleCookie(client.transport.headers["set-cookie"]).values()
    inside = f"{path}/".startswith(given["path"].rstrip("/") + "/")
    return {"cookie": f"{given.key}={given.value}"} if inside else {}


@pytest.mark.parametrize(
    ("place", "route"),
    [
        ("/app1/ws", "/oauth_callback"),
        ("/app1/ws", "/app1/oauth_callback"),
        ("/ws", "/a/signed-in"),
        ("/mounted/ws", "/mounted/oauth_callback"),
    ],
)
async def test_the_user_comes_back_to_any_route_of_the_program(place: str, route: str) -> None:
    site = Starlette(
        routes=[
            WebSocketRoute("/app1/ws", socket),
            WebSocketRoute("/ws", socket),
            Mount("/mounted", flet_anyio.app(main)),
            Route(route, callback),
        ]
    )
    async with visit_asgi(site, place) as client, browsing(site) as http:
        state = await begin(client)
        answer = {"state": state, "code": "good"}
        assert (await http.get(route, params=answer)).status_code == 403
        page = await http.get(route, params=answer, headers=cookie_for(client, route))
        assert page.status_code == 200
        await client.see("login 'token for good' None None")
