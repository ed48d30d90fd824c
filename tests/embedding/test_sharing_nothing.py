"""Several apps in one event loop, mounted with no lifespan of theirs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import flet as ft
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import flet_anyio
from flet_anyio.server import hosted_servers, shut_down
from visits import browsing, visit_asgi, visit_url
from waiting import gone

if TYPE_CHECKING:
    from pathlib import Path

    from flet_anyio.server import Server

pytestmark = pytest.mark.anyio


def chat(page: ft.Page) -> None:
    page.pubsub.subscribe(lambda text: page.add(ft.Text(text)))
    page.add(ft.Button("say", on_click=lambda: page.pubsub.send_all("hello")))


def fail(page: ft.Page) -> None:
    raise RuntimeError("a secret of the app")


def twice(**settings: Any) -> Starlette:
    """One `main`, mounted two times."""
    return Starlette(
        routes=[
            Mount("/one", flet_anyio.app(chat, **settings)),
            Mount("/two", flet_anyio.app(chat, **settings)),
        ]
    )


def server_at(site: Starlette, place: int) -> Server:
    return hosted_servers()[site.routes[place].app.site]  # type: ignore[attr-defined]


async def test_sessions_and_messages_stay_in_their_app() -> None:
    site = twice()
    async with visit_asgi(site, "/one/ws") as one, visit_asgi(site, "/two/ws") as two:
        async with visit_asgi(site, "/one/ws") as neighbour:
            await one.click("say")
            await neighbour.see("hello")
        assert len(server_at(site, 0).sessions) == 2
        assert len(server_at(site, 1).sessions) == 1
        # What went out before this click would be here by now.
        await two.click("say")
        await two.see("hello")
        assert two.texts.count("hello") == 1


async def test_no_app_finds_the_session_of_another() -> None:
    site = twice()
    async with visit_asgi(site, "/one/ws") as one:
        await one.see("say")
        await gone(one)
    async with visit_asgi(site, "/two/ws", after=one) as stranger:
        await stranger.see("say")
        assert len(server_at(site, 1).sessions) == 1
    async with visit_asgi(site, "/one/ws", after=one) as again:
        await again.see("say")
        assert len(server_at(site, 0).sessions) == 1


async def test_a_grant_for_one_app_is_refused_by_another(tmp_path: Path) -> None:
    urls: list[str] = []

    def main(page: ft.Page) -> None:
        urls.append(page.get_upload_url("file.txt", 60))
        page.add(ft.Text("ready"))

    site = Starlette(
        routes=[
            Mount("/one", flet_anyio.app(main, upload_dir=str(tmp_path / "one"))),
            Mount("/two", flet_anyio.app(main, upload_dir=str(tmp_path / "two"))),
        ]
    )
    async with visit_asgi(site, "/one/ws") as client, browsing(site) as http:
        await client.see("ready")
        query = urlsplit(urls[0]).query
        assert (await http.put(f"/two/upload?{query}", content=b"x")).status_code == 403
        assert (await http.put(urls[0], content=b"x")).status_code == 200
    assert (tmp_path / "one" / "file.txt").read_bytes() == b"x"
    assert not (tmp_path / "two" / "file.txt").exists()


async def test_each_app_has_its_own_answer_to_debug() -> None:
    site = Starlette(
        routes=[
            Mount("/open", flet_anyio.app(fail, debug=True)),
            Mount("/closed", flet_anyio.app(fail)),
        ]
    )
    async with visit_asgi(site, "/open/ws") as client:
        await client.until(lambda: client.errors)
        assert "secret" in client.errors[0]
    async with visit_asgi(site, "/closed/ws") as client:
        await client.until(lambda: client.errors)
        assert "secret" not in client.errors[0]


async def test_each_app_has_its_own_limits() -> None:
    limits = flet_anyio.Limits(shutdown_grace=3)
    site = Starlette(
        routes=[
            Mount("/short", flet_anyio.app(chat, limits=limits)),
            Mount("/long", flet_anyio.app(chat)),
        ]
    )
    async with visit_asgi(site, "/short/ws"), visit_asgi(site, "/long/ws"):
        assert server_at(site, 0).limits is limits
        assert server_at(site, 1).limits == flet_anyio.Limits()


async def test_after_a_shutdown_of_its_server_an_app_takes_nobody() -> None:
    site = twice()
    async with visit_asgi(site, "/one/ws") as one:
        await one.see("say")
        await shut_down([server_at(site, 0)])
        await one.until(lambda: one.closed)
        assert one.transport.close_code == 1012
    async with visit_asgi(site, "/one/ws") as refused, visit_asgi(site, "/two/ws") as other:
        assert not refused.registered
        await other.see("say")


@pytest.mark.slow
@pytest.mark.usefixtures("hypercorn_runs")
async def test_a_server_that_is_cancelled_ends_the_sessions_of_its_own_apps_only() -> None:
    serving: list[anyio.CancelScope] = []

    async def serve(site: Any, *, task_status: Any) -> None:
        with anyio.CancelScope() as scope:
            serving.append(scope)
            await flet_anyio.serve(site, port=0, task_status=task_status)

    async with anyio.create_task_group() as tasks:
        start = partial(tasks.start, serve)
        one = await start(twice())
        two = await start(Wrapped(flet_anyio.app(chat)))
        async with visit_url(f"{one}one/ws") as left, visit_url(f"{two}ws") as right:
            await left.see("say")
            await right.see("say")
            serving[0].cancel()
            await left.until(lambda: left.closed)
            assert left.transport.close_code == 1012
            await right.click("say")
            await right.see("hello")
            serving[1].cancel()
            await right.until(lambda: right.closed)
            assert right.transport.close_code == 1012


class Wrapped:
    """An ASGI app that nobody takes for one of Flet's."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)
