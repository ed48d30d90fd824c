"""An app whose users sign in, and browsers that come back from a provider, in one process."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
import httpx
from anyio.lowlevel import checkpoint
from flet.auth import Authorization, OAuthProvider
from starlette.applications import Starlette
from starlette.routing import Route

from flet_anyio import FletOAuth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from flet_anyio import Server
    from flet_anyio.testing import Client

__all__ = ["CALLBACK", "Flow", "begin", "browser", "browser_of", "provider", "signing_in"]

CALLBACK = "https://app.test/oauth_callback"


class _UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Flow(Authorization):
    """Asks no provider. Its states are `state 1`, `state 2`, and so on."""

    made = 0

    def __init__(
        self, provider: OAuthProvider, fetch_user: bool, fetch_groups: bool, scope: Any
    ) -> None:
        Flow.made += 1
        self.state = f"state {Flow.made}"
        self.token = ""

    async def dehydrate_token(self, saved_token: str) -> None:
        await checkpoint()
        self.token = saved_token

    def get_authorization_data(self) -> tuple[str, str]:
        return "https://provider.test/authorize", self.state

    async def request_token(self, code: str) -> None:
        await checkpoint()
        match code:
            case "bad":
                raise LookupError("no such code")
            case "mute":
                raise LookupError
            case "unspeakable":
                raise _UnspeakableError
            case "hanging":
                await anyio.sleep_forever()
        self.token = f"token for {code}"


def provider() -> OAuthProvider:
    return OAuthProvider(
        client_id="id",
        client_secret="secret",
        authorization_endpoint="https://provider.test/authorize",
        token_endpoint="https://provider.test/token",
        redirect_url=CALLBACK,
    )


def signing_in(**options: Any) -> Callable[[ft.Page], None]:
    """An app with the buttons `in` and `off`, that shows what `on_login` is told."""

    def main(page: ft.Page) -> None:
        async def login() -> None:
            flow = await page.login(provider(), authorization=Flow, **options)
            assert isinstance(flow, Flow)
            assert page.auth is flow
            page.add(ft.Text(f"began {flow.state}"))

        def on_login(e: ft.LoginEvent) -> None:
            token = getattr(page.auth, "token", None)
            page.add(ft.Text(f"{e.name} {token!r} {e.error!r} {e.error_description!r}"))

        page.on_login = on_login
        page.on_logout = lambda: page.add(ft.Text(f"out {page.auth}"))
        page.add(ft.Button("in", on_click=login), ft.Button("off", on_click=lambda: page.logout()))

    return main


async def begin(client: Client) -> str:
    """Begin a sign-in, and return its state."""
    known = Flow.made
    await client.click("in")
    await client.see(f"began state {known + 1}")
    return f"state {known + 1}"


@asynccontextmanager
async def browser(server: Server, cookie: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that holds a cookie, or none, and goes where the server's callback route is."""

    async def handle(request: Any) -> Any:
        return await FletOAuth(server=server).handle(request)

    app = Starlette(routes=[Route("/oauth_callback", handle)])
    headers = {"cookie": cookie} if cookie else {}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://app.test", headers=headers
    ) as http:
        yield http


def browser_of(client: Client) -> str:
    """The cookie that a client got with the answer to its handshake."""
    found = re.match(r"[^;]+", client.transport.headers["Set-Cookie"])
    assert found is not None
    return found[0]
