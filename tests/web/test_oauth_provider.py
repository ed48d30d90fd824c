"""Signing in at a provider that is a process of its own, over real connections all the way."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flet.auth import OAuthProvider
from starlette.applications import Starlette
from starlette.routing import Mount

import flet_anyio
from flet_anyio import Limits
from oauth_provider import provider, register
from sockets import open_socket
from waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import flet as ft

    from sockets import Socket


pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.usefixtures("client_files", "hypercorn_runs"),
]

VERIFIER = "a-verifier-that-is-forty-three-characters-long"


@pytest.fixture(scope="module")
def authority() -> Iterator[str]:
    with provider() as url:
        yield url


@pytest.fixture(autouse=True)
def plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Flet's side talk to a provider without TLS, which its library refuses."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


class Site:
    """An app that is served, and whose users sign in at the provider as soon as they are there."""

    def __init__(self, authority: str, *, token: str = "well", **changes: Any) -> None:
        self._authority = authority
        self._token = token
        self._changes = changes
        self.url = ""
        self.authorize: list[str] = []
        self.logins: list[tuple[Any, Any, Any]] = []
        self.reached = anyio.Event()

    @asynccontextmanager
    async def served(self, mount: str = "", **settings: Any) -> AsyncIterator[None]:
        app: Any = flet_anyio.app(self.main, **settings)
        if mount:
            app = Starlette(routes=[Mount(mount, app)])
        async with anyio.create_task_group() as tasks:
            url = await tasks.start(partial(flet_anyio.serve, app, port=0))
            self.url = url.rstrip("/") + mount
            yield
            tasks.cancel_scope.cancel()

    def main(self, page: ft.Page) -> None:
        client = register(self._authority, f"{self.url}/oauth_callback", self._token)
        settings: dict[str, Any] = {
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "authorization_endpoint": f"{self._authority}/authorize",
            "token_endpoint": f"{self._authority}/token",
            "redirect_url": client.redirect_uri,
            "user_scopes": ["profile"],
            "user_endpoint": f"{self._authority}/user",
            "user_id_fn": lambda user: user["sub"],
            "code_challenge": create_s256_code_challenge(VERIFIER),
            "code_challenge_method": "S256",
            "code_verifier": VERIFIER,
        }
        settings |= self._changes

        def on_login(e: ft.LoginEvent) -> None:
            user = getattr(page.auth, "user", None)
            self.logins.append((user and user.id, e.error, e.error_description))
            self._changed()

        page.on_login = on_login
        login = partial(page.login, OAuthProvider(**settings))
        page.run_task(page_login, login, self._note)

    async def _note(self, url: str) -> None:
        self.authorize.append(url)
        self._changed()

    def _changed(self) -> None:
        self.reached.set()
        self.reached = anyio.Event()

    async def until(self, what: list[Any]) -> Any:
        """Wait until there is something in a list, and return its last."""
        with anyio.fail_after(PATIENCE):
            while not what:
                await self.reached.wait()
        return what[-1]

    @asynccontextmanager
    async def visited(self) -> AsyncIterator[Visitor]:
        """Open the page in a fresh browser: the document, then the WebSocket."""
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            assert (await http.get(self.url + "/")).status_code == 200
            cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
            address = f"{self.url.replace('http', 'ws')}/ws"
            async with open_socket(address, headers={"Cookie": cookie}) as socket:
                await socket.register()
                yield Visitor(self, http, socket)


async def page_login(login: Any, note: Any) -> None:
    await login(on_open_authorization_url=note)


class Visitor:
    def __init__(self, site: Site, http: httpx.AsyncClient, socket: Socket) -> None:
        self.http = http
        self._site = site
        self._socket = socket

    async def answer(self, answer: str) -> str:
        """Say yes or no at the provider; return where that sends the user back to."""
        url = await self._site.until(self._site.authorize)
        assert "Provider" in (await self.http.get(url)).text
        sent = await self.http.post(url, data={"answer": answer})
        assert sent.status_code == 302, sent.text
        return sent.headers["location"]


async def test_a_user_signs_in(authority: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    site = Site(authority)
    async with site.served(), site.visited() as ada:
        back = await ada.answer("allow")
        page = await ada.http.get(back)
        assert (page.status_code, "You are signed in" in page.text) == (200, True)
        assert await site.until(site.logins) == ("ada", None, None)
        replayed = await ada.http.get(back)
        assert replayed.status_code == 400
    theirs = ("httpx", "httpcore", "websockets")  # the test's own browser is of these
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith(theirs)]
    query = httpx.URL(back).params
    for secret in (query["code"], query["state"], VERIFIER, *ada.http.cookies.values()):
        assert not [line for line in ours if secret in line]


async def test_a_user_signs_in_to_an_app_that_is_mounted(authority: str) -> None:
    site = Site(authority)
    async with site.served("/dash"), site.visited() as ada:
        (cookie,) = ada.http.cookies.jar
        assert cookie.path == "/dash"
        page = await ada.http.get(await ada.answer("allow"))
        assert (page.status_code, "You are signed in" in page.text) == (200, True)
        assert await site.until(site.logins) == ("ada", None, None)


async def test_a_user_does_not_allow_it(authority: str) -> None:
    site = Site(authority)
    async with site.served(), site.visited() as ada:
        page = await ada.http.get(await ada.answer("deny"))
        assert "You are not signed in. access_denied: The resource owner" in page.text
        user, error, description = await site.until(site.logins)
        assert (user, error) == (None, "access_denied")
        assert description.startswith("The resource owner")


async def test_another_browser_does_not_finish_it(authority: str) -> None:
    """Somebody has Ada's browser come back with what they began in theirs."""
    site = Site(authority)
    async with site.served(), site.visited() as ada:
        back = await ada.answer("allow")
        async with httpx.AsyncClient(timeout=PATIENCE) as foreign:
            assert (await foreign.get(back)).status_code == 403
            assert (await foreign.get(site.url + "/")).status_code == 200
            assert foreign.cookies != ada.http.cookies
            assert (await foreign.get(back)).status_code == 403
        assert site.logins == []
        assert (await ada.http.get(back)).status_code == 200
        assert await site.until(site.logins) == ("ada", None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_secret": "another"},
        {"code_verifier": "another-verifier-with-forty-three-characters"},
        {"code_verifier": None},
    ],
)
async def test_the_provider_refuses_to_give_a_token(
    authority: str, changes: dict[str, Any]
) -> None:
    site = Site(authority, **changes)
    async with site.served(), site.visited() as ada:
        page = await ada.http.get(await ada.answer("allow"))
        assert "You are not signed in." in page.text
        user, error, _ = await site.until(site.logins)
        assert user is None
        assert f"{authority}/token" in error


@pytest.mark.parametrize("token", ["silence", "drips"])
async def test_the_provider_hangs_when_asked_for_the_token(authority: str, token: str) -> None:
    site = Site(authority, token=token)
    async with site.served(limits=Limits(token_timeout=0.5)), site.visited() as ada:
        page = await ada.http.get(await ada.answer("allow"))
        assert "You are not signed in. timeout: the provider gave no token" in page.text
        user, error, _ = await site.until(site.logins)
        assert (user, error) == (None, "timeout")


async def test_the_provider_is_not_there(authority: str) -> None:
    site = Site(authority, token_endpoint="http://127.0.0.1:1/token")
    async with site.served(), site.visited() as ada:
        page = await ada.http.get(await ada.answer("allow"))
        assert "You are not signed in." in page.text
        user, error, _ = await site.until(site.logins)
        assert user is None
        assert error


async def test_a_user_comes_back_late(authority: str) -> None:
    site = Site(authority)
    async with site.served(oauth_state_timeout_seconds=1), site.visited() as ada:
        back = await ada.answer("allow")
        assert await site.until(site.logins) == (
            None,
            "timeout",
            "the user did not come back from the provider in time",
        )
        assert (await ada.http.get(back)).status_code == 410
