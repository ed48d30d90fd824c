from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.routing import Mount, WebSocketRoute

import flet_anyio
from flet_anyio import FletApp
from flet_anyio.server import hosted_servers, shut_down
from flet_anyio.web.browser_cookie import browser_cookie, browsers, mark_browsers, new_browser
from web.test_app import Socket, blank

if TYPE_CHECKING:
    from starlette.websockets import WebSocket


A, B = "A" * 40 + "_-9", "b" * 43


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cookie", "names"),
    [
        ("", []),
        (f"flet_anyio_browser={A}", [A]),
        (f"a=b; flet_anyio_browser={A}; c=d", [A]),
        (f"flet_anyio_browser={A}; flet_anyio_browser={B}", [A, B]),
        (f"flet_anyio_browser={A};flet_anyio_browser={B}", [A, B]),
        (f"other_flet_anyio_browser={A}", []),
        (f"x=flet_anyio_browser={A}", []),
        (f"flet_anyio_browser={A}{B}", []),
        ("flet_anyio_browser=short", []),
        (f"flet_anyio_browser={A[:-1]}é", []),
    ],
)
def test_names_are_read_as_they_were_made(cookie: str, names: list[str]) -> None:
    assert browsers({"cookie": cookie}) == names


def test_a_request_may_have_many_cookie_fields() -> None:
    fields = [(b"cookie", b"a=b"), (b"cookie", f"flet_anyio_browser={A}".encode())]
    assert browsers(Headers(raw=fields)) == [A]


def test_names_are_not_guessed() -> None:
    assert len({new_browser() for _ in range(100)}) == 100
    assert {len(new_browser()) for _ in range(10)} == {43}


# --- what is set ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "scheme", "cookie"),
    [
        ("", "http", f"flet_anyio_browser={A}; Path=/; HttpOnly; SameSite=Lax"),
        ("dash", "ws", f"flet_anyio_browser={A}; Path=/dash; HttpOnly; SameSite=Lax"),
        ("/a/b/", "https", f"flet_anyio_browser={A}; Path=/a/b; HttpOnly; SameSite=Lax; Secure"),
        ("", "wss", f"flet_anyio_browser={A}; Path=/; HttpOnly; SameSite=Lax; Secure"),
        ("/@me", "ws", f"flet_anyio_browser={A}; Path=/@me; HttpOnly; SameSite=Lax"),
        ("/é/%20", "ws", f"flet_anyio_browser={A}; Path=/%C3%A9/%20; HttpOnly; SameSite=Lax"),
        ("a;b\r\n", "ws", f"flet_anyio_browser={A}; Path=/a%3Bb%0D%0A; HttpOnly; SameSite=Lax"),
    ],
)
def test_the_cookie_keeps_to_its_app(path: str, scheme: str, cookie: str) -> None:
    assert browser_cookie(A, path=path, scheme=scheme) == cookie


async def get(app: Any, url: str, cookie: str = "") -> httpx.Response:
    headers = {"cookie": cookie} if cookie else {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=headers) as http:
        return await http.get(url)


@pytest.mark.anyio
@pytest.mark.usefixtures("client_files")
@pytest.mark.parametrize("path", ["/", "/store/1"])
async def test_documents_of_the_app_bring_a_cookie(path: str) -> None:
    app = flet_anyio.app(blank)
    answer = await get(app, f"http://test{path}")
    (name,) = browsers({"cookie": answer.headers["set-cookie"].partition(";")[0]})
    assert answer.headers["set-cookie"] == browser_cookie(name, path="/", scheme="http")
    assert answer.headers["cache-control"] == "private, no-cache"
    again = await get(app, f"http://test{path}", f"flet_anyio_browser={name}")
    assert "set-cookie" not in again.headers
    other = await get(app, f"http://test{path}")
    assert other.headers["set-cookie"] != answer.headers["set-cookie"]


