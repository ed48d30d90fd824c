"""Servers in processes of their own, on a core of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Server", "cores", "serving"]

_ROOT = Path(__file__).parents[1]


class Server:
    """A running server: its process, the app on it, and where it listens."""

    def __init__(self, pid: int, port: int, app: str) -> None:
        self.pid = pid
        self.app = app
        self.port = port
        self.url = f"ws://127.0.0.1:{port}/ws"

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        # The clock of another process, as clock_getcpuclockid(3) names it.
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory(self) -> int:
        """Bytes that it holds in memory."""
        return self._status("VmRSS")

    def most_memory(self) -> int:
        """Bytes that it held at most, since `forget_most_memory` was called."""
        return self._status("VmHWM")

    def forget_most_memory(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # proc(5)

    def sockets(self) -> int:
        """How many sockets it has open."""
        count = 0
        for descriptor in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                count += os.readlink(descriptor).startswith("socket:")
        return count

    def _status(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024


def cores() -> tuple[set[int], set[int]]:
    """The core of servers, and those of clients. The same where there is only one."""
    first, *rest = sorted(os.sched_getaffinity(0))
    return {first}, set(rest) or {first}


@contextmanager
def serving(
    server: str, app: str, *, log: IO[str] | None = None, **settings: Any
) -> Iterator[Server]:
    """Run an app, with its settings, on a server for as long as the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serve", server, app, json.dumps(settings)],
        cwd=_ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=log or subprocess.DEVNULL,
    ) as process:
        os.sched_setaffinity(process.pid, cores()[0])
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Server(process.pid, port, app)
        finally:
            process.kill()
