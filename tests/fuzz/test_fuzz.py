"""The fuzzer against each server; FLET_ANYIO_LONG=1 sends forty times as much."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .__main__ import FRAMES, SERVERS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc"),
]

TESTS = Path(__file__).parents[1]


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "fuzz", *arguments],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(240 * FRAMES // 25_000)
@pytest.mark.parametrize("server", SERVERS)
def test_whatever_is_sent_ends_nothing_but_its_connection(server: str) -> None:
    if "trio" in server:
        pytest.importorskip("trio")
    ended = fuzz("--seed", "1", server)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{server}: {FRAMES} frames" in ended.stdout


def test_a_frame_is_sent_again_with_what_came_before_it() -> None:
    ended = fuzz("--seed", "1", "--only", "1204", "run-asyncio")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "run-asyncio: 5 frames" in ended.stdout


def test_a_broken_promise_is_told_with_what_to_send_again() -> None:
    ended = fuzz("--seed", "7", "--frames", "200", "--promptly", "0", "run-asyncio")
    assert ended.returncode == 1
    assert "BROKEN on run-asyncio: the healthy client got no answer" in ended.stdout
    assert "seed 7, at frame: " in ended.stdout
