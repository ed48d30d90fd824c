"""Pages of apps that are mounted below a path, found by their addresses in the browser."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sites import HERE, free_port, require_chromium, wait_listening

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture(scope="module", autouse=True)
def chromium() -> None:
    require_chromium()


def test_routes_below_a_path(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "server.log"
    program = [sys.executable, str(HERE / "routes_app.py"), "trio", str(port)]
    with log.open("wb") as output:
        server = subprocess.Popen(program, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_listening(server, port, log)
            done = subprocess.run(
                [sys.executable, str(HERE / "routes_probe.py"), f"http://127.0.0.1:{port}/"],
                capture_output=True,
                text=True,
                timeout=200,
                check=False,
            )
            print(done.stdout, done.stderr)
            assert done.returncode == 0
            assert done.stdout.count("PASS") == 8
        finally:
            server.terminate()
            server.wait(15)
    assert "Traceback" not in log.read_text()
