"""The page and its files: patched documents, routes, lookups, settings. No server, no socket."""

from __future__ import annotations

import json
import logging
import mimetypes
import re
import sys
import tempfile
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin

import anyio
import httpx
import pytest
from flet.controls.types import RouteUrlStrategy, WebRenderer
from starlette.applications import Starlette
from starlette.routing import Mount

from flet_anyio.web.files.static import ClientMissingError, FletStaticFiles, client_dir

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import ASGIApp, Message

pytestmark = pytest.mark.anyio

PAGE = """<!DOCTYPE html>
<html><head>
  <base href="/">
  <meta name="description" content="Old description">
  <meta name="apple-mobile-web-app-title" content="Old">
  <title>Old</title>
  <script>var flet = {};</script>
  <!-- fletAppConfig -->
</head><body></body></html>
"""
MANIFEST = {"name": "Old", "short_name": "Old", "description": "Old", "display": "standalone"}
FONTS = [{"family": "MaterialIcons", "fonts": [{"asset": "fonts/icons.otf"}]}]
VARIABLES = (
    "FLET_WEB_PATH",
    "FLET_WEB_RENDERER",
    "FLET_WEB_ROUTE_URL_STRATEGY",
    "FLET_WEB_NO_CDN",
    "FLET_ASSETS_DIR",
)


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLET_ANYIO_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small stand-in for the compiled client."""
    root = tmp_path / "client"
    (root / "assets").mkdir(parents=True)
    (root / "icons").mkdir()
    (root / "index.html").write_text(PAGE)
    (root / "manifest.json").write_text(json.dumps(MANIFEST))
    (root / "assets" / "FontManifest.json").write_text(json.dumps(FONTS))
    (root / "main.dart.js").write_text("// main")
    (root / "main.dart.mjs").write_text("// module")
    (root / "main.dart.wasm").write_bytes(b"\0asm")
    monkeypatch.setenv("FLET_WEB_PATH", str(root))
    return root


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    root = tmp_path / "assets"
    root.mkdir()
    return root


@asynccontextmanager
async def browse(
    static: ASGIApp, path: str = "/", root: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in front of an application that mounts `static` at `path`."""
    transport = httpx.ASGITransport(Starlette(routes=[Mount(path, static)]), root_path=root)
    async with httpx.AsyncClient(transport=transport, base_url="http://flet.test") as browser:
        yield browser


async def fetch(static: ASGIApp, url: str, path: str = "/", **kwargs: Any) -> httpx.Response:
    async with browse(static, path) as browser:
        return await browser.get(url, **kwargs)


def config_of(page: str) -> dict[str, Any]:
    """Read the settings as a browser would: from the script after the client's own defaults."""
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[1]
    return {key: json.loads(value) for key, value in re.findall(r"flet\.(\w+)=(.*);", script)}


def files_url(page: str) -> str:
    """From where a page loads the client's files."""
    url = str(config_of(page)["assetBase"])
    assert re.fullmatch(r"(/.*)?/-/[0-9a-f]{16}/", url)
    return url


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# The start page


@pytest.mark.parametrize("name", ["help", "50% é"])
@pytest.mark.parametrize("host", ["app.test", "evil.test"])
async def test_a_folder_with_a_page_of_its_own_is_found_behind_a_proxy(
    client: Path, name: str, host: str
) -> None:
    (client / name).mkdir()
    (client / name / "index.html").write_text("help")
    static = FletStaticFiles(proxy_path="/out")
    response = await fetch(static, f"/{quote(name)}?a=b", headers={"host": host})
    assert response.status_code == 307
    outside = urljoin(f"https://app.test/out/{quote(name)}", response.headers["location"])
    assert outside == f"https://app.test/out/{quote(name)}/?a=b"
    assert (await fetch(static, f"/{quote(name)}/")).text == "help"


