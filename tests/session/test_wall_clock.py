"""A wall clock that is set forward or back moves no session, no sign-in and no call."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
import pytest

from backends import VIRTUAL_TIME, backend_options
from flet_anyio import Limits
from flet_anyio.session import session as session_module
from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import InProcess
from waiting import reached
from web.signing_in import begin, browser, browser_of, signing_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from flet_anyio.testing import Client

pytestmark = pytest.mark.anyio

DAY = 86_400.0
JUMPS = pytest.mark.parametrize("jump", [DAY, -DAY, 400 * DAY], ids=["forward", "back", "far"])


@pytest.fixture(params=VIRTUAL_TIME)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return backend_options(request.param)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the wall clock, and with it dates, so many seconds forward."""
    real, ahead = time.time, [0.0]

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=ahead[0])

    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])
    monkeypatch.setattr(session_module, "datetime", Shifted)

    def forward(seconds: float) -> None:
        ahead[0] += seconds

    return forward


def counter(page: ft.Page) -> None:
    count = ft.Text("0")

    def add() -> None:
        count.value = str(int(count.value) + 1)

    page.add(count, ft.Button("+", on_click=add))


async def click(client: Client, shown: str) -> None:
    await client.click("+")
    await client.see(shown)


@JUMPS
async def test_sessions_end_in_their_time(jump: float, set_clock: Callable[[float], None]) -> None:
    async with InProcess(counter, session_timeout_seconds=60) as app, app.connect() as healthy:
        async with app.connect() as client:
            await click(client, "1")
        away = app.session_of(client)
        assert away is not None
        await reached(lambda: not away.attached)
        set_clock(jump)
        await click(healthy, "1")
        await anyio.sleep(59)
        assert away.open
        await anyio.sleep(2)
        assert away.reason is Reason.EXPIRED
        await click(healthy, "2")


@JUMPS
async def test_who_comes_back_has_the_session_and_a_new_time(
    jump: float, set_clock: Callable[[float], None]
) -> None:
    async with InProcess(counter, session_timeout_seconds=60) as app:
        async with app.connect() as client:
            await click(client, "1")
        await reached(lambda: not app.session.attached)
        set_clock(jump)
        await anyio.sleep(30)
        async with app.connect(after=client, live=True) as back:
            await click(back, "2")
            assert app.session is app.session_of(client)
        await reached(lambda: not app.session.attached)
        set_clock(-jump)
        await anyio.sleep(59)
        async with app.connect(after=back) as reloaded:
            await click(reloaded, "3")
            assert app.session is app.session_of(client)


@JUMPS
async def test_clients_that_answer_are_kept(
    jump: float, set_clock: Callable[[float], None]
) -> None:
    limits = Limits(silence_timeout=60)
    async with InProcess(counter, limits=limits) as app, app.connect() as client:
        await client.see("0")
        for _ in range(4):
            set_clock(jump)
            await anyio.sleep(45)
        assert not client.closed
        await click(client, "1")


@JUMPS
async def test_calls_time_out_in_their_time(
    jump: float, set_clock: Callable[[float], None]
) -> None:
    took: list[float] = []

    def main(page: ft.Page) -> None:
        async def call() -> None:
            began = anyio.current_time()
            try:
                await page.session.invoke_method(1, "method", None, timeout=10)
            except TimeoutError:
                took.append(anyio.current_time() - began)

        page.add(ft.Button("call", on_click=call))

    async with InProcess(main) as app, app.connect() as client:
        client.silent = True
        await client.click("call")
        await client.until(lambda: client.calls)
        set_clock(jump)
        await anyio.sleep(11)
        assert took == [pytest.approx(10)]


@JUMPS
async def test_sign_ins_wait_for_their_time(
    jump: float, set_clock: Callable[[float], None]
) -> None:
    async with (
        InProcess(signing_in(), oauth_state_timeout_seconds=60) as app,
        app.connect() as client,
        browser(app.server, browser_of(client)) as http,
    ):
        first = await begin(client)
        set_clock(jump)
        await anyio.sleep(59)
        assert await come_back(http, first) == 200
        await client.see("login 'token for good' None None")
        second = await begin(client)
        set_clock(-jump)
        await anyio.sleep(61)
        assert await come_back(http, second) == 410


async def come_back(http: Any, state: str) -> int:
    answer = await http.get("/oauth_callback", params={"state": state, "code": "good"})
    status: int = answer.status_code
    return status


@JUMPS
async def test_only_what_people_read_follows_the_wall_clock(
    jump: float, set_clock: Callable[[float], None]
) -> None:
    async with InProcess(counter, session_timeout_seconds=60) as app:
        async with app.connect() as client:
            await client.see("0")
        await reached(lambda: not app.session.attached)
        before = app.session.expires_at
        async with app.connect(after=client, live=True) as back:
            set_clock(jump)
            await click(back, "1")
        await reached(lambda: not app.session.attached)
        after = app.session.expires_at
        assert before is not None
        assert after is not None
        assert (after - before).total_seconds() == pytest.approx(jump, abs=10)
