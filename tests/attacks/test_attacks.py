"""Each attack of the benchmarks against each server, with few attackers: others are served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from benchmarks.load.attacks import ATTACKS

from programs import eventually

from .besieged import Besieged, besieged

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc"),
]

SERVERS = ["hypercorn trio", "hypercorn asyncio", "uvicorn"]
PATIENCE = 40
AT_MOST = 30
"""Seconds for an attack that ends by itself."""


@dataclass(frozen=True)
class Small:
    """A small version of an attack, and what must become of it.

    Attributes:
        number: How many attack.
        most: How often they come in all.
        seconds: How long the attack goes on, unless it has ended.
        met: How often at least each of these, or one of several, must be met.
        may: What else may be met. Nothing else must.
    """

    number: int
    met: dict[str, int]
    may: tuple[str, ...] = ()
    most: int | None = None
    seconds: float = AT_MOST

    def is_met_by(self, counts: dict[str, int]) -> bool:
        """Whether this, and nothing else, has become of the attackers' doings."""
        sums = {one: sum(counts.get(w, 0) for w in one.split("|")) for one in self.met}
        known = {word for one in self.met for word in one.split("|")} | {*self.may}
        return {*counts} <= known and all(sums[one] >= self.met[one] for one in self.met)


FLOOD = Small(3, {"sent": 100}, may=("closed with 1008", "cut"), most=1_500, seconds=1.5)
SMALL = {
    "slowloris": Small(
        30,
        {"bytes": 30},
        may=("closed with 1008", "left open", "cut", "refused"),
        seconds=1.5,
    ),
    "never registering": Small(
        30, {"opened": 30, "closed with 1008": 30}, may=("pings", "refused")
    ),
    "half-open clients": Small(30, {"registered": 30}),
    "never reading": Small(10, {"much": 10, "say": 1, "refused": 10}),
    "burst of sessions": Small(50, {"opened": 50}),
    "reconnect storm": Small(50, {"have theirs": 50}),
    "forged tokens": Small(5, {"got one of its own": 60}, most=60),
    "foreign origins": Small(5, {"status 403": 100}, most=100),
    "oversize frames": Small(3, {"closed with 1009": 1}, may=("cut",), most=6),
    "nested frames": Small(3, {"closed with 1007|closed with 1009": 1}, may=("cut",), most=12),
    "compression bombs": Small(2, {"closed with 1009": 1}, may=("cut",), most=2),
    "compressed events": Small(1, {"5 taken": 1}, most=1),
    "replayed frames": Small(3, {"closed with 1002": 1}, may=("cut",), most=10),
    "event flood": FLOOD,
    "property flood": FLOOD,
    "call flood": FLOOD,
    "upload flood": Small(
        5,
        {"status 200": 1, "left half way": 1, "status 200, then status 409": 3},
        most=20,
    ),
}


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Besieged]:
    kind = request.param
    if "trio" in kind:
        pytest.importorskip("trio")
    with besieged(kind, tmp_path_factory.mktemp("besieged")) as running:
        yield running


@pytest.mark.timeout(150)
@pytest.mark.parametrize("server", SERVERS, indirect=True, ids=lambda kind: kind.replace(" ", "-"))
@pytest.mark.parametrize("attack", [attack.name for attack in ATTACKS])
def test_others_are_served(server: Besieged, attack: str) -> None:
    small = SMALL[attack]
    counts = server.attacked(attack, small.number, small.seconds, small.most)
    assert small.is_met_by(counts), counts
    eventually(lambda: not server.left_over(), PATIENCE)
    assert "Traceback (" not in server.log