async def test_page_gets_its_settings(client: Path) -> None:
    response = await fetch(FletStaticFiles(), "/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    files = files_url(response.text)
    assert config_of(response.text) == {
        "pyodide": False,
        "noCdn": True,
        "webRenderer": "auto",
        "routeUrlStrategy": "path",
        "entrypointBaseUrl": files,
        "assetBase": files,
        "webSocketEndpoint": "/ws",
        "canvasKitBaseUrl": f"{files}canvaskit/",
        "fontFallbackBaseUrl": f"{files}assets/fonts/",
    }
    assert "fletAppConfig" not in response.text


async def test_page_with_cdn_leaves_renderer_and_fonts_to_it(client: Path) -> None:
    static = FletStaticFiles(no_cdn=False)
    config = config_of((await fetch(static, "/")).text)
    assert config["noCdn"] is False
    assert not {"canvasKitBaseUrl", "fontFallbackBaseUrl"} & config.keys()
    assert (await fetch(static, "/assets/FontManifest.json")).json() == FONTS


@pytest.mark.parametrize(
    ("proxy_path", "mount", "base"),
    [
        (None, "/", "/"),
        (None, "/app", "/app/"),
        ("/proxy", "/", "/proxy/"),
        ("/proxy", "/app", "/proxy/app/"),
        ("proxy/", "/app", "/proxy/app/"),
        ("//elsewhere.test", "/", "/elsewhere.test/"),
        ("/\\elsewhere.test", "/", "/%5Celsewhere.test/"),
        (None, "/späße app", "/sp%C3%A4%C3%9Fe%20app/"),
        ("/a%20b", "/", "/a%20b/"),
    ],
)
async def test_mount_path(client: Path, proxy_path: str | None, mount: str, base: str) -> None:
    static = FletStaticFiles(proxy_path)
    page = (await fetch(static, mount.rstrip("/") + "/", mount)).text
    assert f'<base href="{base}">' in page
    config = config_of(page)
    files = files_url(page)
    assert re.fullmatch(rf"{re.escape(base)}-/\w+/", files)
    assert config["entrypointBaseUrl"] == config["assetBase"] == files
    assert config["webSocketEndpoint"] == f"{base}ws"
    assert config["canvasKitBaseUrl"] == f"{files}canvaskit/"


async def test_root_path_of_the_server_counts(client: Path) -> None:
    async with browse(FletStaticFiles(), "/app", root="/outer") as browser:
        page = (await browser.get("/outer/app/")).text
    assert '<base href="/outer/app/">' in page


async def test_one_object_under_two_mounts(client: Path) -> None:
    static = FletStaticFiles()
    first = await fetch(static, "/one/", "/one")
    second = await fetch(static, "/two/", "/two")
    again = await fetch(static, "/one/", "/one")
    assert '<base href="/one/">' in first.text
    assert '<base href="/two/">' in second.text
    assert again.text == first.text
    assert first.headers["etag"] != second.headers["etag"]


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [("socket", "/app/socket"), ("/elsewhere/ws", "/elsewhere/ws"), (None, "/app/ws")],
)
async def test_websocket_endpoint(client: Path, endpoint: str | None, expected: str) -> None:
    static = FletStaticFiles(websocket_endpoint_path=endpoint)
    page = (await fetch(static, "/app/", "/app")).text
    assert config_of(page)["webSocketEndpoint"] == expected


async def test_name_and_description(client: Path) -> None:
    static = FletStaticFiles(app_name='R&D \\1 "x" <b>', app_description="a > b")
    page = (await fetch(static, "/")).text
    assert "<title>R&amp;D \\1 &quot;x&quot; &lt;b&gt;</title>" in page
    assert (
        '<meta name="apple-mobile-web-app-title" content="R&amp;D \\1 &quot;x&quot; &lt;b&gt;">'
        in page
    )
    assert '<meta name="description" content="a &gt; b">' in page
    assert "Old" not in page


async def test_without_a_name_the_page_keeps_its_own(client: Path) -> None:
    page = (await fetch(FletStaticFiles(), "/")).text
    assert "<title>Old</title>" in page
    assert 'content="Old description"' in page


async def test_values_cannot_leave_the_script(client: Path) -> None:
    evil = '/ws";alert(1)</script><!--\u2028'
    page = (await fetch(FletStaticFiles(websocket_endpoint_path=evil), "/")).text
    assert config_of(page)["webSocketEndpoint"] == evil
    assert page.count("</script>") == PAGE.count("</script>") + 1
    assert "<!--" not in page


async def test_mount_path_cannot_leave_attribute_or_script(client: Path) -> None:
    page = (await fetch(FletStaticFiles('/"><script>alert(1)</script>'), "/")).text
    assert "alert" in page
    assert "<script>alert" not in page
    assert page.count("</script>") == PAGE.count("</script>") + 1


# Where files come from


