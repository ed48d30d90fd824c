"""The soak itself, a little of it, so that it still works when it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc"),
]

TESTS = Path(__file__).parents[1]


def soak(*arguments: str, module: str = "soak") -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(150)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_hundred_visits_leave_nothing_behind(backend: str) -> None:
    pytest.importorskip(backend)
    # So early in a server's life memory says nothing.
    few = ["--cycles", "150", "--warm", "50", "--visitors", "20", "--growth", "100"]
    ended = soak(*few, "--minutes", "2", backend)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{backend}: 150 cycles" in ended.stdout


@pytest.mark.timeout(150)
def test_a_broken_promise_is_told() -> None:
    ended = soak("--cycles", "20", "--warm", "10", "--visitors", "5", "--growth", "-1", "asyncio")
    assert ended.returncode == 1
    assert "MiB more memory" in ended.stdout


@pytest.mark.timeout(150)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_upload_takes_no_more_memory_than_it_may(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    ended = soak("--gib", "0.2", "--folder", str(tmp_path), backend, module="soak.upload")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{backend}: 0.2 GiB" in ended.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.timeout(150)
def test_an_upload_that_takes_too_much_memory_is_told(tmp_path: Path) -> None:
    few = ["--gib", "0.01", "--growth", "-1", "--folder", str(tmp_path)]
    ended = soak(*few, "asyncio", module="soak.upload")
    assert ended.returncode == 1
    assert "MiB more memory" in ended.stdout
