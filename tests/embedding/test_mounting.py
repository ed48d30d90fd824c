"""An app mounted in another one that knows nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flet as ft
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import flet_anyio
from flet_anyio.server import hosted_servers
from visits import browsing, running, visit_asgi
from waiting import gone, reached

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flet_anyio.session import Session

pytestmark = pytest.mark.anyio


def in_starlette(app: Any) -> Any:
    return Starlette(routes=[Mount("/dash", app)])


def in_fastapi(app: Any) -> Any:
    site = pytest.importorskip("fastapi").FastAPI()
    site.mount("/dash", app)
    return site


@pytest.fixture(params=[in_starlette, in_fastapi])
def mounted(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    mount: Callable[[Any], Any] = request.param
    return mount


def sessions() -> list[Session]:
    return [session for server in hosted_servers().values() for session in server.sessions]


def counter(page: ft.Page) -> None:
    def click() -> None:
        count.value = str(int(count.value) + 1)

    count = ft.Text("0")
    page.add(count, ft.Button("add", on_click=click), ft.Text(f"{page.name} {page.route}"))


async def test_a_client_comes_back_to_its_session(mounted: Callable[[Any], Any]) -> None:
    site = mounted(flet_anyio.app(counter))
    async with running(site):
        async with visit_asgi(site, "/dash/ws", route="/item/5") as client:
            await client.see("dash /item/5")
            await client.click("add")
            await client.see("1")
            await gone(client)
        assert len(sessions()) == 1
        async with visit_asgi(site, "/dash/ws", after=client) as again:
            await again.see("1")
        assert len(sessions()) == 1


async def test_a_session_ends_when_its_time_is_up(mounted: Callable[[Any], Any]) -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        page.on_close = lambda: log.append("closed")
        page.add(ft.Text("ready"))

    site = mounted(flet_anyio.app(main, session_timeout_seconds=0))
    async with running(site):
        async with visit_asgi(site, "/dash/ws") as client:
            await client.see("ready")
        await reached(lambda: not sessions())
    assert log == ["closed"]


async def test_pages_uploads_and_sign_in_are_below_its_path(
    mounted: Callable[[Any], Any], tmp_path: Path
) -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Text(page.get_upload_url("a/file.txt", 60)))

    site = mounted(flet_anyio.app(main, upload_dir=str(tmp_path / "up"), secret_key="secret"))
    async with running(site), browsing(site) as http:
        page = (await http.get("/dash/")).text
        assert '<base href="/dash/">' in page
        assert 'flet.webSocketEndpoint="/dash/ws"' in page
        assert (await http.get("/dash/-/ready")).text == "ready"
        state = {"state": "forged", "code": "x"}
        assert (await http.get("/dash/oauth_callback", params=state)).status_code == 400
        assert (await http.get("/oauth_callback", params=state)).status_code == 404
        async with visit_asgi(site, "/dash/ws") as client:
            await client.until(lambda: client.texts)
            (url,) = client.texts
            assert url.startswith("/dash/upload?")
            assert (await http.put(url, content=b"content")).status_code == 200
    assert (tmp_path / "up" / "a" / "file.txt").read_bytes() == b"content"


async def test_mounts_may_lie_in_one_another_below_a_servers_own_path(tmp_path: Path) -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Text(page.name), ft.Text(page.get_upload_url("file.txt", 60)))

    inner = flet_anyio.app(main, upload_dir=str(tmp_path / "up"), secret_key="secret")
    site = Starlette(routes=[Mount("/a", Starlette(routes=[Mount("/b", inner)]))])
    async with (
        visit_asgi(site, "/root/a/b/ws", root_path="/root") as client,
        browsing(site, "/root") as http,
    ):
        await client.see("root/a/b")
        url = client.texts[1]
        assert url.startswith("/root/a/b/upload?")
        assert (await http.put(url, content=b"content")).status_code == 200
        assert '<base href="/root/a/b/">' in (await http.get("/root/a/b/")).text


async def test_a_part_of_the_path_may_be_the_visitors() -> None:
    site = Starlette(routes=[Mount("/{team}", flet_anyio.app(counter))])
    async with visit_asgi(site, "/red/ws") as red, visit_asgi(site, "/blue/ws") as blue:
        await red.see("red /")
        await blue.see("blue /")
        await gone(red)
        # A session belongs to the place where it began.
        async with visit_asgi(site, "/blue/ws", after=red) as stranger:
            await stranger.see("blue /")
        assert len(sessions()) == 3
