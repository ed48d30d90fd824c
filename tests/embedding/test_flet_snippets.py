"""Programs as Flet's documentation of its FastAPI module has them, with the import changed.

Each is run as it stands: its app is served in this process, with its lifespan, and a client
sees its page.
"""

from __future__ import annotations

import sys
import textwrap
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from flet_anyio.cli import _settings
from flet_anyio.limits import Limits
from flet_anyio.server import hosted_servers
from flet_anyio.serving.apps import as_asgi, place_for
from flet_anyio.serving.script import load
from visits import browsing, running, visit_asgi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytest.importorskip("fastapi")
pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _plain_path(monkeypatch: pytest.MonkeyPatch) -> None:
    # Programs find their neighbours: each folder that one is loaded from is put in front.
    monkeypatch.setattr(sys, "path", list(sys.path))


def program(text: str, **names: Any) -> dict[str, Any]:
    """Run the text of a program; return what it defines."""
    # As its author writes it: without the future import of this module.
    exec(compile(textwrap.dedent(text), "snippet", "exec", dont_inherit=True), names)
    return names


async def test_one_app() -> None:
    site = program("""
        import flet as ft
        import flet_anyio as flet_fastapi

        async def main(page: ft.Page):
            counter = ft.Text("0", data=0)

            def add_click(e):
                counter.data += 1
                counter.value = str(counter.data)

            page.floating_action_button = ft.FloatingActionButton(content="+", on_click=add_click)
            page.add(counter)

        app = flet_fastapi.app(main)
    """)["app"]
    async with running(site), visit_asgi(site) as client:
        await client.see("0")
        client.fire(client.find(type="FloatingActionButton"), "click")
        await client.see("1")


async def test_several_apps_under_one_domain() -> None:
    site = program("""
        import flet as ft
        import flet_anyio as flet_fastapi

        async def root_main(page: ft.Page):
            page.add(ft.Text("the one at the root"))

        async def sub_main(page: ft.Page):
            page.add(ft.Text("the one below"))

        app = flet_fastapi.FastAPI()

        app.mount("/sub-app", flet_fastapi.app(sub_main))
        app.mount("/", flet_fastapi.app(root_main))
    """)["app"]
    async with running(site), browsing(site) as http:
        assert '<base href="/">' in (await http.get("/")).text
        assert '<base href="/sub-app/">' in (await http.get("/sub-app/")).text
        async with visit_asgi(site, "/ws") as root, visit_asgi(site, "/sub-app/ws") as below:
            await root.see("the one at the root")
            await below.see("the one below")


async def test_flet_in_an_app_of_fastapi() -> None:
    site = program("""
        from contextlib import asynccontextmanager

        import flet as ft
        import flet_anyio as flet_fastapi
        from fastapi import FastAPI

        @asynccontextmanager
        async def lifespan(app: FastAPI):
            await flet_fastapi.app_manager.start()
            yield
            await flet_fastapi.app_manager.shutdown()

        app = FastAPI(lifespan=lifespan)

        async def main(page: ft.Page):
            page.add(ft.Text("inside"))

        app.mount("/flet-app", flet_fastapi.app(main))
    """)["app"]
    async with running(site):
        async with visit_asgi(site, "/flet-app/ws") as client:
            await client.see("inside")
        servers = list(hosted_servers().values())
        assert any(server.sessions for server in servers)
    assert all(server.closed and not server.sessions for server in servers)


async def test_the_clients_files() -> None:
    site = program("""
        from flet_anyio import FastAPI, FletStaticFiles

        app = FastAPI()

        app.mount(path="/", app=FletStaticFiles())
    """)["app"]
    async with running(site), browsing(site) as http:
        assert "<title>Flet</title>" in (await http.get("/")).text
        assert "<title>Flet</title>" in (await http.get("/some/page")).text
        assert (await http.get("/missing.png")).status_code == 404


ENDPOINTS = """
    {asyncio}
    import flet as ft
    from fastapi import FastAPI, Request, WebSocket
    from flet_anyio import FletApp, FletOAuth, FletUpload, app_manager

    app = FastAPI()

    async def main(page: ft.Page):
        page.add(ft.Text(page.get_upload_url("file.txt", 60)))

    @app.websocket("/app1/ws")
    async def flet_app(websocket: WebSocket):
        await FletApp(
            loop={loop},
            executor=app_manager.executor,
            main=main,
            before_main=None,
            upload_endpoint_path="/upload",
        ).handle(websocket)

    @app.put("/upload")
    async def flet_uploads(request: Request):
        await FletUpload(folder).handle(request)

    @app.get("/oauth_callback")
    async def flet_oauth(request: Request):
        return await FletOAuth().handle(request)
"""


