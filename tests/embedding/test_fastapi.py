from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import flet as ft
import pytest

import flet_anyio
from flet_anyio.server import hosted_servers
from visits import browsing, running, visit_asgi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

fastapi = pytest.importorskip("fastapi")
pytestmark = pytest.mark.anyio


def main(page: ft.Page) -> None:
    page.add(ft.Text("hello"))


class Steps:
    """What happened, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def say(self, word: str) -> Any:
        return lambda: self.log.append(word)

    def say_later(self, word: str) -> Any:
        async def say() -> None:
            self.log.append(word)

        return say

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[dict[str, str]]:
        assert not any(server.closed for server in hosted_servers().values())
        self.log.append("lifespan begins")
        yield {"word": "state"}
        self.log.append("lifespan ends")
        assert not any(server.closed for server in hosted_servers().values())


async def test_the_hosts_own_start_and_end_are_called_inside_the_managers() -> None:
    steps = Steps()
    site = flet_anyio.FastAPI(
        on_startup=[steps.say("up"), steps.say_later("up later")],
        on_shutdown=[steps.say("down"), steps.say_later("down later")],
        lifespan=steps.lifespan,
    )
    site.mount("/page", flet_anyio.app(main))
    async with running(site):
        assert steps.log == ["up", "up later", "lifespan begins"]
        async with visit_asgi(site, "/page/ws") as client:
            await client.see("hello")
            assert len(hosted_servers()) == 2
    assert steps.log[3:] == ["lifespan ends", "down", "down later"]
    assert all(server.closed for server in hosted_servers().values())


async def test_a_start_that_fails_leaves_nothing_running() -> None:
    def fail() -> None:
        raise OSError("no database")

    site = flet_anyio.FastAPI(on_startup=[fail])
    with pytest.raises(OSError, match="no database"):
        async with site.router.lifespan_context(site):
            pass
    assert all(server.closed for server in hosted_servers().values())


async def test_the_manager_shuts_down_even_if_the_hosts_end_fails() -> None:
    def fail() -> None:
        raise OSError("no database")

    site = flet_anyio.FastAPI(on_shutdown=[fail])
    with pytest.raises(OSError, match="no database"):
        async with site.router.lifespan_context(site):
            assert hosted_servers()
    assert all(server.closed for server in hosted_servers().values())


@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
@pytest.mark.parametrize("name", ["root_path", "openapi_prefix"])
async def test_the_path_of_the_app_has_two_names(name: str) -> None:
    path: dict[str, Any] = {name: "/behind"}
    assert flet_anyio.FastAPI(**path).root_path == "/behind"


async def test_settings_are_those_of_fastapi() -> None:
    site = flet_anyio.FastAPI(title="Votes", docs_url=None)
    assert isinstance(site, fastapi.FastAPI)

    async def word() -> dict[str, str]:
        return {"word": "yes"}

    site.get("/word")(word)

    async with running(site), browsing(site) as http:
        assert (await http.get("/word")).json() == {"word": "yes"}
        assert (await http.get("/openapi.json")).json()["info"]["title"] == "Votes"
        assert (await http.get("/docs")).status_code == 404
