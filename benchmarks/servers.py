"""Servers in processes of their own, on a core of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Server", "cores", "serving"]

_ROOT = Path(__file__).parents[1]


class Server:
    """A running server: its process, the app on it, and where it listens."""

    def __init__(self, pid: int, port: int, app: str) -> None:
        self.pid = pid
        self.app = app
        self.url = f"ws://127.0.0.1:{port}/ws"

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        # The clock of another process, as clock_getcpuclockid(3) names it.
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory(self) -> int:
        """Bytes that it holds in memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024


def cores() -> tuple[set[int], set[int]]:
    """The core of servers, and those of clients. The same where there is only one."""
    first, *rest = sorted(os.sched_getaffinity(0))
    return {first}, set(rest) or {first}


@contextmanager
def serving(server: str, app: str) -> Iterator[Server]:
    """Run an app on a server for as long as the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serve", server, app],
        cwd=_ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.sched_setaffinity(process.pid, cores()[0])
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Server(process.pid, port, app)
        finally:
            process.kill()
