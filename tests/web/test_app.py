from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import flet as ft
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import flet_anyio
from flet_anyio.server import hosted_servers, shut_down
from flet_anyio.web.app import FletAsgi
from waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def blank(page: ft.Page) -> None:
    page.add(ft.Text("ready"))


class Socket:
    """A client's end of an ASGI WebSocket: registers, and takes what comes."""

    def __init__(self, app: Any, path: str, root_path: str = "", origin: str | None = None) -> None:
        self._app = app
        origins = [] if origin is None else [(b"origin", origin.encode())]
        self.scope: dict[str, Any] = {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "root_path": root_path,
            "query_string": b"",
            "headers": [(b"host", b"test"), *origins],
            "scheme": "ws",
            "server": ("test", 80),
            "client": ("127.0.0.1", 1),
            "subprotocols": [],
            "state": {},
        }
        self._to_app, self._receive = anyio.create_memory_object_stream[Any](10)
        self.sent: list[Any] = []
        self.changed = anyio.Event()

    async def run(self) -> None:
        with self._receive, self._to_app:
            await self._app(self.scope, self._receive.receive, self._send)

    async def _send(self, message: Any) -> None:
        self.sent.append(message)
        self.changed.set()
        self.changed = anyio.Event()

    async def until(self, kind: str) -> Any:
        with anyio.fail_after(PATIENCE):
            while True:
                for message in self.sent:
                    if message["type"] == kind:
                        return message
                await self.changed.wait()

    async def say(self, kind: str, **message: Any) -> None:
        await self._to_app.send({"type": kind, **message})


REGISTER = bytes.fromhex("009201") + b"\x82\xa4page\x80\xaasession_id\xc0"


