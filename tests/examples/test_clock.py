from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from backends import VIRTUAL_TIME, backend_options
from flet_anyio.testing import InProcess

pytestmark = pytest.mark.anyio

NOON = datetime(2030, 1, 2, 12, 0, 0, 250_000)


@pytest.fixture(params=VIRTUAL_TIME)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return backend_options(request.param)


class Calendar:
    """Reads the clock of the event loop, which begins a quarter of a second after noon."""

    def __init__(self) -> None:
        self._began = anyio.current_time()

    def now(self) -> datetime:
        return NOON + timedelta(seconds=anyio.current_time() - self._began)


async def test_it_shows_each_second_as_it_begins(
    example: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = example("clock")
    monkeypatch.setattr(clock, "datetime", Calendar())
    began = anyio.current_time()
    async with InProcess(clock.main) as app, app.connect() as client:
        await client.see("12:00:00", "Wednesday, 02 January 2030")
        await client.see("12:00:01")
        assert anyio.current_time() - began == pytest.approx(0.75, abs=0.01)
        await client.see("12:00:02")
        assert anyio.current_time() - began == pytest.approx(1.75, abs=0.01)
        assert client.find(type="ProgressRing")["value"] == 2 / 60


async def test_it_stops_with_its_session(example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = example("clock")
    monkeypatch.setattr(clock, "datetime", Calendar())
    async with InProcess(clock.main) as app, app.connect() as client:
        await client.see("12:00:00")
        app.session.close()
        await client.until(lambda: client.closed)
        seen = len(client.frames)
        await anyio.sleep(10)
        assert len(client.frames) == seen
        assert not app.sessions