async def test_app_page_is_the_base_that_is_filled_in(client: Path, assets: Path) -> None:
    own = "<html><head><BASE target=\"_top\" HREF='/'><title>\nMine\n</title><script></script>"
    (assets / "index.html").write_text(own + "<!-- fletAppConfig --></head></html>")
    (assets / "manifest.json").write_text(json.dumps({"name": "Mine", "lang": "de"}))
    static = FletStaticFiles(assets_dir=assets, app_name="Given")
    page = (await fetch(static, "/app/", "/app")).text
    assert '<BASE target="_top" HREF="/app/">' in page
    assert "<title>Given</title>" in page
    assert config_of(page)["webSocketEndpoint"] == "/app/ws"
    manifest = (await fetch(static, "/manifest.json")).json()
    assert manifest == {"name": "Given", "short_name": "Given", "lang": "de"}


async def test_app_page_without_the_mark_is_told_in_the_log(
    client: Path, assets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (assets / "index.html").write_text("<html></html>")
    with caplog.at_level(logging.WARNING):
        FletStaticFiles(assets_dir=assets)
    assert "fletAppConfig" in caplog.text


async def test_assets_come_before_the_client(client: Path, assets: Path) -> None:
    (assets / "main.dart.js").write_text("// mine")
    (assets / "logo.svg").write_text("<svg/>")
    static = FletStaticFiles(assets_dir=str(assets))
    assert (await fetch(static, "/main.dart.js")).text == "// mine"
    assert (await fetch(static, "/logo.svg")).text == "<svg/>"
    assert (await fetch(static, "/main.dart.mjs")).text == "// module"


async def test_relative_assets_dir(
    client: Path, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (assets / "a.txt").write_text("mine")
    monkeypatch.chdir(assets.parent)
    static = FletStaticFiles(assets_dir=assets.name)
    monkeypatch.chdir("/")
    assert (await fetch(static, "/a.txt")).text == "mine"


async def test_missing_assets_dir_is_logged_and_left_out(
    client: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        static = FletStaticFiles(assets_dir=tmp_path / "none")
    assert str(tmp_path / "none") in caplog.text
    assert (await fetch(static, "/")).status_code == 200


async def test_symlink_out_of_assets_is_not_followed(
    client: Path, assets: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.json").write_text('{"name": "secret"}')
    (assets / "leak.json").symlink_to(tmp_path / "secret.json")
    (assets / "manifest.json").symlink_to(tmp_path / "secret.json")
    static = FletStaticFiles(assets_dir=assets)
    assert (await fetch(static, "/leak.json")).status_code == 404
    assert (await fetch(static, "/manifest.json")).json() == MANIFEST


@pytest.mark.parametrize(
    "url", ["/../secret.txt", "/%2e%2e/secret.txt", "/icons/..%2f..%2fsecret.txt"]
)
async def test_no_way_out_of_the_directories(client: Path, tmp_path: Path, url: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    response = await fetch(FletStaticFiles(), url)
    assert response.status_code == 404
    assert "secret" not in response.text


async def test_manifest(client: Path) -> None:
    static = FletStaticFiles(app_name="Shop", app_short_name="S", app_description='"d"')
    response = await fetch(static, "/manifest.json")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-cache"
    assert response.json() == MANIFEST | {"name": "Shop", "short_name": "S", "description": '"d"'}


async def test_font_manifest_names_roboto_once(client: Path, assets: Path) -> None:
    fonts = (await fetch(FletStaticFiles(), "/assets/FontManifest.json")).json()
    assert fonts[: len(FONTS)] == FONTS
    assert fonts[-1] == {"family": "Roboto", "fonts": [{"asset": "fonts/roboto.woff2"}]}
    (assets / "assets").mkdir()
    (assets / "assets" / "FontManifest.json").write_text(json.dumps(fonts))
    static = FletStaticFiles(assets_dir=assets)
    assert (await fetch(static, "/assets/FontManifest.json")).json() == fonts


async def test_client_without_manifests(client: Path) -> None:
    (client / "manifest.json").unlink()
    (client / "assets" / "FontManifest.json").unlink()
    static = FletStaticFiles()
    assert (await fetch(static, "/manifest.json")).status_code == 404
    assert (await fetch(static, "/assets/FontManifest.json")).status_code == 404
    assert (await fetch(static, "/")).status_code == 200


async def test_broken_manifest_fails_at_start(client: Path, assets: Path) -> None:
    (assets / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=re.escape(str(assets / "manifest.json"))):
        FletStaticFiles(assets_dir=assets)


async def test_nothing_is_written(
    client: Path, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (assets / "index.html").write_text(PAGE)
    before = snapshot(tmp_path)
    static = FletStaticFiles(assets_dir=assets, app_name="Shop")
    assert "Shop" in (await fetch(static, "/app/", "/app")).text
    assert snapshot(tmp_path) == before
    assert list(temporary.iterdir()) == []


# Routes, methods, headers


@pytest.mark.parametrize(
    "url", ["/store", "/store/42", "/old/page.html", "/icons", "/icons/", "/x.HTML"]
)
async def test_a_route_gives_the_start_page(client: Path, url: str) -> None:
    static = FletStaticFiles()
    page = await fetch(static, "/")
    response = await fetch(static, url)
    assert (response.status_code, response.text) == (200, page.text)
    assert response.headers["etag"] == page.headers["etag"]


@pytest.mark.parametrize("url", ["/none.png", "/store/none.js", "/none.json"])
async def test_a_missing_file_is_404(client: Path, url: str) -> None:
    response = await fetch(FletStaticFiles(), url)
    assert response.status_code == 404
    assert "flet" not in response.text


async def test_routes_win_over_the_apps_404_page(client: Path, assets: Path) -> None:
    (assets / "404.html").write_text("not here")
    static = FletStaticFiles(assets_dir=assets)
    assert "webSocketEndpoint" in (await fetch(static, "/store")).text
    missing = await fetch(static, "/none.png")
    assert (missing.status_code, missing.text) == (404, "not here")


async def test_overlong_and_nul_paths(client: Path) -> None:
    static = FletStaticFiles()
    assert (await fetch(static, f"/{'x' * 300}.png")).status_code == 404
    assert (await fetch(static, "/a%00.png")).status_code == 404
    assert (await fetch(static, "/a%00")).status_code == 200


@pytest.mark.parametrize("url", ["/", "/main.dart.js", "/store"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_405(client: Path, method: str, url: str) -> None:
    async with browse(FletStaticFiles()) as browser:
        response = await browser.request(method, url)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("url", ["/", "/manifest.json", "/main.dart.js"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_head_is_get_without_the_body(client: Path, url: str, encoding: str) -> None:
    (client / "main.dart.js").write_text("// main" * 100)
    static = FletStaticFiles()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    # By hand, because httpx drops the body of such an answer itself.
    accept = (b"accept-encoding", encoding.encode())
    asgi_scope = {"type": "http", "method": "HEAD", "path": url, "root_path": ""}
    await static(asgi_scope | {"headers": [accept]}, receive, send)
    async with browse(static) as browser, browser.stream("GET", url, headers=[accept]) as got:
        content = b"".join([part async for part in got.aiter_raw()])
    assert [message.get("body") for message in sent[1:]] == [b""]
    assert sent[0]["status"] == 200
    assert sorted(sent[0]["headers"]) == sorted(got.headers.raw)
    assert int(got.headers["content-length"]) == len(content) > 0


@pytest.mark.parametrize("url", ["/", "/store", "/manifest.json", "/assets/FontManifest.json"])
async def test_document_not_modified(client: Path, url: str) -> None:
    async with browse(FletStaticFiles()) as browser:
        etag = (await browser.get(url)).headers["etag"]
        same = await browser.get(url, headers={"if-none-match": f'"x", W/{etag}'})
        other = await browser.get(url, headers={"if-none-match": '"x"'})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == etag
    assert same.headers["cache-control"] == "no-cache"
    assert other.status_code == 200


async def test_file_not_modified(client: Path) -> None:
    async with browse(FletStaticFiles()) as browser:
        etag = (await browser.get("/main.dart.mjs")).headers["etag"]
        same = await browser.get("/main.dart.mjs", headers={"if-none-match": etag})
    assert same.status_code == 304


async def test_etag_follows_the_content(client: Path) -> None:
    one = await fetch(FletStaticFiles(app_name="One"), "/")
    same = await fetch(FletStaticFiles(app_name="One"), "/")
    two = await fetch(FletStaticFiles(app_name="Two"), "/")
    assert one.headers["etag"] == same.headers["etag"] != two.headers["etag"]


async def test_media_types_do_not_come_from_the_system(
    client: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = mimetypes.MimeTypes()
    table.add_type("text/plain", ".js")
    table.add_type("text/plain", ".mjs")
    table.add_type("text/plain", ".wasm")
    monkeypatch.setattr(mimetypes, "_db", table)
    static = FletStaticFiles()
    types = {
        name: (await fetch(static, f"/main.dart.{name}")).headers["content-type"]
        for name in ("js", "mjs", "wasm")
    }
    assert types == {
        "js": "text/javascript; charset=utf-8",
        "mjs": "text/javascript; charset=utf-8",
        "wasm": "application/wasm",
    }
    assert mimetypes.guess_type("x.mjs")[0] == "text/plain"


async def test_no_cors_header(client: Path) -> None:
    static = FletStaticFiles()
    for url in ("/", "/manifest.json", "/main.dart.wasm", "/none.png"):
        response = await fetch(static, url, headers={"origin": "http://evil.test"})
        assert not [name for name in response.headers if name.startswith("access-control")]


# Settings


async def test_enums_are_accepted(client: Path) -> None:
    static = FletStaticFiles(
        web_renderer=WebRenderer.SKWASM, route_url_strategy=RouteUrlStrategy.HASH
    )
    config = config_of((await fetch(static, "/")).text)
    assert (config["webRenderer"], config["routeUrlStrategy"]) == ("skwasm", "hash")


async def test_environment_gives_defaults(
    client: Path, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (assets / "a.txt").write_text("mine")
    monkeypatch.setenv("FLET_WEB_RENDERER", "canvaskit")
    monkeypatch.setenv("FLET_WEB_ROUTE_URL_STRATEGY", "hash")
    monkeypatch.setenv("FLET_WEB_NO_CDN", "false")
    monkeypatch.setenv("FLET_ASSETS_DIR", str(assets))
    static = FletStaticFiles()
    config = config_of((await fetch(static, "/")).text)
    assert config["webRenderer"] == "canvaskit"
    assert config["routeUrlStrategy"] == "hash"
    assert config["noCdn"] is False
    assert (await fetch(static, "/a.txt")).text == "mine"


async def test_arguments_win_over_the_environment(
    client: Path, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (assets / "a.txt").write_text("from the environment")
    monkeypatch.setenv("FLET_WEB_RENDERER", "canvaskit")
    monkeypatch.setenv("FLET_WEB_ROUTE_URL_STRATEGY", "hash")
    monkeypatch.setenv("FLET_WEB_NO_CDN", "1")
    monkeypatch.setenv("FLET_ASSETS_DIR", str(assets))
    static = FletStaticFiles(
        assets_dir="", web_renderer="auto", route_url_strategy="path", no_cdn=False
    )
    config = config_of((await fetch(static, "/")).text)
    assert config["webRenderer"] == "auto"
    assert config["routeUrlStrategy"] == "path"
    assert config["noCdn"] is False
    assert (await fetch(static, "/a.txt")).status_code == 404


async def test_empty_variables_count_as_not_set(
    client: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES[1:]:
        monkeypatch.setenv(name, "")
    config = config_of((await fetch(FletStaticFiles(), "/")).text)
    assert (config["webRenderer"], config["noCdn"]) == ("auto", True)


async def test_bad_settings_name_the_allowed_values(
    client: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"web_renderer must be .*'canvaskit'.*'html'"):
        FletStaticFiles(web_renderer="html")
    with pytest.raises(ValueError, match=r"route_url_strategy must be .*'path', 'hash'"):
        FletStaticFiles(route_url_strategy="")
    monkeypatch.setenv("FLET_WEB_RENDERER", "html")
    with pytest.raises(ValueError, match="FLET_WEB_RENDERER must be"):
        FletStaticFiles()


# The client's directory


async def test_missing_client_fails_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLET_WEB_PATH", str(tmp_path / "none"))
    with pytest.raises(ClientMissingError) as caught:
        FletStaticFiles()
    assert caught.value.path == tmp_path / "none"
    assert 'pip install "flet-anyio[web]"' in str(caught.value)
    assert isinstance(caught.value, RuntimeError)


async def test_client_without_a_page_fails_at_start(client: Path, assets: Path) -> None:
    (client / "index.html").unlink()
    with pytest.raises(ClientMissingError):
        FletStaticFiles()
    (assets / "index.html").write_text(PAGE)
    FletStaticFiles(assets_dir=assets)


async def test_page_that_goes_missing_later(client: Path) -> None:
    static = FletStaticFiles()
    await fetch(static, "/")
    (client / "index.html").unlink()
    assert (await fetch(static, "/")).status_code == 200
    with pytest.raises(ClientMissingError):
        await fetch(static, "/app/", "/app")


async def test_package_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    # None is Python's own sign for "cannot be imported".
    monkeypatch.setitem(sys.modules, "flet_web", None)
    with pytest.raises(ClientMissingError, match="flet-web is not installed") as caught:
        client_dir()
    assert caught.value.path is None


async def test_package_is_located_and_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("flet_web")
    for name in [name for name in sys.modules if name.split(".")[0] == "flet_web"]:
        monkeypatch.delitem(sys.modules, name)
    path = client_dir()
    assert (path / "main.dart.js").is_file()
    assert path.parent.name == "flet_web"
    assert "flet_web" not in sys.modules


async def test_the_real_client(assets: Path) -> None:
    pytest.importorskip("flet_web")
    static = FletStaticFiles(assets_dir=assets, app_name="Shop", app_description="Buy it")
    page = (await fetch(static, "/app/", "/app")).text
    assert '<base href="/app/">' in page
    assert "<title>Shop</title>" in page
    assert '<meta name="apple-mobile-web-app-title" content="Shop">' in page
    assert '<meta name="description" content="Buy it">' in page
    assert 'flet.webSocketEndpoint="/app/ws";' in page
    assert "<!-- fletAppConfig -->" not in page
    # What comes later in a page overrides what was there: the settings after the defaults.
    assert page.index("var flet = {") < page.index("flet.noCdn=true;")
    assert page.index("flet.noCdn=true;") < page.index('python.js">')
    assert (await fetch(static, "/manifest.json")).json()["short_name"] == "Shop"
    fonts = (await fetch(static, "/assets/FontManifest.json")).json()
    roboto = next(font for font in fonts if font["family"] == "Roboto")
    font = await fetch(static, f"/assets/{roboto['fonts'][0]['asset']}")
    assert font.status_code == 200
    for url in re.findall(r'(?:src|href)="([\w./-]+\.\w+)"', page):
        assert url.startswith("-/") == (url != "manifest.json"), url
        assert (await fetch(static, f"/{url}")).status_code == 200, url


# Concurrency


class CountingFiles(FletStaticFiles):
    """Count how often the page is looked up, which is once for each time that it is made."""

    def __init__(self) -> None:
        self.lookups = 0
        super().__init__()
        self.lookups = 0

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        self.lookups += path == "manifest.json"
        return super().lookup_path(path)


async def test_concurrent_first_requests_make_documents_once(client: Path) -> None:
    static = CountingFiles()
    pages: list[str] = []

    async def visit(browser: httpx.AsyncClient) -> None:
        pages.append((await browser.get("/app/")).text)

    async with browse(static, "/app") as browser, anyio.create_task_group() as tg:
        for _ in range(20):
            tg.start_soon(visit, browser)
    assert len(pages) == 20
    assert len(set(pages)) == 1
    assert static.lookups == 1


@pytest.mark.slow
async def test_mount_paths_from_visitors_are_not_kept_for_ever(client: Path) -> None:
    static = CountingFiles()
    async with browse(static, "/{tenant}") as browser:
        for number in range(300):
            await browser.get(f"/{number}/")
        assert static.lookups == 300
        await browser.get("/299/")
        assert static.lookups == 300
        page = (await browser.get("/0/")).text
    assert static.lookups == 301
    assert '<base href="/0/">' in page


async def test_cancelled_first_request_leaves_the_next_one_working(client: Path) -> None:
    static = FletStaticFiles()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await fetch(static, "/app/", "/app")
    assert scope.cancelled_caught
    assert (await fetch(static, "/app/", "/app")).status_code == 200


def test_one_object_serves_several_event_loops(client: Path) -> None:
    pytest.importorskip("trio")
    static = FletStaticFiles()

    async def visit(mount: str) -> int:
        return (await fetch(static, f"{mount}/", mount)).status_code

    assert anyio.run(visit, "/one", backend="asyncio") == 200
    assert anyio.run(visit, "/two", backend="trio") == 200
