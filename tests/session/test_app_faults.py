"""Whatever one user's handlers do, others are served, sessions end, and nothing is left.

Each app here has a tab `/bad` that goes wrong, and others that only count clicks.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import flet as ft
import pytest
from anyio import get_cancelled_exc_class
from anyio.lowlevel import checkpoint

from flet_anyio import Limits, SessionClosed
from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import InProcess
from logged import warnings_of
from own_cancellation import raise_a_cancellation
from waiting import reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from flet_anyio.session.session import Session
    from flet_anyio.testing import Client

pytestmark = pytest.mark.anyio

SECONDS = 5
"""How long a thread waits at most for what is sure to come."""


class OddError(BaseException):
    pass


class MuteError(Exception):
    def __str__(self) -> str:
        raise OddError


# --- two tabs of one server -------------------------------------------------------------------


def counter(page: ft.Page) -> None:
    count = ft.Text("0")

    def add() -> None:
        count.value = str(int(count.value) + 1)

    page.add(count, ft.Button("+", on_click=add))


def spoilt(spoil: Callable[[ft.Page], Any]) -> Callable[[ft.Page], None]:
    """A counter, and in the tab `/bad` what `spoil` adds to it."""

    def main(page: ft.Page) -> None:
        counter(page)
        if page.route == "/bad":
            spoil(page)

    return main


def on_go(make: Callable[[ft.Page], Callable[..., Any]]) -> Callable[[ft.Page], None]:
    """A counter, and in the tab `/bad` a button with the handler that `make` makes."""
    return spoilt(lambda page: page.add(ft.Button("go", on_click=make(page))))


class Visits:
    """A tab that goes wrong, and a healthy one beside it."""

    def __init__(self, app: InProcess, bad: Client, healthy: Client) -> None:
        self.app = app
        self.bad = bad
        self.healthy = healthy
        self.clicks = 0

    @property
    def session(self) -> Session:
        """That of the tab that goes wrong."""
        session = self.app.session_of(self.bad)
        assert session is not None
        return session

    async def others_are_served(self) -> None:
        await self.healthy.click("+")
        self.clicks += 1
        await self.healthy.see(str(self.clicks))

    async def has_ended(self) -> None:
        """Wait until the session of the bad tab, and it alone, is over."""
        survivor = self.app.session_of(self.healthy)
        await reached(lambda: self.app.sessions == [survivor])

    async def end(self) -> None:
        """End the session of the bad tab, with others served before and after."""
        await self.others_are_served()
        self.session.close()
        await self.has_ended()
        await self.others_are_served()


@asynccontextmanager
async def visits(main: Callable[..., Any], **settings: Any) -> AsyncIterator[Visits]:
    """Open both tabs. In the end the server must still be there for a third one."""
    async with InProcess(main, **settings) as app, app.connect() as healthy:
        await healthy.see("0")
        async with app.connect(route="/bad") as bad:
            both = Visits(app, bad, healthy)
            yield both
            await both.others_are_served()
        async with app.connect() as late:
            await late.see("0")


# --- handlers that raise ----------------------------------------------------------------------


async def fail() -> None:
    await checkpoint()
    raise LookupError("out of cheese")


async def fail_oddly() -> None:
    await checkpoint()
    raise OddError


async def stop_as_generators_do() -> None:
    await checkpoint()
    raise GeneratorExit


async def fail_without_words() -> None:
    raise MuteError


async def fail_in_a_group() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fail_oddly)
        tasks.start_soon(stop_as_generators_do)


FAILURES = [
    raise_a_cancellation,
    fail,
    fail_oddly,
    fail_without_words,
    stop_as_generators_do,
    fail_in_a_group,
]


def as_coroutine(failure: Callable[[], Awaitable[None]]) -> Callable[..., Any]:
    return failure


def as_async_generator(failure: Callable[[], Awaitable[None]]) -> Callable[..., Any]:
    async def steps() -> AsyncIterator[None]:
        yield
        await failure()

    return steps


def as_result(failure: Callable[[], Awaitable[None]]) -> Callable[..., Any]:
    return lambda: failure()


KINDS = [as_coroutine, as_async_generator, as_result]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_an_async_handler_raises_ends_nothing(
    kind: Callable[..., Any], failure: Callable[[], Awaitable[None]]
) -> None:
    async with visits(on_go(lambda page: kind(failure))) as both:
        await both.bad.click("go")
        await both.bad.until(lambda: both.bad.errors)
        await both.bad.click("+")
        await both.bad.see("1")
        assert both.session.attached
        await both.end()


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("event", ["close", "disconnect", "error"])
async def test_what_handlers_of_the_page_raise_ends_nothing_else(
    event: str, failure: Callable[[], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    closed: list[str] = []

    def spoil(page: ft.Page) -> None:
        page.on_close = lambda: closed.append("closed")
        setattr(page, f"on_{event}", failure)
        page.add(ft.Button("go", on_click=fail))

    async with visits(spoilt(spoil)) as both:
        await both.bad.click("go")
        await reached(lambda: "on_click failed" in caplog.text)
        await both.end()
        assert both.session.reason is Reason.CLOSED_BY_APP
        assert f"session {both.session.label}: on_{event} failed" in caplog.text
        assert closed == ([] if event == "close" else ["closed"])


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("step", ["main", "before_main"])
async def test_whatever_main_raises_its_client_gets_an_answer(
    step: str, failure: Callable[[], Awaitable[None]]
) -> None:
    async def fails(page: ft.Page) -> None:
        if page.route == "/bad":
            await failure()
        elif step == "main":
            counter(page)

    settings: dict[str, Any] = {"main": counter, step: fails}
    async with visits(**settings) as both:
        await both.bad.until(lambda: both.bad.errors)
        assert both.bad.registered
        assert both.session.crashed
        await both.end()


@pytest.mark.parametrize("failure", [raise_a_cancellation, stop_as_generators_do, fail_oddly])
async def test_what_a_task_of_the_page_raises_ends_nothing(
    failure: Callable[[], Awaitable[None]],
) -> None:
    futures: list[Any] = []

    def begin(page: ft.Page) -> Callable[[], None]:
        return lambda: futures.append(page.run_task(failure))

    async with visits(on_go(begin)) as both:
        await both.bad.click("go")
        await reached(lambda: futures and futures[0].done())
        assert futures[0].cancelled()
        assert both.session.attached
        await both.end()


async def test_a_handler_that_awaits_a_cancelled_task_of_asyncio_fails(
    anyio_backend_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("asyncio's own tasks")

    async def go() -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        await checkpoint()
        task.cancel()
        await task

    async with visits(on_go(lambda page: go)) as both:
        await both.bad.click("go")
        await both.bad.until(lambda: both.bad.errors)
        assert "on_click failed" in caplog.text
        assert both.session.attached
        await both.end()


async def test_an_exit_in_a_group_of_before_main_ends_its_session_and_runs_no_main(
    anyio_backend_name: str,
) -> None:
    if anyio_backend_name != "trio":
        pytest.skip("on asyncio, SystemExit in a child task ends the loop itself")
    ran: list[str] = []

    async def leave() -> None:
        raise SystemExit

    async def before(page: ft.Page) -> None:
        if page.route == "/bad":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(leave)

    def main(page: ft.Page) -> None:
        ran.append(page.route)
        counter(page)

    async with visits(main, before_main=before) as both:
        await both.has_ended()
        assert "/bad" not in ran


@pytest.mark.parametrize("event", ["close", "disconnect", "error"])
async def test_an_exit_in_handlers_of_the_page_ends_its_session_only(event: str) -> None:
    def leave() -> None:
        raise SystemExit(2)

    def spoil(page: ft.Page) -> None:
        setattr(page, f"on_{event}", leave)
        page.add(ft.Button("go", on_click=fail))

    async with visits(spoilt(spoil)) as both:
        await both.bad.click("go")
        if event != "error":
            await both.end()
        await both.has_ended()


# --- handlers that do not end -----------------------------------------------------------------


async def test_handlers_that_hang_hold_up_no_others_and_end_with_their_session() -> None:
    ended: list[str] = []

    async def hang() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("ended")

    limits = Limits(events_in_flight=3)
    async with visits(on_go(lambda page: hang), limits=limits) as both:
        for _ in range(5):  # more than may be in flight
            await both.bad.click("go")
        await both.others_are_served()
        await both.end()
        assert ended == ["ended"] * 3


async def test_a_generator_without_end_holds_up_its_own_session_only() -> None:
    log: list[str] = []

    def for_ever() -> Iterator[None]:
        try:
            while True:
                log.append("step")
                yield
        finally:
            log.append("closed")

    async with visits(on_go(lambda page: for_ever)) as both:
        await both.bad.click("go")
        await reached(lambda: len(log) > 3)
        await both.end()
        gc.collect()
        assert log[-1] == "closed"


async def test_an_async_generator_that_is_never_finished_is_closed_with_its_session() -> None:
    log: list[str] = []

    async def wait() -> AsyncIterator[None]:
        try:
            yield
            log.append("waits")
            await anyio.sleep_forever()
            yield
        finally:
            log.append("closed")

    async with visits(on_go(lambda page: wait)) as both:
        await both.bad.click("go")
        await reached(lambda: log == ["waits"])
        await both.end()
        assert log == ["waits", "closed"]


async def test_an_async_generator_that_a_handler_leaves_behind_is_finished(
    anyio_backend_name: str,
) -> None:
    if anyio_backend_name == "trio":
        pytest.skip("trio warns of those that are not closed")
    log: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await checkpoint()
            log.append("closed")

    async def first() -> None:
        async for _ in numbers():
            break

    async with visits(on_go(lambda page: first)) as both:
        await both.bad.click("go")
        await reached(lambda: gc.collect() or log == ["closed"])
        await both.end()


async def test_a_handler_that_ignores_its_cancellation_is_waited_for() -> None:
    log: list[str] = []

    async def stubborn() -> None:
        log.append("begun")
        for _ in range(3):
            try:
                await anyio.sleep_forever()
            except get_cancelled_exc_class():
                log.append("ignored")

    async with visits(on_go(lambda page: stubborn)) as both:
        await both.bad.click("go")
        await reached(lambda: log)
        await both.end()
        assert log == ["begun", *["ignored"] * 3]


async def test_a_handler_that_never_heeds_its_cancellation_is_named_in_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    released = anyio.Event()
    log: list[str] = []

    async def unheeding() -> None:
        log.append("begun")
        while not released.is_set():
            # Nothing here tells it to end, not even on a second time.
            with anyio.CancelScope(shield=True):
                await released.wait()

    def main(page: ft.Page) -> None:
        on_go(lambda page: unheeding)(page)

    async with InProcess(main, limits=Limits(shutdown_grace=0.1)) as app:
        async with app.connect() as healthy, app.connect(route="/bad") as bad:
            both = Visits(app, bad, healthy)
            await bad.click("go")
            await reached(lambda: log)
            label = both.session.label
            both.session.close()
            await bad.until(lambda: both.session.closing.is_set())
            for _ in range(3):
                await both.others_are_served()
            assert len(app.sessions) == 2  # it waits for what it began
        await app.server.shutdown()
        assert f"session {label}: on_click was cancelled and goes on, here:" in caplog.text
        assert "in unheeding" in caplog.text
        assert [session.label for session in app.sessions] == [label]
        released.set()


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_code_that_holds_the_loop_is_named_and_others_are_served_afterwards(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def hold() -> None:
        time.sleep(0.1)

    async def hold_later() -> None:
        await checkpoint()
        hold()

    handler = hold if kind == "sync" else hold_later
    async with visits(on_go(lambda page: handler), limits=Limits(stall_warning=0.05)) as both:
        await both.bad.click("go")
        named = f"session {both.session.label}: on_click ("
        await reached(lambda: [said for said in warnings_of(caplog) if said.startswith(named)])
        assert "held the event loop" in caplog.text
        await both.end()


# --- sessions that end themselves -------------------------------------------------------------


def closes(page: ft.Page) -> Callable[..., Any]:
    def close() -> None:
        page.session.close()
        page.add(ft.Text("after the end"))

    return close


def closes_later(page: ft.Page) -> Callable[..., Any]:
    async def close() -> None:
        await checkpoint()
        page.session.close()
        page.add(ft.Text("after the end"))
        await anyio.Event().wait()

    return close


def closes_in_steps(page: ft.Page) -> Callable[..., Any]:
    def close() -> Iterator[None]:
        yield
        page.session.close()
        yield
        page.add(ft.Text("after the end"))

    return close


def closes_in_async_steps(page: ft.Page) -> Callable[..., Any]:
    async def close() -> AsyncIterator[None]:
        yield
        page.session.close()
        yield
        page.add(ft.Text("after the end"))

    return close


CLOSERS = [closes, closes_later, closes_in_steps, closes_in_async_steps]


@pytest.mark.parametrize("make", CLOSERS)
@pytest.mark.parametrize("place", ["inline", "thread"])
async def test_a_handler_may_end_its_session(
    make: Callable[..., Any], place: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with visits(on_go(make), sync_handlers=place) as both:
        session = both.session
        await both.bad.click("go")
        await both.has_ended()
        assert session.reason is Reason.CLOSED_BY_APP
        await both.bad.until(lambda: both.bad.closed)
        assert warnings_of(caplog) == []


@pytest.mark.parametrize("make", CLOSERS)
@pytest.mark.parametrize("event", ["close", "disconnect", "error"])
async def test_handlers_of_the_page_may_end_the_session_again(
    event: str, make: Callable[..., Any]
) -> None:
    def spoil(page: ft.Page) -> None:
        setattr(page, f"on_{event}", make(page))
        page.add(ft.Button("go", on_click=fail))

    async with visits(spoilt(spoil), limits=Limits(close_timeout=0.1)) as both:
        await both.bad.click("go")
        if event != "error":
            await both.end()
        await both.has_ended()


@pytest.mark.parametrize("make", [closes, closes_later])
@pytest.mark.parametrize("step", ["main", "before_main"])
async def test_main_may_end_its_session(step: str, make: Callable[..., Any]) -> None:
    def ends(page: ft.Page) -> Any:
        if page.route == "/bad":
            return make(page)()
        return counter(page) if step == "main" else None

    settings: dict[str, Any] = {"main": counter, step: ends}
    async with visits(**settings) as both:
        await both.has_ended()


# --- tasks and threads that no session owns ---------------------------------------------------


@contextmanager
def complaints_of_asyncio() -> Iterator[list[str]]:
    loop = asyncio.get_running_loop()
    said: list[str] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, what: said.append(what["message"]))
    try:
        yield said
    finally:
        loop.set_exception_handler(before)


async def test_a_task_of_asyncio_that_fails_is_nobodys_end(anyio_backend_name: str) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("asyncio's own tasks")
    tasks: list[asyncio.Task[None]] = []

    def begin(page: ft.Page) -> Callable[..., Any]:
        async def go() -> None:
            tasks.append(asyncio.create_task(fail()))

        return go

    with complaints_of_asyncio() as said:
        async with visits(on_go(begin)) as both:
            await both.bad.click("go")
            await reached(lambda: tasks and tasks[0].done())
            await both.others_are_served()
            tasks.clear()
            gc.collect()
            await both.end()
    assert said == ["Task exception was never retrieved"]


def begin_unowned(run: Callable[[], Any]) -> None:
    """Begin a task that belongs to the event loop alone."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio

        trio.lowlevel.spawn_system_task(run)
    else:
        task = loop.create_task(run())
        kept.add(task)
        task.add_done_callback(kept.discard)


