"""The watchdog of a connection, in virtual time."""

from __future__ import annotations

import sys
import weakref
from itertools import pairwise
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

import flet_anyio.link as link_code
from backends import VIRTUAL_TIME, backend_options
from flet_anyio import Limits
from flet_anyio.compat.door import Door
from flet_anyio.limits.watchdog import Watchdog
from flet_anyio.link import Link
from flet_anyio.testing import MemoryTransport
from flet_anyio.transports.base import PeerInfo

pytestmark = pytest.mark.anyio


@pytest.fixture(params=VIRTUAL_TIME)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return backend_options(request.param)


class Wire(MemoryTransport):
    """A transport whose system knows what its peer has confirmed."""

    def __init__(self, *, bounds: bool, frames: float = 100) -> None:
        info = PeerInfo(url="ws://test/ws", path="/ws", client_ip="127.0.0.1", headers={})
        super().__init__(info, frames=frames)
        self.bounds = bounds
        self.left = 0

    def bound_writes(self, seconds: float) -> bool:
        return self.bounds

    def unconfirmed(self) -> int:
        return self.left


async def watched(wire: Wire, limits: Limits, *, seconds: float, frame: bytes = b"") -> bool:
    """Run a link whose client says nothing for so long. Return whether it was kept."""
    link = Link(wire, limits, Door(), "test")
    await link.accept()

    async def read() -> None:
        await link.receive()

    kept = False
    watchdog = Watchdog()
    async with anyio.create_task_group() as server:
        server.start_soon(watchdog.run)
        with watchdog.watching(link, lambda: True):
            async with anyio.create_task_group() as tasks:
                link.scope = tasks.cancel_scope
                tasks.start_soon(link.write)
                tasks.start_soon(read)
                if frame:
                    link.send(frame)
                await anyio.sleep(seconds)
                kept = True
                tasks.cancel_scope.cancel()
        server.cancel_scope.cancel()
    wire.drop()
    return kept


async def test_a_silent_client_is_dropped() -> None:
    assert not await watched(Wire(bounds=True), Limits(silence_timeout=60), seconds=100)


async def test_one_that_still_takes_what_it_was_sent_is_kept() -> None:
    wire = Wire(bounds=True)
    wire.left = 5_000_000
    assert await watched(wire, Limits(silence_timeout=60), seconds=1000)


@pytest.mark.parametrize("write_timeout", [500, None])
async def test_without_the_systems_bound_what_is_left_there_says_nothing(
    write_timeout: float | None,
) -> None:
    wire = Wire(bounds=False)
    wire.left = 5_000_000
    limits = Limits(silence_timeout=60, write_timeout=write_timeout)
    assert not await watched(wire, limits, seconds=100)


async def test_a_frame_under_way_has_the_time_of_a_write() -> None:
    wire = Wire(bounds=False, frames=0)
    limits = Limits(silence_timeout=60, write_timeout=500)
    assert await watched(wire, limits, seconds=400, frame=b"large")


async def test_but_no_longer() -> None:
    wire = Wire(bounds=False, frames=0)
    limits = Limits(silence_timeout=60, write_timeout=500)
    assert not await watched(wire, limits, seconds=600, frame=b"large")


class AllAtOnce(Wire):
    """Hands over what has come without letting anybody else run, as servers do."""

    async def receive(self) -> bytes | str:
        return b"more"


@pytest.mark.parametrize(("seconds", "most"), [(link_code._AT_ONCE, 4), (-1, 16)])
async def test_others_have_their_turn_while_one_client_floods_the_server(
    seconds: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a machine that is slow enough nothing comes at once.
    monkeypatch.setattr(link_code, "_AT_ONCE", seconds)
    wire = AllAtOnce(bounds=False)
    link = Link(wire, Limits(), Door(), "test")
    received: list[int] = []
    turns: list[int] = []

    async def read() -> None:
        for number in range(1_000):
            await link.receive()
            received.append(number)

    async def take_turns() -> None:
        while len(received) < 1_000:
            turns.append(len(received))
            await checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(take_turns)
    wire.drop()
    assert max(after - before for before, after in pairwise(turns)) <= most


async def test_nothing_is_kept_of_a_frame_that_was_sent() -> None:
    wire = Wire(bounds=True)
    link = Link(wire, Limits(), Door(), "test")
    frame = bytes(1000)
    before = sys.getrefcount(frame)
    async with anyio.create_task_group() as tasks:
        link.scope = tasks.cancel_scope
        tasks.start_soon(link.write)
        link.send(frame)
        assert await wire.client_receive() == frame
        await anyio.sleep(1)
        assert sys.getrefcount(frame) == before
        tasks.cancel_scope.cancel()
    wire.drop()


async def test_nothing_is_kept_of_a_connection_that_is_watched_no_more() -> None:
    wire, watchdog = Wire(bounds=True), Watchdog()
    link = Link(wire, Limits(), Door(), "test")

    def watch() -> weakref.ref[Any]:
        def ask() -> bool:
            return True

        with watchdog.watching(link, ask):
            return weakref.ref(ask)

    assert watch()() is None
    wire.drop()
