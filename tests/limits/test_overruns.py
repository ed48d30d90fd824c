"""What happens at a limit: to whom it happens, the line in the log, and the count."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
import pytest

import flet_anyio
from backends import VIRTUAL_TIME, backend_options
from flet_anyio import Limits, limits_reached
from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import InProcess
from logged import warnings_of
from visits import turned_away
from waiting import reached

if TYPE_CHECKING:
    from collections.abc import Callable

    from flet_anyio.testing import Client

SOURCE = Path(flet_anyio.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"
NO_LIMIT_OF_ITS_OWN = {"rate_burst"}


@pytest.fixture
def counted() -> Callable[[str], int]:
    before = limits_reached()
    return lambda name: limits_reached().get(name, 0) - before.get(name, 0)


def main(page: ft.Page) -> None:
    def click() -> None:
        count.value = str(int(count.value) + 1)

    count = ft.Text("0")
    page.add(count, ft.Button("click", on_click=click), ft.TextField("typed", key="field"))


# --- all of them ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_each_limit_is_documented_and_counted(name: str) -> None:
    assert f"| `{name}` |" in (DOCS / "limits.md").read_text(encoding="utf-8")
    if name not in NO_LIMIT_OF_ITS_OWN:
        code = [path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")]
        assert any(f'"{name}"' in text for text in code)


def test_what_was_reached_is_a_copy() -> None:
    limits_reached()["events_queued"] = -1
    assert limits_reached().get("events_queued") != -1


# --- one connection ---------------------------------------------------------------------------


def nested(depth: int) -> Any:
    value: Any = "inside"
    for _ in range(depth):
        value = [value]
    return value


def click_six_times(client: Client) -> None:
    for _ in range(6):
        client.fire("click", "click")


def type_six_times(client: Client) -> None:
    for _ in range(6):
        client.set(client.find(key="field"), value="x")


TOO_MUCH: dict[str, tuple[Limits, Callable[[Client], None], int]] = {
    "message_bytes": (
        Limits(message_bytes=1000),
        lambda client: client.set(client.find(key="field"), value="x" * 1000),
        1009,
    ),
    "message_items": (
        Limits(message_items=1000),
        lambda client: client.fire("click", "click", [[]] * 1000),
        1009,
    ),
    "message_depth": (
        Limits(message_depth=20),
        lambda client: client.fire("click", "click", nested(20)),
        1009,
    ),
    "event_rate": (
        Limits(event_rate=1, rate_burst=4),
        click_six_times,
        1008,
    ),
    "update_rate": (
        Limits(update_rate=1, rate_burst=4),
        type_six_times,
        1008,
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", TOO_MUCH)
async def test_who_sends_too_much_is_closed_and_nobody_else(
    name: str, caplog: pytest.LogCaptureFixture, counted: Callable[[str], int]
) -> None:
    limits, attack, code = TOO_MUCH[name]
    async with (
        InProcess(main, limits=limits, session_timeout_seconds=60) as app,
        app.connect() as other,
        app.connect() as client,
    ):
        await client.see("click")
        attack(client)
        await client.until(lambda: client.closed)
        assert client.transport.close_code == code
        await other.click("click")
        await other.see("1")
        (warning,) = [text for text in warnings_of(caplog) if "closed" in text]
        assert f"(Limits.{name})" in warning
        assert counted(name) == 1
        async with app.connect(after=client, live=True) as back:
            await back.click("click")
            await back.until(lambda: back.texts[0] != "0")
        assert len(app.sessions) == 2


@pytest.mark.anyio
@pytest.mark.parametrize(
    "limits",
    [
        Limits(message_items=1003),
        Limits(message_depth=23),
        Limits(event_rate=1, rate_burst=6),
        Limits(message_items=None, message_depth=None, event_rate=None),
    ],
)
async def test_who_keeps_within_the_limits_is_served(limits: Limits) -> None:
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.see("click")
        client.fire("click", "click", nested(20))
        client.fire("click", "click", [[]] * 900)
        for _ in range(4):
            client.fire("click", "click")
        await client.see("6")


class Channels:
    """An app that opens a data channel for each click."""

    def __init__(self) -> None:
        self.opened = 0

    def main(self, page: ft.Page) -> None:
        def open_one() -> None:
            self.opened += 1
            page.session.connection.data_channel_for(self.opened).send(b"hello")

        page.add(ft.Button("open", on_click=open_one))


@pytest.mark.anyio
async def test_a_client_that_opens_too_many_channels_is_closed(
    caplog: pytest.LogCaptureFixture, counted: Callable[[str], int]
) -> None:
    channels = Channels()
    limits = Limits(data_channels=2)
    async with InProcess(channels.main, limits=limits) as app, app.connect() as client:
        for _ in range(2):
            await client.click("open")
        await client.until(lambda: len(client.data) == 2)
        await client.click("open")
        await client.until(lambda: client.closed)
        assert client.transport.close_code == 1008
        assert len(client.data) == 2
    (warning,) = warnings_of(caplog)
    assert "(Limits.data_channels)" in warning
    assert counted("data_channels") == 1


@pytest.mark.anyio
async def test_there_is_no_room_for_those_that_never_register(
    counted: Callable[[str], int],
) -> None:
    async with InProcess(main, limits=Limits(handshakes=2)) as app:
        async with app.connect() as registered, app.connect(register=False):
            await registered.see("click")
            async with app.connect(register=False) as last:
                assert await turned_away(app, main, "8.8.8.8") == 503
                last.register()
                await last.see("click")
                # It has registered, and makes room for another one.
                async with app.connect() as client:
                    await client.see("click")
        assert counted("handshakes") == 1


# --- one session ------------------------------------------------------------------------------


class Asking:
    """An app that asks its client, which does not answer."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def main(self, page: ft.Page) -> None:
        async def ask() -> None:
            try:
                await page.session.invoke_method(page._i, "ask", {})
            except Exception as error:
                self.failed.append(type(error).__name__)
                raise

        page.add(ft.Button("ask", on_click=ask))