async def visit(app: Any, path: str, session: list[Any]) -> None:
    """Register at `path` and leave; `main` puts its page into `session`."""
    socket = Socket(app, path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(socket.run)
        await socket.say("websocket.connect")
        await socket.until("websocket.accept")
        await socket.say("websocket.receive", bytes=REGISTER)
        await socket.until("websocket.send")
        with anyio.fail_after(PATIENCE):
            while not session:
                await anyio.lowlevel.checkpoint()
        await socket.say("websocket.disconnect", code=1001)


def uploading(urls: list[str]) -> Any:
    def main(page: ft.Page) -> None:
        urls.append(page.get_upload_url("folder/file.txt", 60))

    return main


async def put(app: Any, url: str, content: bytes) -> int:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        return (await http.put(url, content=content)).status_code


@pytest.mark.usefixtures("client_files")
@pytest.mark.parametrize("mount", ["", "/dash"])
@pytest.mark.parametrize("endpoint", [None, "files", "/files/in/"])
async def test_upload_urls_lead_to_the_upload_route(
    tmp_path: Path, mount: str, endpoint: str | None
) -> None:
    urls: list[str] = []
    inner = flet_anyio.app(
        uploading(urls),
        upload_dir=str(tmp_path / "up"),
        secret_key="secret",
        upload_endpoint_path=endpoint,
    )
    app = Starlette(routes=[Mount(mount, inner)]) if mount else inner
    await visit(app, f"{mount}/ws", urls)
    assert urls[0].startswith(f"{mount}/{(endpoint or 'upload').strip('/')}?")
    assert await put(app, urls[0], b"content") == 200
    assert (tmp_path / "up" / "folder" / "file.txt").read_bytes() == b"content"


@pytest.mark.usefixtures("client_files")
async def test_the_upload_route_may_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLET_UPLOAD_HANDLER_ENDPOINT", "files")
    urls: list[str] = []
    app = flet_anyio.app(uploading(urls), upload_dir=str(tmp_path), secret_key="secret")
    await visit(app, "/ws", urls)
    assert urls[0].startswith("/files?")
    assert await put(app, urls[0], b"content") == 200


@pytest.mark.usefixtures("client_files")
async def test_without_a_secret_a_random_one_is_made_and_a_warning_given(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    urls: list[str] = []
    app = flet_anyio.app(uploading(urls), upload_dir=str(tmp_path))
    assert "random" in caplog.text
    await visit(app, "/ws", urls)
    assert await put(app, urls[0], b"content") == 200


@pytest.mark.usefixtures("client_files")
async def test_the_lifespan_opens_and_closes_a_server() -> None:
    app = flet_anyio.app(blank)
    assert app.site.server is None
    async with app.router.lifespan_context(app):
        assert app.site.server is not None
        assert app.site.server.opened.is_set()
        server = app.site.server
    assert server.closed
    assert app.site.server is None


@pytest.mark.usefixtures("client_files")
async def test_an_unknown_oauth_state_is_refused() -> None:
    app = flet_anyio.app(blank)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.get("/oauth_callback", params={"state": "forged", "code": "x"})
    assert answer.status_code == 400


async def test_a_missing_client_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLET_WEB_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(flet_anyio.ClientMissingError, match=r"flet-anyio\[web\]"):
        flet_anyio.app(blank)


@pytest.mark.usefixtures("client_files")
async def test_it_is_an_asgi_app_of_its_own_kind() -> None:
    assert isinstance(flet_anyio.app(blank), FletAsgi)


@pytest.mark.usefixtures("client_files")
async def test_a_shutdown_turns_readiness_red_and_sockets_away() -> None:
    app = flet_anyio.app(blank)
    async with app.router.lifespan_context(app):
        assert await get(app, "/-/ready") == (200, "ready")
        assert await denied(app) is None
        await app.shutdown()
        assert await get(app, "/-/ready") == (503, "shutting down")
        assert await denied(app) == 503


@pytest.mark.usefixtures("client_files")
async def test_an_app_without_a_lifespan_is_as_ready_as_the_loops_server() -> None:
    pages: list[Any] = []
    app = flet_anyio.app(pages.append)
    assert await get(app, "/-/ready") == (200, "ready")
    await visit(app, "/ws", pages)
    assert await get(app, "/-/ready") == (200, "ready")
    await shut_down(hosted_servers().values())
    assert await get(app, "/-/ready") == (503, "shutting down")


@pytest.mark.usefixtures("client_files")
async def test_while_a_lifespan_ends_nobody_is_let_in() -> None:
    asked: list[Any] = []
    app: FletAsgi

    def main(page: ft.Page) -> None:
        pages.append(page)

        async def say_goodbye() -> None:
            asked.append(await get(app, "/-/ready"))
            asked.append(await denied(app))

        page.on_close = say_goodbye

    pages: list[Any] = []
    app = flet_anyio.app(main)
    async with app.router.lifespan_context(app):
        await visit(app, "/ws", pages)
    assert asked == [(503, "shutting down"), 503]


@pytest.mark.usefixtures("client_files")
async def test_what_comes_after_a_shutdown_does_not_open_the_app_again(tmp_path: Path) -> None:
    urls: list[str] = []
    app = flet_anyio.app(uploading(urls), upload_dir=str(tmp_path), secret_key="secret")
    await visit(app, "/ws", urls)
    await app.shutdown()
    # The session of the grant is over, and that is not forgotten.
    assert await put(app, urls[0], b"content") == 410
    assert (await get(app, "/oauth_callback?state=a&code=b"))[0] == 400
    assert await get(app, "/-/ready") == (503, "shutting down")
    assert await denied(app) == 503


@pytest.mark.usefixtures("client_files")
@pytest.mark.parametrize(("path", "there"), [("healthy", "/healthy"), ("/a/b/", "/a/b")])
async def test_the_readiness_route_may_be_elsewhere(path: str, there: str) -> None:
    app = flet_anyio.app(blank, readiness_path=path)
    assert await get(app, there) == (200, "ready")
    assert "flet" in (await get(app, "/-/ready"))[1].lower()


@pytest.mark.usefixtures("client_files")
async def test_the_readiness_route_may_be_nowhere() -> None:
    app = flet_anyio.app(blank, readiness_path=None)
    assert "flet" in (await get(app, "/-/ready"))[1].lower()


# --- origins ----------------------------------------------------------------------------------


async def test_a_websocket_of_another_site_is_turned_away() -> None:
    app = flet_anyio.app(blank)
    assert await denied(app, origin="http://test") is None
    assert await denied(app, origin="http://evil.com") == 403
    allowing = flet_anyio.app(blank, allowed_origins=["http://pages.com"])
    assert await denied(allowing, origin="http://pages.com") is None
    assert await denied(allowing, origin="http://evil.com") == 403


async def test_a_refused_socket_is_closed_where_there_is_no_other_answer() -> None:
    socket = Socket(flet_anyio.app(blank), "/ws", origin="http://evil.com")
    await socket.say("websocket.connect")
    await socket.run()
    assert [(one["type"], one["code"]) for one in socket.sent] == [("websocket.close", 1008)]


@pytest.mark.parametrize("host", [b"[", b"]", b"a[b", b"a b", b"\xbd", b""])
async def test_a_host_that_is_none_is_no_failure_of_ours(host: bytes) -> None:
    app = flet_anyio.app(blank)
    assert await denied(app, host=host) is None
    assert await denied(app, host=host, origin="http://test") == 403


async def test_an_upload_from_another_site_is_refused(tmp_path: Path) -> None:
    app = flet_anyio.app(blank, upload_dir=str(tmp_path), secret_key="key")
    assert (await from_origin(app, "PUT", "http://evil.com")).status_code == 403
    # Whether it is signed is asked next.
    assert (await from_origin(app, "PUT", "http://test")).status_code == 400
    assert (await from_origin(app, "OPTIONS", "http://evil.com")).status_code == 405


@pytest.mark.parametrize("allowed", ["http://pages.com", "*"])
async def test_a_page_of_another_site_may_upload_where_that_is_allowed(
    tmp_path: Path, allowed: str
) -> None:
    settings: Any = {"upload_dir": str(tmp_path), "secret_key": "key"}
    app = flet_anyio.app(blank, allowed_origins=[allowed], **settings)
    asked = await from_origin(app, "OPTIONS", "http://pages.com", preflight="PUT")
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == allowed
    answer = await from_origin(app, "PUT", "http://pages.com")
    assert answer.status_code == 400
    assert answer.headers["access-control-allow-origin"] == allowed
    # A question that is none is no upload either.
    assert (await from_origin(app, "OPTIONS", "http://pages.com")).status_code == 405


async def test_no_header_of_a_page_lets_other_sites_read_it() -> None:
    answer = await from_origin(flet_anyio.app(blank), "GET", "http://evil.com", path="/")
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


async def from_origin(
    app: Any, method: str, origin: str, *, path: str = "/upload", preflight: str | None = None
) -> httpx.Response:
    headers = {"Origin": origin}
    if preflight is not None:
        headers["Access-Control-Request-Method"] = preflight
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        return await http.request(method, path, headers=headers)


async def get(app: Any, path: str) -> tuple[int, str]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.get(path)
    return answer.status_code, answer.text


async def denied(app: Any, *, origin: str | None = None, host: bytes = b"test") -> int | None:
    """The status with which a WebSocket is turned away, or None when it is let in."""
    socket = Socket(app, "/ws", origin=origin)
    socket.scope["headers"][0] = (b"host", host)
    socket.scope["extensions"] = {"websocket.http.response": {}}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(socket.run)
        await socket.say("websocket.connect")
        while not socket.sent:
            await socket.changed.wait()
        status: int | None = socket.sent[0].get("status")
        if status is None:
            await socket.say("websocket.disconnect", code=1001)
    return status


@pytest.mark.usefixtures("client_files")
async def test_middleware_that_is_added_sees_websockets_too() -> None:
    sessions: list[Any] = []
    seen: list[Any] = []

    class Seeing:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append((scope["type"], scope["app"]))
            await self.app(scope, receive, send)

    app = flet_anyio.app(sessions.append)
    app.add_middleware(Seeing)
    await visit(app, "/ws", sessions)
    assert seen == [("websocket", app)]
