"""Uploads through real servers, and through proxies and mounts under a prefix."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import flet as ft
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute

import flet_anyio
from flet_anyio.web.uploads.grants import GrantSigner
from sockets import open_socket
from stripping_proxy import serve_proxy
from waiting import PATIENCE, reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send
    from starlette.websockets import WebSocket

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.usefixtures("hypercorn_runs")]

PREFIX = "/apps/mine"


class Uploading:
    """An app that asks for a URL for each of its sessions."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def __call__(self, page: ft.Page) -> None:
        self.urls.append(page.get_upload_url("folder/ä file.txt", 60))
        page.add(ft.Text("ready"))


@asynccontextmanager
async def serving(asgi: Any, *, prefix: str = "", strip: bool = True) -> AsyncIterator[str]:
    """Serve an app, behind a proxy when there is a prefix. Gives the URL for browsers."""
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(partial(flet_anyio.serve, asgi, port=0))
        if prefix:
            port = urlsplit(url).port
            url = await tasks.start(partial(serve_proxy, port, prefix, strip=strip))
        yield url.rstrip("/")
        tasks.cancel_scope.cancel()


async def put(page_url: str, url: str, content: bytes = b"content") -> int:
    """Do what Flet's client does: the URL is relative to the root of the page's host."""
    host = urlsplit(page_url)
    async with httpx.AsyncClient() as http:
        with anyio.fail_after(PATIENCE):
            answer = await http.put(f"{host.scheme}://{host.netloc}{url}", content=content)
    return answer.status_code


async def upload_once(page_url: str, main: Uploading, folder: Path) -> None:
    async with open_socket(page_url.replace("http", "ws", 1) + "/ws") as socket:
        await socket.register()
        await reached(lambda: main.urls)
        assert await put(page_url, main.urls[0]) == 200
        assert await put(page_url, main.urls[0]) == 409
    assert (folder / "folder" / "ä file.txt").read_bytes() == b"content"


def app_of(main: Uploading, folder: Path, **settings: Any) -> Any:
    return flet_anyio.app(main, upload_dir=str(folder), secret_key="secret", **settings)


def mounted(path: str, asgi: ASGIApp) -> Starlette:
    return Starlette(routes=[Mount(path, asgi)])


def rooted(asgi: ASGIApp, *, path_has_it: bool, root: str | None = None) -> ASGIApp:
    """Tell an app its root, as servers do; or from a header, as middleware behind proxies does."""

    async def rooted_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            headers = dict(scope["headers"])
            prefix = headers[b"x-forwarded-prefix"].decode() if root is None else root
            path = prefix + scope["path"] if path_has_it else scope["path"]
            scope = {**scope, "root_path": prefix, "path": path}
        await asgi(scope, receive, send)

    return rooted_app


# Each makes an app, and says where browsers find it: the prefix and the mount.
DEPLOYMENTS: dict[str, Callable[[Any, Any], tuple[Any, str, str, bool]]] = {
    "alone": lambda main, up: (app_of(main, up), "", "", True),
    "mounted": lambda main, up: (mounted("/dash", app_of(main, up)), "", "/dash", True),
    "stripping proxy": lambda main, up: (app_of(main, up, proxy_path=PREFIX), PREFIX, "", True),
    "stripping proxy, mounted": lambda main, up: (
        mounted("/dash", app_of(main, up, proxy_path=PREFIX)),
        *(PREFIX, "/dash", True),
    ),
    "proxy that does not strip": lambda main, up: (
        mounted(PREFIX, app_of(main, up)),
        *(PREFIX, "", False),
    ),
    "root path, as uvicorn has it": lambda main, up: (
        rooted(app_of(main, up), path_has_it=True, root=PREFIX),
        *(PREFIX, "", True),
    ),
    "root path, as hypercorn has it": lambda main, up: (
        rooted(app_of(main, up), path_has_it=False, root=PREFIX),
        *(PREFIX, "", True),
    ),
    "root path, mounted": lambda main, up: (
        rooted(mounted("/dash", app_of(main, up)), path_has_it=True, root=PREFIX),
        *(PREFIX, "/dash", True),
    ),
    "root path from a header": lambda main, up: (
        rooted(app_of(main, up), path_has_it=True),
        *(PREFIX, "", True),
    ),
    "root path, routes of one's own": lambda main, up: (
        rooted(routes_of(main, up), path_has_it=False, root=PREFIX),
        *(PREFIX, "", True),
    ),
    "stripping proxy, routes of one's own": lambda main, up: (
        routes_of(main, up, proxy_path=PREFIX),
        *(PREFIX, "", True),
    ),
}