@pytest.mark.anyio
async def test_a_client_that_leaves_too_many_calls_unanswered_is_let_go(
    caplog: pytest.LogCaptureFixture, counted: Callable[[str], int]
) -> None:
    asking = Asking()
    limits = Limits(calls_in_flight=3)
    async with InProcess(asking.main, limits=limits, session_timeout_seconds=60) as app:
        async with app.connect() as client:
            client.silent = True
            await client.see("ask")
            for _ in range(10):
                await client.click("ask")
            await client.until(lambda: client.closed)
            assert client.transport.close_code == 1008
        await reached(lambda: app.session.pending_calls == 0)
        # Of those that came after it, none is an error of the app.
        assert asking.failed.count("TooManyCalls") == 1
        assert sum("closed, too many calls" in text for text in warnings_of(caplog)) == 1
        assert counted("calls_in_flight") == 1
        async with app.connect(after=client, live=True) as back:
            await back.click("ask")
            await back.until(lambda: back.calls)
            await reached(lambda: app.session.pending_calls == 0)


class Slow:
    """An app whose handler waits until it may go on."""

    def __init__(self) -> None:
        self.go_on = anyio.Event()
        self.seen: list[int] = []

    def main(self, page: ft.Page) -> None:
        async def change(e: ft.Event[ft.TextField]) -> None:
            self.seen.append(len(str(e.data)))
            await self.go_on.wait()

        page.add(ft.TextField(label="slow", key="field", on_change=change))


@pytest.mark.anyio
async def test_events_that_wait_take_no_more_than_so_many_bytes(
    counted: Callable[[str], int],
) -> None:
    slow = Slow()
    limits = Limits(event_bytes=10_000, events_in_flight=1)
    async with InProcess(slow.main, limits=limits) as app, app.connect() as client:
        await client.see("slow")
        field = client.find(key="field")
        sizes = [20_000, *[4_000] * 6, 20_000, 1]
        client.fire(field, "change", "x" * sizes[0])
        await reached(lambda: slow.seen)
        for size in sizes[1:]:
            client.fire(field, "change", "x" * size)
        await reached(lambda: counted("event_bytes"))
        # One runs, one has been taken and waits for it to end, and two are as much as may wait.
        assert slow.seen == [20_000]
        assert app.session._dispatcher._bytes < 10_000
        slow.go_on.set()
        await reached(lambda: slow.seen == sizes)


# --- the age of a session ---------------------------------------------------------------------


class TestAge:
    pytestmark = pytest.mark.anyio

    @pytest.fixture(params=VIRTUAL_TIME)
    def anyio_backend(self, request: pytest.FixtureRequest) -> Any:
        return backend_options(request.param)

    async def test_a_session_whose_user_does_nothing_ends(
        self, counted: Callable[[str], int]
    ) -> None:
        async with InProcess(main, limits=Limits(session_idle=600)) as app, app.connect() as client:
            session = app.session
            for number in range(1, 4):
                await anyio.sleep(599)
                await client.click("click")
                await client.see(str(number))
            await anyio.sleep(599)
            assert session.open
            await anyio.sleep(2)
            assert session.reason is Reason.IDLE
            await client.until(lambda: client.closed)
            assert client.transport.close_code == 1000
            assert counted("session_idle") == 1
            async with app.connect(after=client, live=True) as back:
                await back.see("0")

    async def test_a_session_ends_when_it_is_too_old(self, counted: Callable[[str], int]) -> None:
        limits = Limits(session_age=1000, session_idle=600)
        async with InProcess(main, limits=limits) as app, app.connect() as client:
            session = app.session
            for number in range(1, 4):
                await anyio.sleep(300)
                await client.click("click")
                await client.see(str(number))
            await anyio.sleep(101)
            assert session.reason is Reason.TOO_OLD
            assert counted("session_age") == 1
            assert not counted("session_idle")

    async def test_typing_is_doing_something(self) -> None:
        async with InProcess(main, limits=Limits(session_idle=600)) as app, app.connect() as client:
            for _ in range(3):
                await anyio.sleep(500)
                client.set(client.find(key="field"), value="x")
            await anyio.sleep(500)
            assert app.session.open
