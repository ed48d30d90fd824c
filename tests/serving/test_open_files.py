"""That `run` may open as many files as the system allows."""

from __future__ import annotations

import sys

import pytest

from programs import running

resource = pytest.importorskip("resource")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into another process"),
]


@pytest.mark.parametrize("server", ["run-asyncio", "run-trio"])
def test_a_low_bound_on_open_files_is_raised(server: str) -> None:
    low, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
    try:
        with running(server) as program:
            pid = program.state()["pid"]
            assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, most))