def routes_of(main: Uploading, folder: Path, **settings: Any) -> Starlette:
    """An app of one's own with Flet in its routes. Nothing but the secret is shared."""

    async def serve_socket(websocket: WebSocket) -> None:
        await flet_anyio.FletApp(main=main, secret_key="secret", **settings).handle(websocket)

    async def upload(request: Request) -> Response:
        return await flet_anyio.FletUpload(folder, secret_key="secret").handle(request)

    return Starlette(
        routes=[WebSocketRoute("/ws", serve_socket), Route("/upload", upload, methods=["PUT"])]
    )


@pytest.mark.usefixtures("client_files")
@pytest.mark.parametrize("deployment", DEPLOYMENTS)
async def test_the_url_is_one_that_a_browser_can_put_to(tmp_path: Path, deployment: str) -> None:
    main = Uploading()
    asgi, prefix, mount, strip = DEPLOYMENTS[deployment](main, tmp_path)
    async with serving(asgi, prefix=prefix, strip=strip) as url:
        await upload_once(url + mount, main, tmp_path)
        assert urlsplit(main.urls[0]).path == f"{prefix}{mount}/upload"


@pytest.mark.usefixtures("client_files")
async def test_apps_beside_each_other_take_no_grants_of_the_other(tmp_path: Path) -> None:
    """Also where they share the secret, as through the environment."""
    main, other = Uploading(), Uploading()
    both = Starlette(
        routes=[
            Mount("/a", app_of(main, tmp_path / "a")),
            Mount("/b", app_of(other, tmp_path / "b")),
        ]
    )
    async with (
        serving(both) as url,
        open_socket(url.replace("http", "ws", 1) + "/a/ws") as socket,
    ):
        await socket.register()
        await reached(lambda: main.urls)
        assert await put(url, main.urls[0].replace("/a/", "/b/")) == 403
        assert await put(url, main.urls[0]) == 200


# What a client sees that is refused


async def talk(url: str, head: str, *bodies: bytes) -> bytes:
    """Send a request by hand; return all that comes until the server closes the connection."""
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    with anyio.fail_after(PATIENCE):
        async with await anyio.connect_tcp(address.hostname, address.port) as stream:
            await stream.send(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
            for body in bodies:
                await stream.send(body)
            received = b""
            try:
                async for chunk in stream:
                    received += chunk
            except anyio.BrokenResourceError:
                pass  # reset: what was sent had not all been read
            return received


def head_of(length: int, path: str | None = None) -> str:
    path = path or GrantSigner("secret").sign("upload", "a", 60)
    return f"PUT {path} HTTP/1.1\nHost: x\nContent-Length: {length}"


@pytest.mark.usefixtures("client_files")
async def test_a_refusal_is_told_before_the_body_and_closes_the_connection(tmp_path: Path) -> None:
    app = app_of(Uploading(), tmp_path, max_upload_size=10)
    async with serving(app) as url:
        assert b" 413 " in await talk(url, head_of(11))
        assert b" 403 " in await talk(url, head_of(5, "/upload?grant=forged"))


@pytest.mark.usefixtures("client_files")
async def test_silence_is_refused_and_closes_the_connection(tmp_path: Path) -> None:
    limits = flet_anyio.Limits(upload_timeout=0.2)
    async with serving(app_of(Uploading(), tmp_path / "up", limits=limits)) as url:
        assert b" 408 " in await talk(url, head_of(11), b"12345")
        assert list((tmp_path / "up").iterdir()) == []


@pytest.mark.usefixtures("client_files")
async def test_a_client_that_goes_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "up"
    async with serving(app_of(Uploading(), folder)) as url:
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        stream = await anyio.connect_tcp(address.hostname, address.port)
        head = head_of(1_000_000, GrantSigner("secret").sign("upload", "x/a", 60))
        await stream.send(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + b"x" * 300_000)
        await reached(lambda: list(folder.rglob(".flet-*.part")))
        await stream.aclose()
        await reached(lambda: not list(folder.iterdir()))


@pytest.mark.usefixtures("client_files")
async def test_what_was_left_is_swept_as_the_server_starts(tmp_path: Path) -> None:
    left = tmp_path / (".flet-" + "0" * 32 + ".part")
    left.write_bytes(b"partial")
    async with serving(app_of(Uploading(), tmp_path)):
        await reached(lambda: not left.exists())