@pytest.mark.anyio
@pytest.mark.usefixtures("client_files")
async def test_other_files_bring_none() -> None:
    answer = await get(flet_anyio.app(blank), "http://test/manifest.json")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


@pytest.mark.anyio
@pytest.mark.usefixtures("client_files")
async def test_the_cookie_is_for_where_the_app_is_mounted() -> None:
    inner = flet_anyio.app(blank)
    answer = await get(Starlette(routes=[Mount("/dash", inner)]), "https://test/dash/")
    assert answer.headers["set-cookie"].endswith("; Path=/dash; HttpOnly; SameSite=Lax; Secure")


@pytest.mark.anyio
@pytest.mark.usefixtures("client_files")
async def test_the_cookie_is_for_what_a_proxy_strips() -> None:
    answer = await get(flet_anyio.app(blank, proxy_path="/out"), "http://test/")
    assert "; Path=/out;" in answer.headers["set-cookie"]


@pytest.mark.anyio
async def test_cookies_of_the_app_itself_stay() -> None:
    page = HTMLResponse("", headers={"set-cookie": "own=1"})
    answer = await get(mark_browsers(page), "http://test/")
    assert len(answer.headers.get_list("set-cookie")) == 2


# --- at the handshake -------------------------------------------------------------------------


async def handshake(app: Any, path: str, *, cookie: str = "", scheme: str = "ws") -> list[str]:
    """What a handshake is answered with to set."""
    socket = Socket(app, path)
    socket.scope["scheme"] = scheme
    if cookie:
        socket.scope["headers"].append((b"cookie", cookie.encode()))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(socket.run)
        await socket.say("websocket.connect")
        accepted = await socket.until("websocket.accept")
        await socket.say("websocket.disconnect", code=1001)
    return [text.decode() for name, text in accepted["headers"] if name == b"set-cookie"]


async def handle(websocket: WebSocket) -> None:
    await FletApp(main=blank).handle(websocket)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("mount", "scheme", "end"),
    [
        ("", "ws", "; Path=/; HttpOnly; SameSite=Lax"),
        ("/dash", "ws", "; Path=/; HttpOnly; SameSite=Lax"),
        ("/dash", "wss", "; Path=/; HttpOnly; SameSite=Lax; Secure"),
        # hypercorn's ProxyFixMiddleware calls the scheme of WebSockets so.
        ("/dash", "https", "; Path=/; HttpOnly; SameSite=Lax; Secure"),
    ],
)
async def test_a_handshake_brings_a_cookie(mount: str, scheme: str, end: str) -> None:
    bare = Starlette(routes=[WebSocketRoute("/ws", handle)])
    app = Starlette(routes=[Mount(mount, bare)]) if mount else bare
    (cookie,) = await handshake(app, f"{mount}/ws", scheme=scheme)
    assert cookie.endswith(end)
    assert len(browsers({"cookie": cookie.partition(";")[0]})) == 1
    await shut_down(hosted_servers().values())


@pytest.mark.anyio
async def test_a_handshake_behind_a_proxy_brings_a_cookie_for_what_that_strips() -> None:
    async def handle(websocket: WebSocket) -> None:
        await FletApp(main=blank, proxy_path="/out").handle(websocket)

    bare = Starlette(routes=[WebSocketRoute("/ws", handle)])
    (cookie,) = await handshake(Starlette(routes=[Mount("/dash", bare)]), "/dash/ws")
    assert "; Path=/out;" in cookie
    await shut_down(hosted_servers().values())


@pytest.mark.anyio
async def test_a_browser_that_brings_a_name_keeps_it() -> None:
    app = Starlette(routes=[WebSocketRoute("/ws", handle)])
    assert await handshake(app, "/ws", cookie=f"flet_anyio_browser={A}") == []
    (other,) = await handshake(app, "/ws", cookie="flet_anyio_browser=broken")
    assert "broken" not in other
    await shut_down(hosted_servers().values())
