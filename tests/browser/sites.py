"""Servers as processes of their own, and the probes that are run against them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "HERE",
    "SERVERS",
    "Site",
    "command",
    "free_port",
    "probe",
    "proxied",
    "require_chromium",
    "serving",
    "wait_listening",
]

HERE = Path(__file__).parent

SERVERS = {
    "hypercorn-trio": ["trio"],
    "hypercorn-asyncio": ["asyncio"],
    "uvicorn": ["uvicorn"],
    "canvaskit": ["asyncio", "--renderer", "canvaskit"],
}


def missing() -> str | None:
    """What a browser test would need and cannot find, if anything."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed"
    from browser_tab import find_chromium
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return None if find_chromium(playwright) else "there is no Chromium"


def require_chromium() -> None:
    """Skip the test where there is no browser, or let it fail if it is required."""
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
def serving(arguments: list[str], folder: Path, port: int | None = None) -> Iterator[Site]:
    """Run a server, and expect that it ends when it is asked to."""
    port = port or free_port()
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


@contextlib.contextmanager
def proxied(target: str, prefix: str) -> Iterator[str]:
    """Publish a server under a prefix, which it does not see; give its URL."""
    port = free_port()
    script = str(HERE.parent / "stripping_proxy.py")
    program = [sys.executable, script, str(port), str(urlsplit(target).port), prefix]
    with subprocess.Popen(program) as process:
        try:
            wait_listening(process, port)
            yield f"http://127.0.0.1:{port}{prefix}/"
        finally:
            process.kill()


def wait_listening(process: subprocess.Popen[bytes], port: int, log: Path | None = None) -> None:
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail(f"the server does not listen:\n{log.read_text() if log else ''}")


def probe(
    url: str, scenarios: str, *options: str, script: str = "probe.py", timeout: float = 200
) -> None:
    """Run scenarios; their lines are shown when one fails."""
    program = [sys.executable, str(HERE / script), "--url", url, "--scenario", scenarios, *options]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGUSR1)  # it says where it is, and ends
            output, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    print(output)
    bad = [line for line in output.splitlines() if line.startswith(("FAIL", "SKIP"))]
    assert (process.returncode, bad) == (0, [])
