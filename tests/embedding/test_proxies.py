"""Who connects, as a proxy in front says it: believed only where the program trusts that."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
import pytest
from hypercorn.middleware import ProxyFixMiddleware
from starlette.applications import Starlette
from starlette.routing import Mount

import flet_anyio
from visits import browsing, visit_asgi, visit_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.usefixtures("hypercorn_runs")]

# What a proxy adds stands last; before it is what the visitor sent.
FORWARDED = {
    "X-Forwarded-For": "6.6.6.6, 203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
}


def main(page: ft.Page) -> None:
    page.add(ft.Text(f"ip {page.client_ip}"), ft.Text(f"url {page.url}"))


def behind(app: Any, hops: int = 1) -> Any:
    """The app behind so many proxies. hypercorn and Starlette type an ASGI app differently."""
    return ProxyFixMiddleware(app, trusted_hops=hops)


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    async with anyio.create_task_group() as tasks:
        yield await tasks.start(lambda **kw: flet_anyio.serve(app, port=0, **kw))
        tasks.cancel_scope.cancel()


async def test_what_a_visitor_says_of_itself_is_not_believed() -> None:
    async with serving(main) as url, visit_url(f"{url}ws", headers=FORWARDED) as client:
        await client.see("ip 127.0.0.1", f"url {url.replace('http', 'ws').rstrip('/')}")


async def test_what_a_trusted_proxy_says_is_believed() -> None:
    site = behind(flet_anyio.app(main))
    async with serving(site) as url, visit_url(f"{url}ws", headers=FORWARDED) as client:
        await client.see("ip 203.0.113.7", "url wss://shop.example")


async def test_a_proxy_that_says_nothing_leaves_what_is_seen() -> None:
    site = behind(flet_anyio.app(main))
    async with serving(site) as url, visit_url(f"{url}ws") as client:
        await client.see("ip 127.0.0.1", f"url {url.replace('http', 'ws').rstrip('/')}")


async def test_fewer_hops_than_trusted_are_believed_by_nobody() -> None:
    site = behind(flet_anyio.app(main), hops=3)
    async with serving(site) as url, visit_url(f"{url}ws", headers=FORWARDED) as client:
        await client.see("ip 127.0.0.1")


async def test_a_mounted_app_behind_a_proxy_knows_its_path() -> None:
    mounted = Starlette(routes=[Mount("/shop", flet_anyio.app(main))])
    site = behind(mounted)
    async with serving(site) as url, visit_url(f"{url}shop/ws", headers=FORWARDED) as client:
        await client.see("ip 203.0.113.7", "url wss://shop.example/shop")


@pytest.mark.parametrize(
    ("strategy", "told"),
    [("path", 'flet.routeUrlStrategy="path"'), ("hash", 'flet.routeUrlStrategy="hash"')],
)
@pytest.mark.parametrize(
    ("mount", "root_path", "proxy_path"),
    [("/shop", "", None), ("", "/shop", None), ("", "", "/shop"), ("/hop", "", "/s")],
    ids=["mounted", "root_path", "proxy_path", "both"],
)
async def test_the_client_is_told_where_it_is(
    mount: str, root_path: str, proxy_path: str | None, strategy: str, told: str
) -> None:
    app = flet_anyio.app(main, proxy_path=proxy_path, route_url_strategy=strategy)
    site: Any = Starlette(routes=[Mount(mount, app)]) if mount else app
    prefix = f"{proxy_path or ''}{root_path}{mount}"
    seen = f"{root_path}{mount}"  # the path that reaches the app
    async with browsing(site, root_path) as http:
        for path in ("/", "/some/page"):
            page = (await http.get(f"{seen}{path}")).text
            assert f'<base href="{prefix}/">' in page
            assert f'flet.webSocketEndpoint="{prefix}/ws"' in page
            assert told in page
    async with visit_asgi(site, f"{seen}/ws", root_path=root_path, route="/some/page") as client:
        await client.see("ip 127.0.0.1")
