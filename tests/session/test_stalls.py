"""Who holds the event loop is named. The clock goes on only when a test says so."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import flet as ft
import pytest
from anyio.lowlevel import checkpoint

from flet_anyio import Limits
from flet_anyio.session import stalls
from flet_anyio.session.stacks import stack_of
from flet_anyio.session.stalls import StallWatch
from flet_anyio.testing import InProcess
from waiting import reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

pytestmark = pytest.mark.anyio


class Clock(threading.local):
    """Each thread has a time of its own: what one takes does not happen in a step of another."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def hold(self, seconds: float = 0.75) -> None:
        """Be code that takes so long."""
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stalls, "clock", clock)
    return clock


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    def messages() -> list[str]:
        return [
            record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
        ]

    return messages


def warning(label: str, name: str, seconds: float = 0.75) -> str:
    return (
        f"session {label}: {name} held the event loop for {seconds:.2f} s; "
        "nobody else was served meanwhile (Limits.stall_warning)"
    )


# --- in an app --------------------------------------------------------------------------------


def handlers(clock: Clock, log: list[str]) -> dict[str, Callable[..., Any]]:
    def function() -> None:
        clock.hold()
        log.append("ended")

    def generator() -> Iterator[None]:
        yield
        clock.hold()
        yield
        log.append("ended")

    async def coroutine() -> None:
        await checkpoint()
        clock.hold()
        await checkpoint()
        log.append("ended")

    async def async_generator() -> AsyncIterator[None]:
        yield
        clock.hold()
        yield
        log.append("ended")

    return {h.__name__: h for h in (function, generator, coroutine, async_generator)}


