"""What browsers are told about a page."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import flet as ft
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import flet_anyio
from flet_anyio.web.policy import content_security_policy

pytestmark = pytest.mark.anyio

PAGE = """<html><head>
<script>one()</script>
<script type="module">
two()
</script>
<script src="three.js" async></script>
<SCRIPT>one()</SCRIPT>
</head></html>"""


def hashed(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def directives(policy: str) -> dict[str, list[str]]:
    parts = [part.split() for part in policy.split("; ")]
    return {name: sources for name, *sources in parts}


def test_the_pages_own_scripts_run_and_no_others() -> None:
    scripts = directives(content_security_policy(PAGE, cdn=False))["script-src"]
    own = ["'self'", "'wasm-unsafe-eval'", hashed("one()"), hashed("\ntwo()\n")]
    assert [one for one in scripts if not one.startswith("https:")] == own
    assert not any("gstatic" in one for one in scripts)


def test_line_ends_count_as_browsers_read_them() -> None:
    scripts = directives(content_security_policy(PAGE.replace("\n", "\r\n"), cdn=False))
    assert hashed("\ntwo()\n") in scripts["script-src"]


def test_the_engine_may_come_from_its_public_server_where_that_is_asked_for() -> None:
    scripts = directives(content_security_policy(PAGE, cdn=True))["script-src"]
    assert "https://www.gstatic.com" in scripts


def test_nobody_else_may_frame_the_page_unless_allowed() -> None:
    policy = content_security_policy(PAGE, cdn=False)
    assert directives(policy)["frame-ancestors"] == ["'self'"]
    policy = content_security_policy(PAGE, cdn=False, framed_by=["https://site.com"])
    assert directives(policy)["frame-ancestors"] == ["'self'", "https://site.com"]


def main(page: ft.Page) -> None:
    page.add(ft.Text("ready"))


async def headers(path: str = "/", **settings: Any) -> httpx.Headers:
    transport = httpx.ASGITransport(flet_anyio.app(main, **settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        return (await http.get(path)).headers


async def test_a_page_comes_with_its_policy_and_files_as_what_they_are() -> None:
    page = await headers()
    sources = directives(page["content-security-policy"])
    assert "'unsafe-inline'" not in sources["script-src"]
    assert sources["object-src"] == ["'none'"]
    for path in ("/", "/favicon.png", "/missing.png", "/-/ready", "/oauth_callback"):
        assert (await headers(path))["x-content-type-options"] == "nosniff"
    for answer in (page, await headers("/favicon.png")):
        assert answer["cross-origin-opener-policy"] == "same-origin"
        assert answer["cross-origin-embedder-policy"] == "require-corp"
    assert "content-security-policy" not in await headers("/favicon.png")


async def test_files_in_a_route_of_ones_own_are_as_safe() -> None:
    site = Starlette(routes=[Mount("/", flet_anyio.FletStaticFiles())])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(site), base_url="http://test"
    ) as http:
        for path in ("/", "/favicon.png"):
            answer = (await http.get(path)).headers
            unchanged = await http.get(path, headers={"if-none-match": answer["etag"]})
            assert unchanged.status_code == 304
            for has in (answer, unchanged.headers):
                assert has["x-content-type-options"] == "nosniff"
                assert has["cross-origin-opener-policy"] == "same-origin"
                assert has["cross-origin-embedder-policy"] == "require-corp"


async def test_what_an_answer_says_of_itself_stands() -> None:
    assert (await headers("/oauth_callback"))["referrer-policy"] == "no-referrer"
    assert (await headers("/"))["referrer-policy"] == "strict-origin-when-cross-origin"


@pytest.mark.parametrize("kind", [list, iter])
async def test_sites_that_may_use_the_app_may_frame_it(kind: Any) -> None:
    policy = (await headers(allowed_origins=kind(["https://site.com"])))["content-security-policy"]
    assert directives(policy)["frame-ancestors"] == ["'self'", "https://site.com"]


@pytest.mark.parametrize("text", ["https://site.com", "*"])
async def test_one_text_is_no_list_of_origins(text: str) -> None:
    with pytest.raises(ValueError, match="must be a list of origins"):
        flet_anyio.app(main, allowed_origins=text)


async def test_an_app_may_have_another_policy_or_none() -> None:
    answer = await headers(content_security_policy="default-src 'self'")
    assert answer["content-security-policy"] == "default-src 'self'"
    assert "content-security-policy" not in await headers(content_security_policy="")


async def test_a_browser_that_has_the_page_gets_a_new_policy() -> None:
    before = await headers(allowed_origins=["https://site.com"])
    same = await headers(allowed_origins=["https://site.com"])
    after = await headers()
    assert before["etag"] == same["etag"]
    assert before["etag"] != after["etag"]
