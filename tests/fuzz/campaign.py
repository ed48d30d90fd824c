"""Many visits to one server, beside a client that is as it should be."""

from __future__ import annotations

import math
import re
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from flet.messaging.protocol import MessageAction

from soak.wire import Gone, Wire

from .line import Stuck
from .messages import Tab, registration
from .visit import FRAMES, Visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from programs import Program

__all__ = ["Campaign", "place_for_files"]

_PATIENCE = 20
_BETWEEN_CLICKS = 0.05
_SAME = ("sessions", "connections", "tasks", "file descriptors")
# As loggers of the package and of hypercorn begin their lines, and uvicorn its own.
_RECORD = re.compile(r"(\S+ \S+ |\[.*\] \[)?(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")
_BAD = ("ERROR", "CRITICAL")
_SERVERS_OWN = (
    "Invalid UTF-8 sequence received from client",
    "Fatal error: protocol.data_received() call failed",  # such text, while it closes
    "ASGI callable returned without completing handshake",
)
"""What uvicorn logs as errors where a client is at fault, or has left."""
_MIB = 1024 * 1024


@contextmanager
def place_for_files() -> Iterator[None]:
    """Have servers serve a small client, and take uploads, in a folder that is then removed."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        client = Path(name, "client")
        client.mkdir()
        (client / "index.html").write_text(
            '<html><head><base href="/"><title>Flet</title><!-- fletAppConfig --></head></html>'
        )
        (client / "manifest.json").write_text("{}")
        patch.setenv("FLET_WEB_PATH", str(client))
        patch.setenv("FLET_UPLOAD_DIR", str(Path(name, "uploads")))
        patch.setenv("FLET_ANYIO_CACHE_DIR", str(Path(name, "cache")))
        yield


class Campaign:
    """Visits to one server. `broken` holds what it promised and did not do."""

    def __init__(self, program: Program, seed: int, at_once: int, promptly: float) -> None:
        self._program = program
        self._seed = seed
        self._at_once = at_once
        self._promptly = promptly
        self.broken: list[str] = []
        self._visits: set[Visit] = set()
        self._kinds: Counter[str] = Counter()
        self._connections = 0
        self._sent = 0
        self._answers: list[float] = []
        self._lines_seen = 0
        self._excused = False
        self._over = False
        self._states: list[dict[str, Any]] = []

    async def run(self, frames: int, only: int | None = None) -> None:
        """Send so many frames, or only one, and what belongs before it."""
        await self._look_in()
        self._states.append(await self._state())
        numbers = iter(range(math.ceil(frames / FRAMES)) if only is None else [only // FRAMES])
        async with anyio.create_task_group() as healthy:
            healthy.start_soon(self._click_on)
            async with anyio.create_task_group() as tasks:
                for _ in range(self._at_once):
                    tasks.start_soon(self._visit_all, numbers, only)
            self._over = True
        await self._compare()

    def report(self, seconds: float) -> str:
        """What was done, in figures."""
        before, after = self._states[0], self._states[-1]
        answers = sorted(self._answers) or [math.nan]
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self._kinds.items()))
        return (
            f"{self._sent} frames over {self._connections} connections in {seconds:.0f} s ({kinds})"
            f"\n  {after['heard'] - before['heard']} messages reached their sessions;"
            f" of the processor the server took {after['seconds'] - before['seconds']:.0f} s"
            f"\n  the healthy client had {len(answers)} answers,"
            f" half in {answers[len(answers) // 2] * 1000:.0f} ms,"
            f" all in {answers[-1] * 1000:.0f} ms"
            f"\n  memory: {before['resident'] / _MIB:.1f} → {after['resident'] / _MIB:.1f} MiB; "
            + ", ".join(f"{what}: {before[what]} → {after[what]}" for what in _SAME)
        )

    # --- visits -------------------------------------------------------------------------------

    async def _visit_all(self, numbers: Iterator[int], only: int | None) -> None:
        for number in numbers:
            if self.broken:
                return
            visit = Visit(self._program.address, self._seed, number, last=only)
            self._visits.add(visit)
            before = visit.sent
            try:
                await visit.run()
            except* Stuck as stuck:
                self._note(str(stuck.exceptions[0]), [visit])
            except* (OSError, TimeoutError) as errors:
                self._note(f"no connection: {errors.exceptions[0]!r}", [visit])
            self._visits.discard(visit)
            self._look_at_log([visit, *self._visits])
            self._kinds[visit.kind] += visit.sent - before
            self._sent += visit.sent - before
            self._connections += visit.connections

    def _note(self, promise: str, visits: list[Visit]) -> None:
        frames = ", ".join(f"{visit.sent} ({visit.kind})" for visit in visits)
        at = f", at frame: {frames}" if frames else ""
        self.broken.append(f"{promise}\n  seed {self._seed}{at}")

    def _look_at_log(self, visits: list[Visit]) -> None:
        new = self._program.log[self._lines_seen :]
        self._lines_seen += len(new)
        for line in new:
            record = _RECORD.match(line)
            if record is not None:
                self._excused = any(text in line for text in _SERVERS_OWN)
            bad = line.startswith("Traceback") if record is None else record[2] in _BAD
            if bad and not self._excused:
                self._note(f"logged: {line.strip()}", visits)

    # --- the healthy client -------------------------------------------------------------------

    async def _look_in(self) -> None:
        """Be there once, for what a server makes for its first visitor."""
        self._over = True
        await self._click_on()
        self._over = False
        with anyio.fail_after(_PATIENCE):
            while (await self._state())["sessions"]:  # noqa: ASYNC110 - nobody tells of it
                await anyio.sleep(0.1)

    async def _click_on(self) -> None:
        """Click and look at the answer until all visits are over, and once more."""
        try:
            await self._clicks(await Wire.open(self._program.url.replace("http", "ws") + "/ws"))
        except Gone:
            self._note("the healthy client lost its connection", list(self._visits))
        except TimeoutError:
            self._note("the healthy client got no answer", list(self._visits))

    async def _clicks(self, wire: Wire) -> None:
        tab = Tab()
        with anyio.fail_after(_PATIENCE):
            await wire.shake_hands()
            await wire.send(MessageAction.REGISTER_CLIENT, registration(tab)[1])
            while not tab.learn():
                await _take(wire, tab)
        clicks = 0
        while True:
            last = self._over or self.broken
            clicks += 1
            began = time.monotonic()
            with anyio.fail_after(self._promptly if self._states else _PATIENCE):
                body = {"target": tab.id("add"), "name": "click", "data": None}
                await wire.send(MessageAction.CONTROL_EVENT, body)
                while (shown := tab.value("count")) != str(clicks):
                    assert int(shown) < clicks, f"{shown} after {clicks} clicks"
                    await _take(wire, tab)
            self._answers.append(time.monotonic() - began)
            self._look_at_log(list(self._visits))
            if last:
                break
            await anyio.sleep(_BETWEEN_CLICKS)
        await wire.say_goodbye()

    # --- the server ---------------------------------------------------------------------------

    async def _state(self) -> dict[str, Any]:
        return await anyio.to_thread.run_sync(self._program.state)

    async def _compare(self) -> None:
        """Look whether the server is as it was before, once all that must end has ended."""
        before = self._states[0]
        if self._program.process.poll() is not None:
            self._note("the server has ended", [])
            self._states.append(before)
            return
        end = time.monotonic() + _PATIENCE
        while True:
            state = await self._state()
            unlike = [what for what in _SAME if state[what] != before[what]]
            if not unlike or time.monotonic() > end:
                break
            await anyio.sleep(0.1)
        self._states.append(state)
        for what in unlike:
            self._note(f"{state[what]} {what}, {before[what]} before", [])
        if "tasks" in unlike:
            more = Counter(state["names"]) - Counter(before["names"])
            self._note(f"tasks that were not there before: {dict(more)}", [])
        self._look_at_log([])


async def _take(wire: Wire, tab: Tab) -> None:
    """Take a message, and do what a client does with it."""
    reply = tab.take(*await wire.receive())
    if reply is not None:
        await wire.send(MessageAction(reply[0]), reply[1])
