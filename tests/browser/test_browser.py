"""Flet's compiled client against this package's servers, in headless Chromium.

The browser and the server are processes of their own, so a test here only starts probe.py and
reads what it says. FLET_ANYIO_REQUIRE_BROWSER=1 makes a missing browser a failure, and
FLET_ANYIO_BROWSER_IDLE sets how many seconds a connection is left alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
IDLE = os.environ.get("FLET_ANYIO_BROWSER_IDLE", "12")

SERVERS = {
    "hypercorn-trio": ["trio"],
    "hypercorn-asyncio": ["asyncio"],
    "uvicorn": ["uvicorn"],
    "canvaskit": ["asyncio", "--renderer", "canvaskit"],
}

CONTROLS = "load,counter,burst,text,checkbox,rows,dialog,route,upload"
SESSIONS = "reload,twotabs,reconnect,crash"


def missing() -> str | None:
    """What a browser test would need and cannot find, if anything."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed"
    from browser_tab import find_chromium
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return None if find_chromium(playwright) else "there is no Chromium"


@pytest.fixture(scope="module", autouse=True)
def chromium() -> None:
    reason = missing()
    if reason is None:
        return
    if os.environ.get("FLET_ANYIO_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Site:
    """A server that runs."""

    url: str
    uploads: Path
    log: Path
    renderer: str


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def command(arguments: list[str], port: int, uploads: Path) -> list[str]:
    script = str(HERE / "serve_demo.py")
    server, *others = arguments
    return [sys.executable, script, server, str(port), str(uploads), *others]


@contextlib.contextmanager
def serving(arguments: list[str], folder: Path) -> Iterator[Site]:
    """Run a server, and expect that it ends when it is asked to."""
    port = free_port()
    renderer = "canvaskit" if "canvaskit" in arguments else "skwasm"
    url = f"http://127.0.0.1:{port}/"
    site = Site(url, folder / "uploads", folder / "server.log", renderer)
    site.uploads.mkdir()
    with site.log.open("wb") as log:
        program = command(arguments, port, site.uploads)
        process = subprocess.Popen(program, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_listening(process, port, site.log)
            yield site
            process.terminate()
            process.wait(15)
        finally:
            process.kill()
            process.wait()


def wait_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail(f"the server does not listen:\n{log.read_text()}")


def probe(url: str, scenarios: str, *options: str) -> None:
    """Run scenarios; their lines are shown when one fails."""
    script = str(HERE / "probe.py")
    done = subprocess.run(
        [sys.executable, script, "--url", url, "--scenario", scenarios, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )
    print(done.stdout)
    bad = [line for line in done.stdout.splitlines() if line.startswith(("FAIL", "SKIP"))]
    assert (done.returncode, bad) == (0, [])


@pytest.fixture(scope="module", params=SERVERS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with serving(SERVERS[request.param], tmp_path_factory.mktemp("site")) as site:
        yield site


def test_controls(site: Site) -> None:
    uploads = str(site.uploads)
    probe(site.url, CONTROLS, "--upload-dir", uploads, "--renderer", site.renderer)


def test_sessions(site: Site) -> None:
    probe(site.url, SESSIONS)


def test_idle(site: Site) -> None:
    probe(site.url, "idle", "--idle", IDLE)


def test_server_reports_nothing_but_the_crash(site: Site) -> None:
    log = site.log.read_text()
    errors = [line for line in log.splitlines() if line.startswith("Traceback")]
    assert len(errors) == log.count("ValueError: probe crash"), log


@pytest.mark.parametrize("server", SERVERS)
def test_restart(server: str, tmp_path: Path) -> None:
    port = free_port()
    program = shlex.join(command(SERVERS[server], port, tmp_path))
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
