"""Soak servers, and say whether they are as they were before.

    python -m soak [--cycles N] [--seed N] [--minutes N] … [BACKEND…]

The backends are soaked side by side and share the cycles, so that all is over in five minutes on
a machine that has other things to do.

Each cycle is a connection of a visitor, who uses the app until a random fault, and comes back,
or does not. At the end what lives in the server must be what lived before the first visitor, and
its memory less than 5 MiB more than after the first thousand cycles. The status is 1 when it is
not, or when any promise was broken on the way.

A seed decides who does what in which order, but not how the network and the machine play along.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from typing import Any

import anyio
from anyio.streams.text import TextReceiveStream

from .visitor import Broken, Visitor

BACKENDS = ["asyncio", "trio"]
MIB = 1024 * 1024
STAGES = 3
"""How often the servers are measured after they are warm: growth that goes on is seen to."""
MUST_BE_AS_BEFORE = ["tasks", "sessions", "busy threads", "file descriptors"]


class Server:
    """The process that is soaked."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self._process = process
        assert process.stdout is not None
        self._lines = TextReceiveStream(process.stdout)
        self._rest = ""

    async def says(self) -> Any:
        while "\n" not in self._rest:
            self._rest += await self._lines.receive()
        line, _, self._rest = self._rest.partition("\n")
        return json.loads(line)

    async def measure(self) -> Any:
        assert self._process.stdin is not None
        await self._process.stdin.send(b"measure\n")
        return await self.says()

    async def end(self) -> int:
        assert self._process.stdin is not None
        await self._process.stdin.aclose()
        with anyio.fail_after(30):
            return await self._process.wait()


async def soak(backend: str, options: argparse.Namespace) -> list[str]:
    """Soak one server; return what it broke."""
    command = [sys.executable, "-m", f"{__package__}.server", backend]
    # One arena: with one for each thread, memory grows until each has seen its busiest moment.
    # What somebody holds shows in one as well.
    env = os.environ | {"MALLOC_ARENA_MAX": "1"}
    async with await anyio.open_process(command, stderr=None, env=env) as process:
        server = Server(process)
        url = (await server.says())["url"]
        began = time.monotonic()
        # Also what is made once, for the first visitor of all, was there before.
        await Visitor(url, random.Random(0), Counter()).look_in()
        before = await server.measure()
        counts: Counter[str] = Counter()
        broken: list[str] = []
        measures = []
        stage = max(1, (options.cycles - options.warm) // STAGES)
        for which, cycles in enumerate([options.warm, *[stage] * STAGES]):
            await visits(url, options, counts, broken, which, cycles)
            measures.append(await server.measure())
        broken += compare(before, measures[0], measures[-1], options.growth)
        status = await server.end()
        if status:
            broken.append(f"the server ended with status {status}")
        report(backend, options.cycles, time.monotonic() - began, counts, [before, *measures])
    return broken


async def visits(
    url: str,
    options: argparse.Namespace,
    counts: Counter[str],
    broken: list[str],
    which: int,
    cycles: int,
) -> None:
    async def come_and_go(number: int) -> None:
        nonlocal cycles
        visitor = Visitor(url, random.Random(f"{options.seed} {which} {number}"), counts)
        while cycles > 0:
            cycles -= 1
            try:
                await visitor.visit()
            except Broken as promise:
                broken.append(str(promise))
        await visitor.go()

    async with anyio.create_task_group() as tasks:
        for number in range(options.visitors):
            tasks.start_soon(come_and_go, number)


def compare(before: Any, warm: Any, after: Any, allowed: float) -> list[str]:
    """What is not as it was."""
    broken = [
        f"{after[what]} {what}, {before[what]} before"
        for what in MUST_BE_AS_BEFORE
        if after[what] != before[what]
    ]
    if after["tasks"] != before["tasks"]:
        broken.append(f"the tasks are {after['names']}, were {before['names']}")
    growth = (after["resident"] - warm["resident"]) / MIB
    if growth >= allowed:
        more = Counter(dict(after["objects"])) - Counter(dict(warm["objects"]))
        broken.append(f"{growth:.1f} MiB more memory; objects: {more.most_common(8)}")
    broken += [f"logged: {text}" for text in after["errors"]]
    return broken


def report(
    backend: str, cycles: int, seconds: float, counts: Counter[str], measures: list[Any]
) -> None:
    print(f"\n{backend}: {cycles} cycles in {seconds:.0f} s")
    for what in MUST_BE_AS_BEFORE:
        print(f"  {what}: " + " → ".join(str(measure[what]) for measure in measures))
    print("  memory: " + " → ".join(f"{m['resident'] / MIB:.1f}" for m in measures) + " MiB")
    print("  " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))


async def soak_all(options: argparse.Namespace) -> int:
    """Soak a server of each backend, side by side; return the program's status."""
    broken: dict[str, list[str]] = {}

    async def note(backend: str) -> None:
        broken[backend] = await soak(backend, options)

    with anyio.move_on_after(options.minutes * 60) as in_time:
        async with anyio.create_task_group() as tasks:
            for backend in options.backends:
                tasks.start_soon(note, backend)
    if in_time.cancelled_caught:
        broken["all"] = [f"it took longer than {options.minutes:g} minutes"]
    for backend, promises in broken.items():
        for promise, times in Counter(promises).items():
            print(f"BROKEN on {backend} ({times} times): {promise}")
    return 1 if any(broken.values()) else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=20_000, help="shared by the backends")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--visitors", type=int, default=60, help="of each server at a time")
    parser.add_argument("--warm", type=int, default=1000, help="cycles before memory counts")
    parser.add_argument("--growth", type=float, default=5, help="MiB of memory that are too much")
    parser.add_argument("--minutes", type=float, default=5, help="more, and it has failed")
    parser.add_argument(
        "backends", nargs="*", default=BACKENDS, help="asyncio, asyncio+uvloop, trio"
    )
    options = parser.parse_args()
    options.cycles //= len(options.backends)
    print(f"seed {options.seed}", flush=True)
    return anyio.run(soak_all, options)


if __name__ == "__main__":
    sys.exit(main())
