"""The variables that upstream's web server reads, each as a default."""

from __future__ import annotations

import importlib.util
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flet as ft
import pytest

import flet_anyio
from flet_anyio import FletApp, FletStaticFiles, FletUpload
from flet_anyio.cli import _level
from flet_anyio.serving.apps import place_for
from flet_anyio.serving.run import _announce
from flet_anyio.settings import address, log_level
from visits import browsing, visit_asgi, visit_url

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = Path(__file__).parents[2] / "docs" / "settings.md"

Environment = pytest.MonkeyPatch


def main(page: ft.Page) -> None:
    page.add(ft.Text("hello"))


def upload_url(page: ft.Page) -> None:
    page.add(ft.Text(page.get_upload_url("file.txt", 60)))


# --- the table ----------------------------------------------------------------------------------


def documented() -> set[str]:
    """The variables that the documentation speaks of, in its table and below it."""
    names = re.findall(r"`(FLET_[A-Z_]+)`", SETTINGS.read_text())
    return {name for name in names if not name.startswith("FLET_ANYIO_")}


def read_by_upstream() -> set[str]:
    """What upstream's web server and the function that runs it read from the environment."""
    sources: list[Path] = []
    for name in ("flet_web", "flet"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            pytest.skip(f"{name} is not installed")
        folder = Path(spec.origin).parent
        sources += folder.rglob("*.py") if name == "flet_web" else [folder / "app.py"]
    reads = re.compile(r"""(?:getenv|environ\.get|get_bool_env_var)\(\s*"(FLET_[A-Z_]+)""")
    return {name for path in sources for name in reads.findall(path.read_text())}


def test_the_table_has_every_variable_that_upstream_reads() -> None:
    assert read_by_upstream() == documented()


# --- bad values ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "call"),
    [
        ("FLET_MAX_UPLOAD_SIZE", "big", lambda: flet_anyio.app(main, upload_dir="up")),
        ("FLET_MAX_UPLOAD_SIZE", "-1", lambda: FletUpload("up", secret_key="secret")),
        ("FLET_OAUTH_STATE_TIMEOUT", "soon", lambda: flet_anyio.app(main)),
        ("FLET_OAUTH_STATE_TIMEOUT", "inf", lambda: FletApp(main=main)),
        ("FLET_SESSION_TIMEOUT", "soon", lambda: flet_anyio.app(main)),
        ("FLET_SESSION_TIMEOUT", "-1", lambda: FletApp(main=main)),
        ("FLET_WEB_NO_CDN", "maybe", lambda: flet_anyio.app(main)),
        ("FLET_WEB_RENDERER", "html", FletStaticFiles),
        ("FLET_WEB_ROUTE_URL_STRATEGY", "slash", FletStaticFiles),
        ("FLET_WEB_PATH", "/nowhere", FletStaticFiles),
        ("FLET_WEBSOCKET_HANDLER_ENDPOINT", "/", lambda: flet_anyio.app(main)),
        ("FLET_UPLOAD_HANDLER_ENDPOINT", "/", lambda: flet_anyio.app(main)),
        ("FLET_OAUTH_CALLBACK_HANDLER_ENDPOINT", "//", lambda: flet_anyio.app(main)),
        ("FLET_SERVER_PORT", "http", lambda: address(None, None)),
        ("FLET_SERVER_PORT", "65536", lambda: address(None, None)),
        ("FLET_LOG_LEVEL", "loud", log_level),
    ],
)
def test_a_bad_value_names_its_variable(
    monkeypatch: Environment, variable: str, value: str, call: Callable[[], Any]
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises((ValueError, flet_anyio.ClientMissingError), match=variable):
        call()
    monkeypatch.delenv(variable)


@pytest.mark.parametrize("variable", sorted(documented()))
def test_an_empty_variable_counts_as_not_set(monkeypatch: Environment, variable: str) -> None:
    if variable == "FLET_WEB_PATH":
        pytest.importorskip("flet_web", reason="the client has to come from somewhere")
    monkeypatch.setenv(variable, "")
    flet_anyio.app(main)
    FletApp(main=main)
    assert address(None, None) == ("127.0.0.1", 8000)
    assert place_for(main, None) == ""
    assert log_level() is None


# --- serving ------------------------------------------------------------------------------------


def test_the_address_to_listen_on(monkeypatch: Environment) -> None:
    monkeypatch.setenv("FLET_SERVER_IP", "0.0.0.0")
    monkeypatch.setenv("FLET_SERVER_PORT", "80")
    assert address(None, None) == ("0.0.0.0", 80)
    assert address("::1", 0) == ("::1", 0)


def test_where_the_app_is(monkeypatch: Environment) -> None:
    monkeypatch.setenv("FLET_WEB_APP_PATH", "/apps/shop/")
    assert place_for(main, None) == "/apps/shop"
    assert place_for(main, "desk") == "/desk"
    assert place_for(main, "/") == ""
    assert place_for(flet_anyio.app(main), None) == ""
    with pytest.raises(TypeError, match="own paths"):
        place_for(flet_anyio.app(main), "desk")


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.usefixtures("hypercorn_runs")
async def test_an_app_is_served_where_the_variables_say(monkeypatch: Environment) -> None:
    import anyio
    import httpx

    monkeypatch.setenv("FLET_SERVER_IP", "127.0.0.2")
    monkeypatch.setenv("FLET_SERVER_PORT", "0")
    monkeypatch.setenv("FLET_WEB_APP_PATH", "/shop")
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(flet_anyio.serve, main)
        assert url.startswith("http://127.0.0.2:")
        assert url.endswith("/shop/")
        async with httpx.AsyncClient(follow_redirects=True) as http:
            assert '<base href="/shop/">' in (await http.get(url.rstrip("/"))).text
            assert (await http.get(url + "-/ready")).text == "ready"
        async with visit_url(f"{url}ws") as client:
            await client.see("hello")
            tasks.cancel_scope.cancel()


def test_what_is_printed_at_the_start(
    monkeypatch: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    _announce("http://127.0.0.1:80/")
    monkeypatch.setenv("FLET_DISPLAY_URL_PREFIX", "url:")
    _announce("http://127.0.0.1:80/")
    printed = capsys.readouterr()
    assert printed.err == "Serving on http://127.0.0.1:80/\n"
    assert printed.out == "url: http://127.0.0.1:80/\n"


def test_how_much_is_logged(monkeypatch: Environment) -> None:
    assert _level(0) == logging.WARNING
    monkeypatch.setenv("FLET_LOG_LEVEL", "error")
    assert log_level() == logging.ERROR
    assert _level(0) == logging.ERROR
    assert _level(1) == logging.INFO
    assert _level(2) == logging.DEBUG


# --- the app ------------------------------------------------------------------------------------


def test_how_long_sessions_and_sign_ins_last(monkeypatch: Environment) -> None:
    monkeypatch.setenv("FLET_SESSION_TIMEOUT", "7")
    monkeypatch.setenv("FLET_OAUTH_STATE_TIMEOUT", "8.5")
    assert FletApp(main=main).session_timeout == 7
    assert FletApp(main=main)._oauth_timeout == 8.5
    given = FletApp(main=main, session_timeout_seconds=1, oauth_state_timeout_seconds=2)
    assert (given.session_timeout, given._oauth_timeout) == (1, 2)


@pytest.mark.anyio
async def test_an_app_keeps_the_times_of_when_it_was_made(monkeypatch: Environment) -> None:
    monkeypatch.setenv("FLET_SESSION_TIMEOUT", "7")
    app = flet_anyio.app(main)
    monkeypatch.setenv("FLET_SESSION_TIMEOUT", "9")
    async with visit_asgi(app) as client:
        await client.see("hello")
        (connection,) = (await app.site._server())._connections
        assert connection.session_timeout == 7  # type: ignore[attr-defined]


@pytest.mark.anyio
async def test_where_the_endpoints_are(monkeypatch: Environment, tmp_path: Path) -> None:
    monkeypatch.setenv("FLET_WEBSOCKET_HANDLER_ENDPOINT", "/socket/")
    monkeypatch.setenv("FLET_UPLOAD_HANDLER_ENDPOINT", "files/in")
    monkeypatch.setenv("FLET_OAUTH_CALLBACK_HANDLER_ENDPOINT", "/signed-in")
    monkeypatch.setenv("FLET_UPLOAD_DIR", str(tmp_path / "up"))
    monkeypatch.setenv("FLET_SECRET_KEY", "secret")
    monkeypatch.setenv("FLET_MAX_UPLOAD_SIZE", "4")
    app = flet_anyio.app(upload_url)
    async with visit_asgi(app, "/socket") as client, browsing(app) as http:
        await client.until(lambda: client.texts)
        (url,) = client.texts
        assert url.startswith("/files/in?")
        assert (await http.put(url, content=b"large")).status_code == 413
        assert (await http.put(url, content=b"tiny")).status_code == 200
        assert (tmp_path / "up" / "file.txt").read_bytes() == b"tiny"
        assert (await http.get("/signed-in?state=forged&code=x")).status_code == 400
        assert "/socket" in (await http.get("/")).text
    given = flet_anyio.app(upload_url, upload_endpoint_path="here")
    async with visit_asgi(given, "/socket") as client:
        await client.until(lambda: client.texts)
        assert client.texts[0].startswith("/here?")


@pytest.mark.anyio
async def test_a_grant_holds_for_all_who_have_the_secret_key(
    monkeypatch: Environment, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLET_SECRET_KEY", "secret")
    one = flet_anyio.app(upload_url, upload_dir=str(tmp_path))
    same = flet_anyio.app(upload_url, upload_dir=str(tmp_path), secret_key="secret")
    other = flet_anyio.app(upload_url, upload_dir=str(tmp_path), secret_key="another")
    async with visit_asgi(one) as client, browsing(other) as foreign, browsing(same) as http:
        await client.until(lambda: client.texts)
        (url,) = client.texts
        assert (await foreign.put(url, content=b"x")).status_code == 403
        assert (await http.put(url, content=b"x")).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("variable", "value", "setting"),
    [
        ("FLET_WEB_RENDERER", "canvaskit", 'flet.webRenderer="canvaskit"'),
        ("FLET_WEB_ROUTE_URL_STRATEGY", "hash", 'flet.routeUrlStrategy="hash"'),
        ("FLET_WEB_NO_CDN", "off", "flet.noCdn=false"),
    ],
)
async def test_what_the_client_is_told(
    monkeypatch: Environment, variable: str, value: str, setting: str
) -> None:
    monkeypatch.setenv(variable, value)
    async with browsing(flet_anyio.app(main)) as http:
        assert setting in (await http.get("/")).text
    given = flet_anyio.app(main, web_renderer="auto", route_url_strategy="path", no_cdn=True)
    async with browsing(given) as http:
        assert setting not in (await http.get("/")).text


@pytest.mark.anyio
async def test_where_the_files_come_from(
    monkeypatch: Environment, tmp_path: Path, client_files: Path
) -> None:
    (client_files / "engine.js").write_text("the client's")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "logo.svg").write_text("mine")
    monkeypatch.setenv("FLET_ASSETS_DIR", str(tmp_path / "mine"))
    async with browsing(flet_anyio.app(main)) as http:
        assert (await http.get("/engine.js")).text == "the client's"
        assert (await http.get("/logo.svg")).text == "mine"
    async with browsing(flet_anyio.app(main, assets_dir="")) as http:
        assert (await http.get("/logo.svg")).status_code == 404