KINDS = ["function", "generator", "coroutine", "async_generator"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_handler_that_holds_the_loop_is_named_once(
    kind: str, clock: Clock, warnings: Callable[[], list[str]]
) -> None:
    log: list[str] = []
    handler = handlers(clock, log)[kind]

    def main(page: ft.Page) -> None:
        page.add(ft.Button("go", on_click=handler))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await reached(lambda: log)
        name = f"on_click ({__name__}.handlers.<locals>.{kind})"
        assert warnings() == [warning(app.session.label, name)]


@pytest.mark.parametrize("kind", KINDS)
async def test_main_is_named(kind: str, clock: Clock, warnings: Callable[[], list[str]]) -> None:
    log: list[str] = []
    inner = handlers(clock, log)[kind]

    def function(page: ft.Page) -> Any:
        return inner()

    def generator(page: ft.Page) -> Iterator[None]:
        yield from inner()

    async def coroutine(page: ft.Page) -> None:
        await inner()

    async def async_generator(page: ft.Page) -> AsyncIterator[None]:
        async for step in inner():
            yield step

    mains: tuple[Callable[..., Any], ...] = (function, generator, coroutine, async_generator)
    main = next(main for main in mains if main.__name__ == kind)
    async with InProcess(main) as app, app.connect():
        await reached(lambda: log)
        name = f"main ({__name__}.test_main_is_named.<locals>.{kind})"
        assert warnings() == [warning(app.session.label, name)]


async def test_tasks_effects_and_subscribers_are_named(
    clock: Clock, warnings: Callable[[], list[str]]
) -> None:
    log: list[str] = []

    def effect() -> None:
        clock.hold()
        log.append("effect")

    @ft.component
    def App() -> ft.Control:  # noqa: N802 - components are named like classes
        ft.use_effect(effect, [])
        return ft.Text("drawn")

    async def task() -> None:
        await checkpoint()
        clock.hold()
        log.append("task")

    def subscriber(message: str) -> None:
        clock.hold()
        log.append(message)

    async def main(page: ft.Page) -> None:
        page.pubsub.subscribe(subscriber)
        page.render(App)

    async with InProcess(main) as app, app.connect():
        await reached(lambda: log == ["effect"])
        page = app.session.page
        page.run_task(task)
        await reached(lambda: log == ["effect", "task"])
        page.pubsub.send_all("message")
        await reached(lambda: log == ["effect", "task", "message"])
        place = f"{__name__}.test_tasks_effects_and_subscribers_are_named.<locals>"
        assert warnings() == [
            warning(app.session.label, name)
            for name in (
                f"{place}.effect",
                f"{place}.task",
                f"a pub/sub subscriber ({place}.subscriber)",
            )
        ]


async def test_steps_are_not_added_up_and_waiting_is_not_working(
    clock: Clock, warnings: Callable[[], list[str]]
) -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        async def work() -> None:
            for _ in range(5):
                clock.hold(0.5)
                await checkpoint()
            log.append("waits")
            await go_on.wait()
            log.append("ended")

        go_on = anyio.Event()
        page.on_resize = go_on.set
        page.add(ft.Button("work", on_click=work))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("work")
        await reached(lambda: log == ["waits"])
        clock.hold(60)
        client.fire(1, "resize", {"width": 1.0, "height": 1.0})
        await reached(lambda: log == ["waits", "ended"])
        assert warnings() == []


@pytest.mark.parametrize(
    "settings", [{"limits": Limits(stall_warning=None)}, {"sync_handlers": "thread"}]
)
async def test_nothing_is_said_when_switched_off_or_of_threads(
    settings: dict[str, Any], clock: Clock, warnings: Callable[[], list[str]]
) -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        clock.hold()
        page.add(ft.Button("go", on_click=handlers(clock, log)["function"]))

    async with InProcess(main, **settings) as app, app.connect() as client:
        await client.click("go")
        await reached(lambda: log)
        assert warnings() == []


async def test_another_limit_counts(clock: Clock, warnings: Callable[[], list[str]]) -> None:
    def main(page: ft.Page) -> None:
        clock.hold(9)
        page.add(ft.Text("built"))

    async with InProcess(main, limits=Limits(stall_warning=10)) as app, app.connect() as client:
        await client.see("built")
        assert warnings() == []


async def test_cleaning_up_counts(clock: Clock, warnings: Callable[[], list[str]]) -> None:
    log: list[str] = []

    async def main(page: ft.Page) -> None:
        try:
            log.append("waits")
            await anyio.sleep_forever()
        finally:
            clock.hold()

    async with InProcess(main) as app, app.connect():
        await reached(lambda: log)
        session = app.session
        session.close()
        await reached(lambda: not app.sessions)
        (text,) = warnings()
        assert text.startswith(f"session {session.label}: main (")


# --- the watch itself -------------------------------------------------------------------------


@pytest.fixture
def watch() -> StallWatch:
    return StallWatch("label", 0.5)


async def test_only_the_innermost_is_blamed(
    watch: StallWatch, clock: Clock, warnings: Callable[[], list[str]]
) -> None:
    async def outer(inner: float, own: float) -> None:
        watch.call("inner", clock.hold, inner)
        clock.hold(own)

    await watch.steps("innocent", outer(0.75, 0.25))
    assert warnings() == [warning("label", "inner")]
    await watch.steps("guilty", outer(0.75, 0.75))
    assert warnings()[1:] == [warning("label", "inner"), warning("label", "guilty")]
    await watch.steps("both together", outer(0.25, 0.5))
    assert warnings()[3:] == [warning("label", "both together")]


async def test_results_and_errors_pass(watch: StallWatch) -> None:
    async def result() -> str:
        await checkpoint()
        return "result"

    async def failure() -> None:
        await checkpoint()
        raise LookupError("failure")

    assert await watch.steps("", result()) == "result"
    with pytest.raises(LookupError, match="failure"):
        await watch.steps("", failure())


async def test_waiting_works_as_without_a_watch(watch: StallWatch) -> None:
    # What the backends send into a coroutine, and what it yields to them, must pass unchanged.
    send, receive = anyio.create_memory_object_stream[int](1)

    async def work() -> int:
        with anyio.move_on_after(0) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        async with send, receive, anyio.create_task_group() as tasks:
            tasks.start_soon(send.send, 1)
            total = await receive.receive()
        return total + await anyio.to_thread.run_sync(lambda: 2)

    assert await watch.steps("", work()) == 3


async def test_cancellation_passes_and_may_be_cleaned_up_after(watch: StallWatch) -> None:
    log: list[str] = []

    async def work() -> None:
        try:
            log.append("waits")
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await checkpoint()
                log.append("cleaned up")

    async def run() -> None:
        await watch.steps("", work())
        log.append("wrong")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await reached(lambda: log == ["waits"])
        tasks.cancel_scope.cancel()
    assert log == ["waits", "cleaned up"]


async def test_the_stack_of_a_task_is_seen_through_the_watch(watch: StallWatch) -> None:
    waiting = anyio.Event()

    async def inner() -> None:
        waiting.set()
        await anyio.sleep_forever()

    async def outer() -> None:
        await inner()

    async def watched() -> None:
        await watch.steps("", outer())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watched, name="the watched task")
        await waiting.wait()
        (task,) = (t for t in anyio.get_running_tasks() if t.name == "the watched task")
        await anyio.wait_all_tasks_blocked()
        names = [frame.name for frame in stack_of(task.coro)]
        begin = names.index("watched")
        assert names[begin : begin + 3] == ["watched", "outer", "inner"]
        tasks.cancel_scope.cancel()


def test_a_watched_coroutine_can_be_driven_by_hand(watch: StallWatch) -> None:
    log: list[str] = []

    class Two:
        def __await__(self) -> Generator[str, str, str]:
            try:
                return (yield "first") + (yield "second")
            except LookupError as error:
                return str(error)
            finally:
                log.append("left")

    async def work() -> str:
        return await Two()

    async def watched() -> str:
        result: str = await watch.steps("", work())
        return result

    coroutine = watched()
    assert coroutine.send(None) == "first"
    assert coroutine.send("a") == "second"
    with pytest.raises(StopIteration) as stop:
        coroutine.send("b")
    assert stop.value.value == "ab"

    coroutine = watched()
    coroutine.send(None)
    with pytest.raises(StopIteration) as stop:
        coroutine.throw(LookupError("thrown"))
    assert stop.value.value == "thrown"

    coroutine = watched()
    coroutine.send(None)
    coroutine.close()
    assert log == ["left"] * 3


async def test_switched_off_it_is_not_there() -> None:
    async def work() -> None: ...

    coroutine = work()
    assert StallWatch("label", None).steps("", coroutine) is coroutine
    await coroutine
