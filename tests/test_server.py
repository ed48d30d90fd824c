from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from flet_anyio import Server
from waiting import reached

pytestmark = pytest.mark.anyio


async def test_a_server_shuts_down_with_the_one_that_it_follows() -> None:
    stops = anyio.Event()
    async with Server() as server:
        server.follow(stops.wait)
        server.follow(stops.wait)
        await anyio.lowlevel.checkpoint()
        assert not server.closed
        stops.set()
        await reached(lambda: server.closed)
        server.follow(stops.wait)  # nothing is left to end


async def test_a_server_that_ends_first_follows_no_more() -> None:
    async with Server() as server:
        server.follow(anyio.sleep_forever)
    assert server.closed