async def test_each_endpoint_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend_name: str
) -> None:
    monkeypatch.setenv("FLET_SECRET_KEY", "secret")
    # There is no running loop of asyncio to name on trio.
    on_asyncio = anyio_backend_name == "asyncio"
    loop = "asyncio.get_running_loop()" if on_asyncio else "None"
    text = ENDPOINTS.format(asyncio="import asyncio" if on_asyncio else "", loop=loop)
    site = program(text, folder=str(tmp_path / "up"))["app"]
    async with running(site), visit_asgi(site, "/app1/ws") as client, browsing(site) as http:
        await client.until(lambda: client.texts)
        (url,) = client.texts
        assert urlsplit(url).path == "/upload"
        assert (await http.put(url, content=b"content")).status_code == 200
        assert (tmp_path / "up" / "file.txt").read_bytes() == b"content"
        forged = await http.get("/oauth_callback", params={"state": "forged", "code": "x"})
        assert forged.status_code == 400


# --- programs that end in ft.run, which the command line serves as they are ----------------------


@asynccontextmanager
async def command_line(folder: Path, text: str) -> AsyncIterator[Any]:
    """The ASGI app that `flet-anyio run main.py` serves, with its lifespan."""
    (folder / "main.py").write_text(textwrap.dedent(text))
    script = load(str(folder / "main.py"))
    site = as_asgi(script.main, Limits(), _settings(script, {}))
    async with running(site):
        yield site


async def test_sync_and_async_handlers(tmp_path: Path, anyio_backend_name: str) -> None:
    text = """
        import flet as ft
        import time
        import asyncio

        def main(page: ft.Page):

            def handler(e):
                time.sleep(0.01)
                page.add(ft.Text("a function was called"))

            async def handler_async(e):
                await asyncio.sleep(0.01)
                page.add(ft.Text("a coroutine was called"))

            page.add(
                ft.Button("function", on_click=handler),
                ft.Button("coroutine", on_click=handler_async)
            )

        ft.run(main)
    """
    async with command_line(tmp_path, text) as site, visit_asgi(site) as client:
        await client.click("function")
        await client.see("a function was called")
        if anyio_backend_name == "asyncio":
            await client.click("coroutine")
            await client.see("a coroutine was called")


async def test_an_app_that_is_exported(tmp_path: Path) -> None:
    text = """
        import flet as ft

        def main(page: ft.Page):
            page.add(ft.Text("exported"))

        app = ft.run(main, export_asgi_app=True)
    """
    async with command_line(tmp_path, text) as site, visit_asgi(site) as client:
        await client.see("exported")


async def test_assets_lie_beside_the_program(tmp_path: Path) -> None:
    (tmp_path / "assets" / "images").mkdir(parents=True)
    (tmp_path / "assets" / "images" / "logo.svg").write_text("<svg/>")
    text = """
        import flet as ft

        def main(page: ft.Page):
            page.add(ft.Image(src="/images/logo.svg"))

        ft.run(main, assets_dir="assets")
    """
    async with (
        command_line(tmp_path, text) as site,
        visit_asgi(site) as client,
        browsing(site) as http,
    ):
        await client.until(lambda: any(node.type == "Image" for node in client.page.nodes()))
        path = client.find(type="Image").get("src")
        assert (await http.get(str(path))).text == "<svg/>"


async def test_a_program_that_names_its_path(tmp_path: Path) -> None:
    text = """
        import flet as ft

        def main(page: ft.Page):
            page.add(ft.Text("somewhere"))

        ft.run(main, name="apps/shop")
    """
    (tmp_path / "main.py").write_text(textwrap.dedent(text))
    script = load(str(tmp_path / "main.py"))
    settings = _settings(script, {})
    site = as_asgi(script.main, Limits(), {}, place_for(script.main, settings["path"]))
    async with running(site), visit_asgi(site, "/apps/shop/ws") as client:
        await client.see("somewhere")
