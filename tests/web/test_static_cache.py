"""What browsers keep: versions in URLs, entity tags, ranges. No server, no socket."""

from __future__ import annotations

import json
import os
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from flet_anyio.web.files.fingerprints import Fingerprints
from flet_anyio.web.files.static import FletStaticFiles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import ASGIApp, Message

pytestmark = pytest.mark.anyio

PAGE = """<!DOCTYPE html><html><head><base href="/">
<link rel="manifest" href="manifest.json"><link rel="icon" href='icons/a.png'>
<script>var flet = {};</script><!-- fletAppConfig -->
<script src="python.js"></script><script src="https://other.test/python.js"></script>
</head><body><a href="python.js">python.js</a><img alt="a > b" src="logo.png"></body></html>
"""
FOR_EVER = "public, max-age=31536000, immutable"
SCRIPT = b"// python, and more of it than nothing " * 100


@pytest.fixture
def client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    root = tmp_path / "client"
    (root / "assets").mkdir(parents=True)
    (root / "icons").mkdir()
    (root / "index.html").write_text(PAGE)
    (root / "manifest.json").write_text(json.dumps({"name": "x", "start_url": "."}))
    (root / "assets" / "FontManifest.json").write_text("[]")
    (root / "icons" / "a.png").write_bytes(b"png" * 1000)
    (root / "python.js").write_bytes(SCRIPT)
    monkeypatch.setenv("FLET_WEB_PATH", str(root))
    monkeypatch.setenv("FLET_ANYIO_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    return root


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    root = tmp_path / "assets"
    root.mkdir()
    return root


@asynccontextmanager
async def browse(static: ASGIApp, path: str = "/") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=[Mount(path, static)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://flet.test") as browser:
        yield browser


async def fetch(static: ASGIApp, url: str, path: str = "/", **headers: str) -> httpx.Response:
    async with browse(static, path) as browser:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await browser.get(url, headers=names)


async def version_of(static: ASGIApp, path: str = "/") -> str:
    page = (await fetch(static, f"{path.rstrip('/')}/", path)).text
    found = re.search(r'flet.assetBase="(.*)";', page)
    assert found is not None
    return found[1]


# Versions


async def test_page_loads_the_clients_files_by_version(client: Path) -> None:
    static = FletStaticFiles()
    page = (await fetch(static, "/app/", "/app")).text
    files = (await version_of(static, "/app")).removeprefix("/app/")
    assert f'<script src="{files}python.js">' in page
    assert f'href="{files}icons/a.png"' in page
    # What is in the manifest is relative to it; the rest is no file of the client's.
    assert '<link rel="manifest" href="manifest.json">' in page
    assert 'src="https://other.test/python.js"' in page
    assert '<a href="python.js">python.js</a>' in page
    assert 'src="logo.png"' in page


@pytest.mark.parametrize(("proxy_path", "mount"), [("", "/"), ("", "/app"), ("/proxy", "/app")])
async def test_files_of_this_version_are_kept_for_ever(
    client: Path, proxy_path: str, mount: str
) -> None:
    static = FletStaticFiles(proxy_path)
    files = (await version_of(static, mount)).removeprefix(proxy_path)
    for name in ("python.js", "icons/a.png", "assets/FontManifest.json"):
        versioned = await fetch(static, files + name, mount)
        plain = await fetch(static, f"{mount.rstrip('/')}/{name}", mount)
        assert versioned.status_code == plain.status_code == 200
        assert versioned.headers["cache-control"] == FOR_EVER
        assert plain.headers["cache-control"] == "no-cache"
        assert versioned.content == plain.content
    assert (await fetch(static, "/", "/")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["none", "none.html", "none.js", "icons", "icons/"])
async def test_a_version_has_no_routes(client: Path, name: str) -> None:
    static = FletStaticFiles()
    files = await version_of(static)
    assert (await fetch(static, files + name)).status_code == 404


@pytest.mark.parametrize("name", ["index.html", "manifest.json"])
async def test_documents_are_never_kept_for_ever(client: Path, name: str) -> None:
    static = FletStaticFiles()
    response = await fetch(static, await version_of(static) + name)
    assert response.headers["cache-control"] == "no-cache"


async def test_files_of_another_version_are_served_and_not_kept(client: Path) -> None:
    # Where servers of two versions share the load, a page of one asks the other.
    response = await fetch(FletStaticFiles(), "/-/0123456789abcdef/python.js")
    assert response.content == SCRIPT
    assert response.headers["cache-control"] == "no-cache"


async def test_version_follows_the_content_alone(client: Path, assets: Path) -> None:
    old = await version_of(FletStaticFiles())
    os.utime(client / "python.js", (1, 1))
    assert await version_of(FletStaticFiles(app_name="Shop", assets_dir=assets)) == old
    (client / "python.js").write_bytes(SCRIPT[::-1])
    new = await version_of(FletStaticFiles())
    assert new != old
    (client / "python.js").write_bytes(SCRIPT)
    (client / "extra.js").write_bytes(b"")
    assert await version_of(FletStaticFiles()) not in (old, new)


async def test_version_follows_the_fonts_of_the_page(client: Path) -> None:
    assert await version_of(FletStaticFiles()) != await version_of(FletStaticFiles(no_cdn=False))


async def test_version_follows_which_files_are_the_apps(client: Path, assets: Path) -> None:
    old = await version_of(FletStaticFiles(assets_dir=assets))
    (assets / "python.js").write_bytes(SCRIPT)
    static = FletStaticFiles(assets_dir=assets)
    assert await version_of(static) != old
    assert '<script src="python.js">' in (await fetch(static, "/")).text


async def test_files_of_the_app_are_not_kept(client: Path, assets: Path) -> None:
    (assets / "icons").mkdir()
    (assets / "icons" / "a.png").write_bytes(b"mine")
    static = FletStaticFiles(assets_dir=assets)
    response = await fetch(static, await version_of(static) + "icons/a.png")
    assert response.content == b"mine"
    assert response.headers["cache-control"] == "no-cache"


async def test_client_exchanged_under_a_running_server_is_not_kept(client: Path) -> None:
    static = FletStaticFiles()
    url = await version_of(static) + "python.js"
    assert (await fetch(static, url)).headers["cache-control"] == FOR_EVER
    (client / "python.js").write_bytes(b"// new")
    response = await fetch(static, url)
    assert response.content == b"// new"
    assert response.headers["cache-control"] == "no-cache"


# Entity tags


async def test_tag_follows_content_and_encoding(client: Path, assets: Path) -> None:
    (assets / "a.js").write_bytes(SCRIPT)
    static = FletStaticFiles(assets_dir=assets)
    plain = await fetch(static, "/a.js", accept_encoding="identity")
    packed = await fetch(static, "/a.js", accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.content == packed.content == SCRIPT
    assert re.fullmatch(r'"[0-9a-f]{32}"', plain.headers["etag"])
    assert packed.headers["etag"] == plain.headers["etag"][:-1] + '-gzip6"'
    for response in (plain, packed):
        assert response.headers["vary"] == "Accept-Encoding"
        tag = response.headers["etag"]
        encoding = response.headers.get("content-encoding", "identity")
        same = await fetch(static, "/a.js", if_none_match=tag, accept_encoding=encoding)
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == tag
        assert same.headers["vary"] == "Accept-Encoding"
    os.utime(assets / "a.js", (1, 1))
    touched = await fetch(static, "/a.js", accept_encoding="gzip")
    assert touched.headers["etag"] == packed.headers["etag"]


async def test_a_changed_asset_is_seen_at_once(client: Path, assets: Path) -> None:
    (assets / "a.js").write_bytes(SCRIPT)
    static = FletStaticFiles(assets_dir=assets)
    old = await fetch(static, "/a.js")
    (assets / "a.js").write_bytes(SCRIPT + b"!")
    new = await fetch(static, "/a.js", if_none_match=old.headers["etag"])
    assert (new.status_code, new.content) == (200, SCRIPT + b"!")


async def test_a_new_asset_is_seen_at_once(client: Path, assets: Path) -> None:
    static = FletStaticFiles(assets_dir=assets)
    assert (await fetch(static, "/icons/a.png")).content == b"png" * 1000
    (assets / "icons").mkdir()
    (assets / "icons" / "a.png").write_bytes(b"mine")
    assert (await fetch(static, "/icons/a.png")).content == b"mine"


async def test_a_file_that_goes_as_it_is_found_is_missing(
    client: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise FileNotFoundError

    static = FletStaticFiles()
    monkeypatch.setattr(Fingerprints, "of", fail)
    assert (await fetch(static, "/python.js")).status_code == 404


async def test_not_modified_since(client: Path) -> None:
    static = FletStaticFiles()
    since = (await fetch(static, "/python.js")).headers["last-modified"]
    assert (await fetch(static, "/python.js", if_modified_since=since)).status_code == 304


# Ranges


async def test_range_is_of_the_plain_file(client: Path) -> None:
    static = FletStaticFiles()
    response = await fetch(static, "/python.js", range="bytes=10-19", accept_encoding="br, gzip")
    assert (response.status_code, response.content) == (206, SCRIPT[10:20])
    assert response.headers["content-range"] == f"bytes 10-19/{len(SCRIPT)}"
    assert response.headers["content-length"] == "10"
    assert "content-encoding" not in response.headers


async def test_range_beyond_the_end(client: Path) -> None:
    response = await fetch(FletStaticFiles(), "/python.js", range="bytes=99999-")
    assert response.status_code == 416
    # Early versions of starlette leave out the unit.
    assert response.headers["content-range"].removeprefix("bytes ") == f"*/{len(SCRIPT)}"


async def test_range_only_of_what_the_client_has_the_rest_of(client: Path) -> None:
    static = FletStaticFiles()
    plain = await fetch(static, "/python.js", accept_encoding="identity")
    packed = await fetch(static, "/python.js", accept_encoding="gzip")
    tags = {plain.headers["etag"]: 206, packed.headers["etag"]: 200, '"other"': 200}
    for tag, status in tags.items():
        response = await fetch(static, "/python.js", range="bytes=0-9", if_range=tag)
        assert response.status_code == status
        assert response.content == (SCRIPT[:10] if status == 206 else SCRIPT)


async def test_a_compressed_copy_offers_no_ranges(client: Path) -> None:
    static = FletStaticFiles()
    packed = await fetch(static, "/python.js", accept_encoding="gzip")
    plain = await fetch(static, "/icons/a.png", accept_encoding="gzip")
    assert packed.headers["accept-ranges"] == "none"
    assert plain.headers["accept-ranges"] == "bytes"


async def test_pictures_are_sent_as_they_are(client: Path) -> None:
    response = await fetch(FletStaticFiles(), "/icons/a.png", accept_encoding="gzip, br")
    assert "content-encoding" not in response.headers
    assert "vary" not in response.headers
    assert int(response.headers["content-length"]) == 3000


async def test_large_files_are_streamed(client: Path, assets: Path) -> None:
    size = 40 << 20
    with (assets / "large.json").open("wb") as file:
        file.truncate(size)
    largest = total = 0

    async def send(message: Message) -> None:
        nonlocal largest, total
        largest = max(largest, len(message.get("body", b"")))
        total += len(message.get("body", b""))

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    asgi_scope = {
        "type": "http",
        "method": "GET",
        "path": "/large.json",
        "root_path": "",
        "headers": [(b"accept-encoding", b"gzip, br")],
    }
    await FletStaticFiles(assets_dir=assets)(asgi_scope, receive, send)
    assert total == size
    assert largest <= 1 << 20