kept: set[Any] = set()


async def test_a_task_of_the_loop_that_outlives_its_session_changes_nothing() -> None:
    go_on, over = anyio.Event(), anyio.Event()

    def begin(page: ft.Page) -> Callable[..., Any]:
        async def outlive() -> None:
            await go_on.wait()
            page.add(ft.Text("late"))
            with pytest.raises(SessionClosed):
                page.run_task(fail)
            over.set()

        async def go() -> None:
            begin_unowned(outlive)

        return go

    async with visits(on_go(begin)) as both:
        await both.bad.click("go")
        await both.end()
        go_on.set()
        with anyio.fail_after(SECONDS):
            await over.wait()
        await both.others_are_served()


@pytest.mark.parametrize("error", [OddError, GeneratorExit, SystemExit, LookupError])
async def test_a_callback_of_the_loop_that_raises_is_nobodys_end(
    error: type[BaseException], anyio_backend_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    if anyio_backend_name != "trio":
        pytest.skip("asyncio's own callbacks")

    def begin(page: ft.Page) -> Callable[..., Any]:
        def call() -> None:
            raise error

        return lambda: page.loop.call_soon_threadsafe(call) and None

    async with visits(on_go(begin)) as both:
        await both.bad.click("go")
        await reached(lambda: "a callback from another thread failed" in caplog.text)
        assert both.session.attached
        await both.end()


@contextmanager
def failures_of_threads() -> Iterator[list[str]]:
    said: list[str] = []
    before = threading.excepthook
    threading.excepthook = lambda args: said.append(str(args.exc_value))
    try:
        yield said
    finally:
        threading.excepthook = before


async def test_a_thread_that_fails_after_its_session_ended_is_nobodys_end() -> None:
    go_on, threads = threading.Event(), list[threading.Thread]()

    def begin(page: ft.Page) -> Callable[..., Any]:
        def outlive() -> None:
            go_on.wait(SECONDS)
            page.add(ft.Text("late"))
            raise LookupError("in a thread")

        def go() -> None:
            threads.append(threading.Thread(target=outlive))
            threads[0].start()

        return go

    with failures_of_threads() as said:
        async with visits(on_go(begin)) as both:
            await both.bad.click("go")
            await reached(lambda: threads)
            await both.end()
            go_on.set()
            await anyio.to_thread.run_sync(threads[0].join)
            await both.others_are_served()
    assert said == ["in a thread"]


# --- executors and threads --------------------------------------------------------------------


async def test_a_full_executor_holds_up_no_events_and_runs_what_waits_in_the_end() -> None:
    go_on, ran = threading.Event(), list[str]()

    def block() -> None:
        go_on.wait(SECONDS)

    def begin(page: ft.Page) -> Callable[..., Any]:
        def go() -> None:
            page.run_thread(block)
            page.run_thread(ran.append, "waited")

        return go

    with ThreadPoolExecutor(1) as executor:
        async with visits(on_go(begin), executor=executor) as both:
            await both.bad.click("go")
            await both.others_are_served()
            await both.bad.click("+")
            await both.bad.see("1")
            assert ran == []
            go_on.set()
            await reached(lambda: ran == ["waited"])
            await both.end()


async def test_a_session_ends_with_its_threads_still_in_line() -> None:
    go_on = threading.Event()

    def begin(page: ft.Page) -> Callable[..., Any]:
        def go() -> None:
            for _ in range(3):
                page.run_thread(go_on.wait, SECONDS)

        return go

    with ThreadPoolExecutor(1) as executor:
        async with visits(on_go(begin), executor=executor) as both:
            await both.bad.click("go")
            await both.end()
            go_on.set()


async def test_an_executor_that_was_shut_down_is_an_error_of_who_uses_it() -> None:
    def begin(page: ft.Page) -> Callable[..., Any]:
        return lambda: page.run_thread(print, "never")

    executor = ThreadPoolExecutor(1)
    async with (
        InProcess(on_go(begin), executor=executor) as app,
        app.connect() as healthy,
        app.connect(route="/bad") as bad,
    ):
        both = Visits(app, bad, healthy)
        await bad.see("go")
        executor.shutdown()
        await bad.click("go")
        await bad.until(lambda: bad.errors)
        assert bad.errors[0].startswith("cannot schedule new futures after shutdown")
        await bad.click("+")
        await bad.see("1")
        assert healthy.errors == []
        await both.end()


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """Call it to have the machine start no thread, or start them again."""
    start, short = threading.Thread.start, [False]

    def start_or_not(self: threading.Thread) -> None:
        if short[0]:
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", start_or_not)

    def switch(on: bool) -> None:
        short[0] = on

    yield switch
    switch(False)


async def test_a_machine_without_threads_fails_a_sync_handler_and_not_its_session(
    no_threads: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()

    def begin(page: ft.Page) -> Callable[..., Any]:
        async def fill() -> None:
            # Idle threads are taken first: let there be none.
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(anyio.to_thread.run_sync, go_on.wait, SECONDS)

        return fill

    async with visits(on_go(begin), sync_handlers="thread") as both:
        await both.bad.click("go")
        await reached(lambda: _threads_in(go_on) == 20)
        no_threads(True)
        await both.bad.click("+")
        await both.bad.until(lambda: both.bad.errors)
        assert both.bad.errors[0].startswith("can't start new thread")
        assert "on_click failed: can't start new thread" in caplog.text
        no_threads(False)
        go_on.set()
        await both.bad.click("+")
        await both.bad.see("1")
        await both.end()


def _threads_in(event: threading.Event) -> int:
    return len(event._cond._waiters)  # type: ignore[attr-defined]


# --- what is left -----------------------------------------------------------------------------

# Nothing here sleeps: asyncio keeps the context of a timer that was cancelled until it has a
# hundred of them, and with it the page.


def hangs(page: ft.Page) -> Callable[..., Any]:
    async def hang() -> None:
        page.data = "held by a frame"
        await anyio.Event().wait()

    return hang


def generates(page: ft.Page) -> Callable[..., Any]:
    def for_ever() -> Iterator[None]:
        while True:
            page.data = "held by a frame"
            yield

    return for_ever


def waits_in_a_task(page: ft.Page) -> Callable[..., Any]:
    async def wait() -> None:
        page.data = "held by a frame"
        await anyio.Event().wait()

    return lambda: page.run_task(wait) and None


def raises(failure: Callable[[], Awaitable[None]]) -> Callable[..., Any]:
    def make(page: ft.Page) -> Callable[..., Any]:
        async def go() -> None:
            page.data = "held by a frame"
            await failure()

        return go

    make.__name__ = failure.__name__
    return make


FAULTS = [hangs, generates, waits_in_a_task, *CLOSERS, *map(raises, FAILURES)]


@pytest.mark.parametrize("make", FAULTS)
async def test_nothing_of_a_session_that_went_wrong_is_kept(
    make: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1)  # logs keep what was raised, with its frames
    pages: list[weakref.ref[ft.Page]] = []

    def spoil(page: ft.Page) -> None:
        pages.append(weakref.ref(page))
        page.add(ft.Button("go", on_click=make(page)))

    async with InProcess(spoilt(spoil)) as app, app.connect() as healthy:
        await healthy.see("0")
        async with app.connect(route="/bad") as bad:
            both = Visits(app, bad, healthy)
            await both.bad.click("go")
            await both.others_are_served()
            both.session.close()
            await both.has_ended()
        app.connections.clear()
        await reached(lambda: gc.collect() is not None and pages[0]() is None)
        await both.others_are_served()
