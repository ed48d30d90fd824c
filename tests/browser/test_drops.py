"""What becomes of a session when its client's connection breaks, with Flet's compiled client.

FLET_ANYIO_BROWSER_DROPS sets how often the fuzz cuts a connection, FLET_ANYIO_BROWSER_SEED where
its dice begin.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import pytest
from sites import HERE, SERVERS, command, free_port, probe, require_chromium, serving

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DROPS = os.environ.get("FLET_ANYIO_BROWSER_DROPS", "6")
SEED = os.environ.get("FLET_ANYIO_BROWSER_SEED")

FUZZ_TIMEOUT = 60 + 5 * int(DROPS)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240 + FUZZ_TIMEOUT)]

# Each on one server, as what they show is the client's and the session's; those where the server
# closes or aborts connections in its own way on several.
SCENARIOS = {
    "hypercorn-trio": "drops,half_open",
    "hypercorn-asyncio": "drops,silence,address,redrawn,dialogs,reloads",
    "uvicorn": "drops,half_open,overflow,blind,looks,typing,duplicate",
}
# With and without room for updates that the client has not confirmed.
FUZZED = [("hypercorn-trio", ["--journal-bytes", "1000"]), ("canvaskit", [])]


@pytest.fixture(scope="module", autouse=True)
def chromium() -> None:
    require_chromium()


def with_control(server: str) -> tuple[list[str], str]:
    """Arguments of a server of resume_app.py, and its side channel's port."""
    control = str(free_port())
    app = str(HERE / "resume_app.py")
    return [*SERVERS[server], "--app", app, "--control", control], control


def resume_probe(
    server: str, folder: Path, scenarios: str, *options: str, settings: Sequence[str] = ()
) -> None:
    arguments, control = with_control(server)
    with serving([*arguments, *settings], folder) as site:
        options = ("--control", control, *options)
        timeout = 200 + FUZZ_TIMEOUT
        probe(site.url, scenarios, *options, script="resume_probe.py", timeout=timeout)
    assert "Traceback" not in site.log.read_text(), site.log.read_text()


@pytest.mark.parametrize("server", SCENARIOS)
def test_resume(server: str, tmp_path: Path) -> None:
    resume_probe(server, tmp_path, SCENARIOS[server])


@pytest.mark.parametrize(("server", "settings"), FUZZED, ids=["hypercorn-trio", "canvaskit"])
def test_fuzz(server: str, settings: Sequence[str], tmp_path: Path) -> None:
    seed = ["--seed", SEED] if SEED else []
    resume_probe(server, tmp_path, "fuzz", "--drops", DROPS, *seed, settings=settings)


def test_changes_that_become_one(tmp_path: Path) -> None:
    resume_probe("uvicorn", tmp_path, "changes", settings=["--journal-bytes", "100"])


def test_restart(tmp_path: Path) -> None:
    arguments, control = with_control("hypercorn-trio")
    port = free_port()
    program = shlex.join(command(arguments, port, tmp_path))
    options = ("--control", control, "--server-cmd", program)
    probe(f"http://127.0.0.1:{port}/", "restart", *options, script="resume_probe.py")
