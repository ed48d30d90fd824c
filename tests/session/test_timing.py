"""What happens when time passes, by a clock that jumps."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import flet as ft
import pytest
from anyio.lowlevel import checkpoint
from flet.controls.exceptions import FletPageDisconnectedException
from flet.messaging.protocol import MessageAction

from backends import VIRTUAL_TIME, VirtualLoop, backend_options
from flet_anyio import Limits
from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import InProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.anyio

REAL_SECONDS = 10
"""For threads, which know nothing of the clock that jumps."""


@pytest.fixture(params=VIRTUAL_TIME)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return backend_options(request.param)


async def reached(condition: Callable[[], Any]) -> None:
    """Wait for something of which the client is told nothing. No time passes meanwhile."""
    for _ in range(10_000):
        if condition():
            return
        await checkpoint()
    raise TimeoutError


async def until_over(app: InProcess) -> None:
    """Let time pass until no session can still be waiting."""
    await anyio.sleep(10_000)
    assert app.sessions == []


def logging_main(log: list[Any]) -> Callable[[ft.Page], None]:
    def main(page: ft.Page) -> None:
        page.on_disconnect = lambda: log.append("disconnect")
        page.on_close = lambda: log.append(("close", anyio.current_time()))
        page.add(ft.Text("ready"))

    return main


# --- expiry -----------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [1, 60, 3600.5])
async def test_a_session_ends_exactly_when_its_time_is_up(timeout: float) -> None:
    log: list[Any] = []
    async with InProcess(logging_main(log), session_timeout_seconds=timeout) as app:
        async with app.connect() as client:
            await client.see("ready")
            session = app.session
        await reached(lambda: not session.attached)
        left = anyio.current_time()
        await until_over(app)
        assert log[0] == "disconnect"
        assert log[1] == ("close", pytest.approx(left + timeout, abs=1e-6))
        assert len(log) == 2
        assert session.reason is Reason.EXPIRED


async def test_without_a_setting_a_session_waits_an_hour() -> None:
    log: list[Any] = []
    async with InProcess(logging_main(log)) as app:
        async with app.connect() as client:
            await client.see("ready")
        await reached(lambda: not app.session.attached)
        left = anyio.current_time()
        await until_over(app)
        assert log[1] == ("close", pytest.approx(left + 3600, abs=1e-6))


async def test_the_environment_sets_the_timeout_and_an_argument_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLET_SESSION_TIMEOUT", "7")
    arguments: list[tuple[dict[str, Any], float]] = [
        ({}, 7),
        ({"session_timeout_seconds": 3}, 3),
    ]
    for settings, timeout in arguments:
        log: list[Any] = []
        async with InProcess(logging_main(log), **settings) as app:
            async with app.connect() as client:
                await client.see("ready")
            left = anyio.current_time()
            await until_over(app)
            assert log[1] == ("close", pytest.approx(left + timeout, abs=1e-6))


async def test_a_timeout_of_zero_ends_the_session_at_once() -> None:
    log: list[Any] = []
    async with InProcess(logging_main(log), session_timeout_seconds=0) as app:
        async with app.connect() as client:
            await client.see("ready")
            session = app.session
        left = anyio.current_time()
        await reached(lambda: not app.sessions)
        assert anyio.current_time() == left
        assert log == ["disconnect", ("close", left)]
        assert session.reason is Reason.EXPIRED


async def test_a_timeout_of_zero_means_no_grace() -> None:
    log: list[Any] = []
    async with InProcess(logging_main(log), session_timeout_seconds=0) as app:
        async with app.connect() as client:
            await client.see("ready")
            session = app.session
        async with app.connect(after=client, live=True) as back:
            await back.see("ready")
            assert app.session is not session
            assert log == ["disconnect", ("close", anyio.current_time())]


SESSIONS = 10_000 if os.environ.get("FLET_ANYIO_LONG") else 2_000
GROUPS = 4


@contextmanager
def waking() -> Iterator[list[float]]:
    """The times to which the clock jumps meanwhile: when anything woke that had waited."""
    loop: Any = anyio.lowlevel.current_token().native_token
    if isinstance(loop, VirtualLoop):
        times = loop.jumps = []
        yield times
        return
    import trio

    class Steps(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            now = trio.current_time()
            if now > (times[-1] if times else began):
                times.append(now)

    times, began, steps = [], trio.current_time(), Steps()
    trio.lowlevel.add_instrument(steps)
    try:
        yield times
    finally:
        trio.lowlevel.remove_instrument(steps)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_thousands_of_sessions_each_end_on_time_and_nothing_wakes_before() -> None:
    timeout = 60.0
    closed: list[float] = []

    def main(page: ft.Page) -> None:
        # Updates would be most of what this test does.
        ft.context.disable_auto_update()
        page.on_disconnect = ft.context.disable_auto_update
        page.on_close = close

    def close() -> None:
        ft.context.disable_auto_update()
        closed.append(anyio.current_time())

    left: list[float] = []
    registration = {"session_id": None, "page_name": "", "page": {"route": "/"}}
    async with InProcess(main, session_timeout_seconds=timeout) as app:
        before = len(anyio.get_running_tasks())
        for group in range(GROUPS):
            for _ in range(SESSIONS // GROUPS):
                async with app.connect(frames=0, register=False) as client:
                    client.send(MessageAction.REGISTER_CLIENT, registration)
                    await client.read_one()
                left.append(anyio.current_time())
            await anyio.sleep_until(group + 1)
        assert closed == []
        assert len(app.sessions) == SESSIONS
        # The sessions themselves: nothing beside them watches the time.
        assert len(anyio.get_running_tasks()) == before + SESSIONS
        with waking() as times:
            await anyio.sleep(timeout * 2)
            assert app.sessions == []
        assert closed == pytest.approx([when + timeout for when in left], abs=1e-6)
        assert len(anyio.get_running_tasks()) == before
        # Once for each group, and once for the sleep above.
        assert len(times) == GROUPS + 1


async def test_a_connected_session_never_expires() -> None:
    log: list[Any] = []
    async with (
        InProcess(logging_main(log), session_timeout_seconds=1) as app,
        app.connect() as client,
    ):
        await client.see("ready")
        await anyio.sleep(10_000)
        assert app.session.attached
        assert log == []


async def test_coming_back_in_time_starts_the_time_anew() -> None:
    log: list[Any] = []
    async with InProcess(logging_main(log), session_timeout_seconds=10) as app:
        async with app.connect() as client:
            await client.see("ready")
        await anyio.sleep(9)
        async with app.connect(after=client) as back:
            await back.see("ready")
            assert app.session_of(back) is app.session_of(client)
            await anyio.sleep(100)
        await anyio.sleep(9.5)
        assert len(app.sessions) == 1
        await anyio.sleep(1)
        assert app.sessions == []
        assert [entry if isinstance(entry, str) else entry[0] for entry in log] == [
            "disconnect",
            "disconnect",
            "close",
        ]


async def test_coming_back_too_late_gets_a_new_session() -> None:
    async with InProcess(logging_main([]), session_timeout_seconds=10) as app:
        async with app.connect() as client:
            await client.see("ready")
        await anyio.sleep(10.5)
        async with app.connect(after=client) as late:
            await late.see("ready")
            assert app.session_of(late) is not app.session_of(client)


async def test_expires_at_tells_when() -> None:
    async with InProcess(logging_main([]), session_timeout_seconds=60) as app:
        async with app.connect() as client:
            await client.see("ready")
            session = app.session
            assert session.expires_at is None
        await reached(lambda: not session.attached)
        assert session.expires_at is not None
        async with app.connect(after=client) as back:
            await back.see("ready")
            assert session.expires_at is None


async def test_handlers_are_cancelled_when_the_session_expires() -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        async def wait() -> None:
            try:
                log.append("waits")
                await anyio.sleep_forever()
            finally:
                log.append("ends")

        page.add(ft.Button("go", on_click=wait))

    async with InProcess(main, session_timeout_seconds=10) as app:
        async with app.connect() as client:
            await client.click("go")
            await reached(lambda: log)
        await anyio.sleep(9)
        assert log == ["waits"]
        await anyio.sleep(2)
        assert log == ["waits", "ends"]
        assert app.sessions == []


async def test_everything_that_runs_for_a_session_ends_when_it_expires() -> None:
    log: list[tuple[str, str, float]] = []
    thread_over = threading.Event()

    async def wait(name: str) -> None:
        log.append((name, "waits", anyio.current_time()))
        try:
            await anyio.sleep_forever()
        finally:
            log.append((name, "ends", anyio.current_time()))

    def watch(closing: threading.Event) -> None:
        if closing.wait(REAL_SECONDS):
            thread_over.set()

    async def call(page: ft.Page) -> None:
        log.append(("call", "waits", anyio.current_time()))
        try:
            await page.session.invoke_method(1, "method", None)
        except FletPageDisconnectedException:
            log.append(("call", "ends", anyio.current_time()))

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        async def handle() -> None:
            await wait("handler")

        ft.use_effect(partial(wait, "effect"), [])
        return ft.Button("handle", on_click=handle)

    async def main(page: ft.Page) -> None:
        page.on_close = lambda: log.append(("on_close", "runs", anyio.current_time()))
        page.render(App)
        page.run_task(wait, "task")
        page.run_task(call, page)
        page.run_thread(watch, page.closing)  # type: ignore[attr-defined]
        await wait("main")

    limits = Limits(silence_timeout=None)
    async with InProcess(main, session_timeout_seconds=60, limits=limits) as app:
        async with app.connect() as client:
            client.silent = True
            await client.click("handle")
            await reached(lambda: len(log) == 5 and client.calls)
            await anyio.sleep(100)
            session = app.session
        await reached(lambda: not session.attached)
        left = anyio.current_time()
        await anyio.sleep(59)
        assert app.session.open
        assert not session.closing.is_set()
        await anyio.sleep(2)
        assert app.sessions == []
        assert session.reason is Reason.EXPIRED
        ends = {name: when for name, what, when in log if what != "waits"}
        # A call has no one left to answer it as soon as the client is gone.
        assert ends.pop("call") == left
        names = {"main", "handler", "task", "effect", "on_close"}
        assert ends == dict.fromkeys(names, pytest.approx(left + 60))
        assert log[-1][0] == "on_close"
        # Threads live in real time: it is told, and ends by itself.
        assert thread_over.wait(REAL_SECONDS)


async def test_on_close_has_a_limited_time(caplog: pytest.LogCaptureFixture) -> None:
    def main(page: ft.Page) -> None:
        async def close() -> None:
            await anyio.sleep_forever()

        page.on_close = close
        page.add(ft.Text("ready"))

    limits = Limits(close_timeout=3)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        client.patience = 100
        await client.see("ready")
        began = anyio.current_time()
        app.session.close()
        await client.until(lambda: client.closed)
        assert anyio.current_time() - began == pytest.approx(3)
        assert "on_close took longer than 3 s" in caplog.text
        assert app.sessions == []


# --- calls ------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [2, 0.5, 3600])
async def test_a_call_times_out_exactly(timeout: float) -> None:
    limits = Limits(silence_timeout=None)
    async with InProcess(logging_main([]), limits=limits) as app, app.connect() as client:
        await client.see("ready")
        client.silent = True
        began = anyio.current_time()
        with pytest.raises(TimeoutError, match="Timeout waiting for invokeMethod"):
            await app.session.invoke_method(1, "method", None, timeout)
        assert anyio.current_time() - began == pytest.approx(timeout)


async def test_an_answer_just_in_time_counts() -> None:
    def main(page: ft.Page) -> None:
        async def go() -> None:
            page.add(ft.Text(str(await page.session.invoke_method(1, "method", None, 10))))

        page.add(ft.Button("go", on_click=go))

    async with InProcess(main) as app, app.connect() as client:
        client.silent = True
        await client.click("go")
        await client.until(lambda: client.calls)
        await anyio.sleep(9.9)
        client.reply(client.calls[0], "in time")
        await client.see("in time")


# --- connections ------------------------------------------------------------------------------


async def test_a_client_that_does_not_register_is_closed() -> None:
    limits = Limits(register_timeout=10)
    async with (
        InProcess(logging_main([]), limits=limits) as app,
        app.connect(register=False) as client,
    ):
        client.patience = 100
        began = anyio.current_time()
        await client.until(lambda: client.closed)
        assert anyio.current_time() - began == pytest.approx(10)
        assert client.transport.close_code == 1008
        assert app.sessions == []


async def test_a_client_that_registers_late_but_in_time_is_served() -> None:
    limits = Limits(register_timeout=10)
    async with (
        InProcess(logging_main([]), limits=limits) as app,
        app.connect(register=False) as client,
    ):
        await anyio.sleep(9.5)
        client.register()
        await client.see("ready")
        await anyio.sleep(100)
        assert not client.closed


async def test_without_a_register_timeout_a_client_may_wait_for_ever() -> None:
    limits = Limits(register_timeout=None)
    async with (
        InProcess(logging_main([]), limits=limits) as app,
        app.connect(register=False) as client,
    ):
        await anyio.sleep(10_000)
        client.register()
        await client.see("ready")


async def test_a_client_that_does_not_read_is_dropped_and_its_session_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = Limits(write_timeout=30)
    async with (
        InProcess(logging_main([]), limits=limits, session_timeout_seconds=1000) as app,
        app.connect(frames=0, register=False) as client,
    ):
        client.register()
        await reached(lambda: app.sessions and app.session.attached)
        session = app.session
        await anyio.sleep(29)
        assert session.attached
        await anyio.sleep(2)
        assert not session.attached
        assert session.open
        assert client.transport.closed.is_set()
        assert "a frame was not taken in 30 s" in caplog.text


async def test_a_slow_client_that_reads_each_frame_in_time_stays() -> None:
    limits = Limits(write_timeout=30)
    async with (
        InProcess(logging_main([]), limits=limits) as app,
        app.connect(frames=0, register=False) as client,
    ):
        client.register()
        for number in range(3):
            await anyio.sleep(25)
            await client.read_one()
            app.session.page.add(ft.Text(f"text {number}"))
        assert app.session.attached


async def test_nothing_is_lost_for_a_client_that_was_dropped_for_not_reading() -> None:
    limits = Limits(write_timeout=30)
    async with InProcess(logging_main([]), limits=limits) as app:
        async with app.connect(frames=0, register=False) as stuck:
            stuck.register()
            await stuck.read_one()
            app.session.page.add(ft.Text("unread"))
            await anyio.sleep(31)
            assert not app.session.attached
            app.session.page.add(ft.Text("while away"))
        async with app.connect(after=stuck) as back:
            await back.see("ready", "unread", "while away")
            assert app.session_of(back) is app.session_of(stuck)


async def test_a_duplicated_tab_waits_for_the_answer_of_the_first_no_longer_than_the_limit() -> (
    None
):
    limits = Limits(ping_timeout=5)
    async with InProcess(logging_main([]), limits=limits) as app, app.connect() as first:
        await first.see("ready")
        first.silent = True
        began = anyio.current_time()
        async with app.connect(after=first, register=False) as second:
            second.patience = 100
            second.session_id = first.session_id
            second.register()
            await second.see("ready")
            assert app.session_of(second) is app.session_of(first)
            assert anyio.current_time() - began == pytest.approx(5)


# --- shutdown ---------------------------------------------------------------------------------


async def test_a_server_waits_for_on_close_up_to_the_grace() -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        async def close() -> None:
            await anyio.sleep(4)
            log.append("closed")

        page.on_close = close
        page.add(ft.Text("ready"))

    async with InProcess(main, limits=Limits(close_timeout=30, shutdown_grace=10)) as app:
        async with app.connect() as client:
            await client.see("ready")
        began = anyio.current_time()
        await app.server.shutdown()
        assert anyio.current_time() - began == pytest.approx(4)
        assert log == ["closed"]


async def test_what_outlasts_the_grace_is_cancelled() -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        async def close() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                log.append("cancelled")

        page.on_close = close
        page.add(ft.Text("ready"))

    began = 0.0
    async with InProcess(main, limits=Limits(close_timeout=300, shutdown_grace=10)) as app:
        async with app.connect() as client:
            await client.see("ready")
        began = anyio.current_time()
    assert anyio.current_time() - began == pytest.approx(10)
    assert log == ["cancelled"]


async def test_no_log_says_that_something_failed(caplog: pytest.LogCaptureFixture) -> None:
    async with InProcess(logging_main([]), session_timeout_seconds=10) as app:
        async with app.connect() as client:
            await client.see("ready")
        await until_over(app)
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_a_session_that_ends_takes_no_client() -> None:
    async def main(page: ft.Page) -> None:
        page.add(ft.Text("ready"))
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(5)

    async with InProcess(main, session_timeout_seconds=10) as app:
        async with app.connect() as client:
            await client.see("ready")
        ending = app.session
        await anyio.sleep(12)
        assert ending.reason is Reason.EXPIRED
        assert ending.closing.is_set()
        async with app.connect(after=client, live=True) as late:
            await late.see("ready")
            assert app.session_of(late) is not ending
            await anyio.sleep(10)
            assert not late.closed


async def test_an_async_on_disconnect_runs_also_where_there_is_no_grace() -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        async def gone() -> None:
            log.append("begun")
            await anyio.sleep(1)
            log.append("saved")

        page.on_disconnect = gone
        page.on_close = lambda: log.append("closed")
        page.add(ft.Text("ready"))

    async with InProcess(main, session_timeout_seconds=0) as app:
        async with app.connect() as client:
            await client.see("ready")
        await until_over(app)
    assert log == ["begun", "saved", "closed"]


async def test_each_last_handler_has_its_own_time() -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        async def for_ever() -> None:
            await anyio.sleep_forever()

        page.on_disconnect = for_ever
        page.on_close = lambda: log.append("closed")
        page.add(ft.Text("ready"))

    limits = Limits(close_timeout=5)
    async with InProcess(main, limits=limits, session_timeout_seconds=0) as app:
        async with app.connect() as client:
            await client.see("ready")
        await until_over(app)
    assert log == ["closed"]


async def test_a_time_beyond_all_dates_is_kept_too() -> None:
    async with InProcess(logging_main([]), session_timeout_seconds=1e12) as app:
        async with app.connect() as client:
            await client.see("ready")
        await reached(lambda: not app.session.attached)
        assert app.session.expires_at is not None
        assert app.server.connections == 0
        app.session.close()
