"""Attackers in a process of their own, as others see them."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Attackers", "attacking"]

_ROOT = Path(__file__).parents[2]


class Attackers:
    """Those who run one attack.

    Attributes:
        cpu: Seconds of CPU that they used, once `counts` was called.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.cpu = 0.0
        self._process = process

    def prepare(self) -> None:
        """Wait until they are ready to begin."""
        if self._said() != "ready\n":
            raise RuntimeError("the attack could not be prepared")

    def begin(self) -> None:
        """Have them attack."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def over(self, seconds: float) -> bool:
        """Whether they have ended, when so much time is over or before."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def counts(self) -> dict[str, int]:
        """What became of their doings."""
        said = json.loads(self._said() or '{"IT BROKE": 1, "cpu": 0}')
        self.cpu = said.pop("cpu")
        counts: dict[str, int] = said
        return counts

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def attacking(
    name: str, url: str, number: int, seconds: float, *, most: int | None = None
) -> Iterator[Attackers]:
    """Make one of ATTACKS ready to begin, and end it with the block."""
    bounds = [str(bound) for bound in (number, seconds, most) if bound is not None]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load.attacker", name, url, *bounds],
        cwd=_ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            attackers = Attackers(process)
            attackers.prepare()
            yield attackers
        finally:
            process.kill()
