"""Flet's compiled client against this package's servers, in headless Chromium.

The browser and the server are processes of their own, so a test here only starts probe.py and
reads what it says. FLET_ANYIO_REQUIRE_BROWSER=1 makes a missing browser a failure, and
FLET_ANYIO_BROWSER_IDLE sets how many seconds a connection is left alone.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sites import (
    HERE,
    SERVERS,
    Site,
    command,
    free_port,
    probe,
    proxied,
    require_chromium,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

ROOT = HERE.parent.parent
IDLE = os.environ.get("FLET_ANYIO_BROWSER_IDLE", "8")

# All of it on one server; on the others what they have a part in, with the other renderer what
# that draws.
CONTROLS = {
    "hypercorn-trio": "load,counter,burst,text,checkbox,rows,dialog,route,upload,upload_refused",
    "hypercorn-asyncio": "load,burst,upload,upload_refused",
    "uvicorn": "load,burst,upload,upload_refused",
    "canvaskit": "load,counter,text,rows,dialog",
}
OF_THE_SERVER = [name for name in SERVERS if name != "canvaskit"]
SESSIONS = "reload,idle,twotabs,reconnect,crash"


@pytest.fixture(scope="module", autouse=True)
def chromium() -> None:
    require_chromium()


@pytest.fixture(scope="module", params=SERVERS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with serving(SERVERS[request.param], tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.mark.parametrize(("site", "scenarios"), CONTROLS.items(), indirect=["site"])
def test_controls(site: Site, scenarios: str) -> None:
    uploads = str(site.uploads)
    probe(site.url, scenarios, "--upload-dir", uploads, "--renderer", site.renderer)


@pytest.mark.parametrize("site", OF_THE_SERVER, indirect=True)
def test_sessions(site: Site) -> None:
    probe(site.url, SESSIONS, "--idle", IDLE)


def test_server_reports_nothing_but_the_crash(site: Site) -> None:
    log = site.log.read_text()
    errors = [line for line in log.splitlines() if line.startswith("Traceback")]
    assert len(errors) == log.count("ValueError: probe crash"), log


def test_files_under_a_mount_and_behind_a_proxy_that_strips_a_prefix(tmp_path: Path) -> None:
    options = ["uvicorn", "--mount", "/dash", "--proxy-path", "/apps/mine"]
    with serving(options, tmp_path) as site, proxied(site.url, "/apps/mine") as url:
        probe(
            f"{url}dash/", "load,counter,upload,upload_refused", "--upload-dir", str(site.uploads)
        )


def test_restart(tmp_path: Path) -> None:
    port = free_port()
    program = shlex.join(command(SERVERS["uvicorn"], port, tmp_path))
    probe(f"http://127.0.0.1:{port}/", "restart", "--server-cmd", program)


def test_screenshot(tmp_path: Path) -> None:
    """The example that the README shows. FLET_ANYIO_WRITE_SCREENSHOT=1 renews its picture."""
    renew = os.environ.get("FLET_ANYIO_WRITE_SCREENSHOT") == "1"
    picture = (ROOT / "docs/images" if renew else tmp_path) / "counter.png"
    app = str(ROOT / "examples/counter.py")
    with serving(["trio", "--app", app], tmp_path) as site:
        done = subprocess.run(
            [sys.executable, str(HERE / "picture.py"), site.url, str(picture)],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
