"""The compiled client behind a real nginx, configured as the documentation says."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from nginx import proxied, require_nginx
from sites import HERE, free_port, probe, require_chromium, serving
from test_drops import with_control

from oauth_provider import provider

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

CONTROLS = "load,counter,route,upload,reconnect"


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    require_chromium()
    require_nginx()


@pytest.mark.parametrize(
    ("prefix", "settings"),
    [("", []), ("/shop", ["--proxy-path", "/shop"]), ("/shop", ["--mount", "/shop"])],
    ids=["root", "stripped", "mounted"],
)
def test_controls_and_uploads(prefix: str, settings: list[str], tmp_path: Path) -> None:
    strip = "--mount" not in settings
    with (
        serving(["trio", *settings], tmp_path) as site,
        proxied(port_of(site.url), tmp_path, prefix=prefix, strip=strip) as url,
    ):
        probe(url, CONTROLS, "--upload-dir", str(site.uploads), "--renderer", site.renderer)
        log = site.log.read_text()
    assert "Traceback" not in log, log


def test_resume_under_a_prefix(tmp_path: Path) -> None:
    arguments, control = with_control("hypercorn-asyncio")
    with (
        serving([*arguments, "--proxy-path", "/shop"], tmp_path) as site,
        proxied(port_of(site.url), tmp_path, prefix="/shop") as url,
    ):
        options = ("--control", control)
        probe(url, "drops,reloads", *options, script="resume_probe.py")
        log = site.log.read_text()
    assert "Traceback" not in log, log


def test_signing_in_under_a_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, app = free_port(), str(HERE / "sign_in_app.py")
    with (
        provider() as authority,
        proxied(port, tmp_path, prefix="/shop") as url,
    ):
        monkeypatch.setenv("FLET_ANYIO_TEST_PROVIDER", authority)
        monkeypatch.setenv("FLET_ANYIO_TEST_SITE", url.rstrip("/"))
        with serving(["trio", "--proxy-path", "/shop", "--app", app], tmp_path, port) as site:
            probe(url, "popup,here", script="sign_in_probe.py")
            log = site.log.read_text()
    assert "Traceback" not in log, log


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
