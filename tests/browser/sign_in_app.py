"""The app that sign_in_probe.py drives: its users sign in at a provider of tests.

FLET_ANYIO_TEST_PROVIDER is the provider's URL, and FLET_ANYIO_TEST_SITE, behind a proxy, that of
the app. Values are shown as in demo_app.py.
"""
# Untyped, as apps are written.
# mypy: allow-untyped-defs, allow-untyped-calls

import os

import flet as ft
import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flet.auth import OAuthProvider

# Flet's library asks for TLS else.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

VERIFIER = "a-verifier-that-is-forty-three-characters-long"
PROVIDER = os.environ["FLET_ANYIO_TEST_PROVIDER"]


def provider(page, token):
    """The provider, which knows this app from now on; `token` says how it gives it tokens."""
    there = os.environ.get("FLET_ANYIO_TEST_SITE") or page.url.replace("ws", "http", 1)
    settings = {"redirect_uri": f"{there}/oauth_callback", "token": token}
    client = httpx.post(f"{PROVIDER}/register", json=settings).json()
    return OAuthProvider(
        client_id=client["client_id"],
        client_secret=client["client_secret"],
        redirect_url=client["redirect_uri"],
        authorization_endpoint=f"{PROVIDER}/authorize",
        token_endpoint=f"{PROVIDER}/token",
        user_endpoint=f"{PROVIDER}/user",
        user_id_fn=lambda user: user["sub"],
        code_challenge=create_s256_code_challenge(VERIFIER),
        code_challenge_method="S256",
        code_verifier=VERIFIER,
    )


def main(page: ft.Page) -> None:
    good, silent = provider(page, "well"), provider(page, "silence")
    user, error, count = ft.Text("User: nobody"), ft.Text("Error: none"), ft.Text("Count: 0")

    def on_login(e):
        name = "nobody" if e.error else page.auth.user.id  # type: ignore[union-attr]
        user.value = f"User: {name}"
        error.value = f"Error: {e.error or 'none'}"
        page.update()

    def on_logout(e):
        user.value = "User: nobody"
        page.update()

    def add(e):
        count.value = f"Count: {int(count.value.split()[1]) + 1}"

    async def sign_in(e):
        await page.login(good)

    async def sign_in_in_vain(e):
        await page.login(silent)

    async def sign_in_here(e):
        async def open_here(url):
            await ft.UrlLauncher().launch_url(url, web_only_window_name="_self")

        await page.login(good, redirect_to_page=True, on_open_authorization_url=open_here)

    page.on_login = on_login
    page.on_logout = on_logout
    page.add(
        ft.Text(f"Session: {page.session.id}"),
        user,
        error,
        count,
        ft.Button("Sign in", on_click=sign_in),
        ft.Button("Sign in here", on_click=sign_in_here),
        ft.Button("Sign in in vain", on_click=sign_in_in_vain),
        ft.Button("Sign out", on_click=lambda: page.logout()),
        ft.Button("Add", on_click=add),
    )
