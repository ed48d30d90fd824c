"""Much at once: order, bounds and deadlines hold."""

from __future__ import annotations

import random
import threading
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import flet as ft
import pytest

from flet_anyio import Limits
from flet_anyio.testing import InProcess
from waiting import reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FLOOD = 20_000
SAMPLE = 250
THREADS = 50


class Flood:
    """Counts what a flood of clicks does to a session."""

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.ended = 0
        self.most_at_once = 0
        self.most_tasks = 0
        self.over = anyio.Event()

    def begin(self, number: Any) -> None:
        self.begun.append(number)
        self.most_at_once = max(self.most_at_once, len(self.begun) - self.ended)
        if number % SAMPLE == 0:
            self.most_tasks = max(self.most_tasks, len(anyio.get_running_tasks()))

    def end(self) -> None:
        self.ended += 1
        if self.ended == FLOOD:
            self.over.set()


def inline(flood: Flood) -> Callable[[Any], Any]:
    def click(e: ft.Event[ft.Button]) -> None:
        ft.context.disable_auto_update()
        flood.begin(e.data)
        flood.end()

    return click


def beside_each_other(flood: Flood) -> Callable[[Any], Any]:
    async def click(e: ft.Event[ft.Button]) -> None:
        ft.context.disable_auto_update()
        flood.begin(e.data)
        for _ in range(len(flood.begun) % 7):
            await anyio.lowlevel.checkpoint()
        flood.end()

    return click


@pytest.mark.parametrize(("kind", "limit"), [(inline, 1), (beside_each_other, 8)])
async def test_a_flood_of_events_is_handled_in_order_by_few_tasks(
    kind: Callable[[Flood], Callable[[Any], Any]], limit: int
) -> None:
    flood = Flood()

    def main(page: ft.Page) -> None:
        page.add(ft.Button("+", on_click=kind(flood)))

    limits = Limits(events_in_flight=8, event_rate=None)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.see("+")
        await anyio.wait_all_tasks_blocked()
        idle = len(anyio.get_running_tasks())
        button = client.find("+")
        # All at once: the queue is full many times over, and the rest waits to be read.
        for number in range(FLOOD):
            client.fire(button, "click", number)
        with anyio.fail_after(45):
            await flood.over.wait()
        assert flood.begun == list(range(FLOOD))
        assert flood.most_at_once <= limit
        # Beside what ran before: the handlers, and those that have not quite ended.
        assert flood.most_tasks <= idle + 2 * limit
        client.fire(button, "click", FLOOD)  # the session goes on as before
        await anyio.wait_all_tasks_blocked()
        assert flood.begun[-1] == FLOOD
        assert len(anyio.get_running_tasks()) == idle


# --- random schedules -------------------------------------------------------------------------


class Diary:
    """What the handlers of one session did, in order, and whether sync ones overlapped."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.begun: list[tuple[Any, Any]] = []
        self.ended = 0
        self.alone: Any = None
        self.overlaps: list[tuple[Any, Any]] = []

    def begin(self, number: Any, field: ft.TextField) -> None:
        if self.alone is not None:
            self.overlaps.append((self.alone, number))
        self.begun.append((number, field.value))

    async def steps(self) -> None:
        for _ in range(self.rng.choice([0, 0, 1, 2, 5, 20])):
            await anyio.lowlevel.checkpoint()


def diary_main(diary: Diary) -> Callable[[ft.Page], None]:
    def main(page: ft.Page) -> None:
        field = ft.TextField(label="field")

        def sync(e: ft.Event[ft.Button]) -> None:
            diary.begin(e.data, field)
            diary.ended += 1

        def steps(e: ft.Event[ft.Button]) -> Iterator[None]:
            diary.begin(e.data, field)
            diary.alone = e.data
            for _ in range(diary.rng.randint(0, 3)):
                yield
            diary.alone = None
            diary.ended += 1

        async def concurrent(e: ft.Event[ft.Button]) -> None:
            diary.begin(e.data, field)
            await diary.steps()
            diary.ended += 1

        async def concurrent_steps(e: ft.Event[ft.Button]) -> AsyncIterator[None]:
            diary.begin(e.data, field)
            for _ in range(diary.rng.randint(0, 3)):
                await diary.steps()
                yield
            diary.ended += 1

        handlers: list[Any] = [sync, steps, concurrent, concurrent_steps]
        page.add(field, *(ft.Button(f"b{n}", on_click=h) for n, h in enumerate(handlers)))

    return main


@pytest.mark.parametrize("seed", range(10))
async def test_handlers_start_in_order_whatever_the_schedule(seed: int) -> None:
    """trio picks the next task at random by itself; elsewhere the handlers' lengths do it."""
    diary = Diary(seed)
    rng = random.Random(f"client {seed}")
    limits = Limits(events_in_flight=rng.choice([1, 2, 64]), events_queued=rng.choice([1, 5, 1024]))
    async with InProcess(diary_main(diary), limits=limits) as app, app.connect() as client:
        await client.see("b0")
        expected = []
        typed = ""
        for number in range(200):
            if rng.random() < 0.3:
                typed = f"before {number}"
                client.set("field", value=typed)
            client.fire(f"b{rng.randrange(4)}", "click", number)
            expected.append((number, typed))
            for _ in range(rng.choice([0, 0, 0, 1, 10])):
                await anyio.lowlevel.checkpoint()
        await reached(lambda: diary.ended == len(expected))
        assert diary.begun == expected
        assert diary.overlaps == []


# --- many threads, many sessions --------------------------------------------------------------


async def test_updates_from_many_threads_leave_the_client_in_the_right_state() -> None:
    def main(page: ft.Page) -> None:
        page.add(*(ft.Text("0", key=f"t{n}") for n in range(THREADS)), ft.Column())

    def work(page: ft.Page, number: int) -> None:
        text, column = page.controls[number], page.controls[THREADS]
        assert isinstance(text, ft.Text)
        assert isinstance(column, ft.Column)
        for step in range(1, 6):
            text.value = str(step)
            page.update()
            with lock:
                column.controls.append(ft.Text(f"{number}.{step}"))
            column.update()

    lock = threading.Lock()
    async with InProcess(main) as app, app.connect() as client:
        client.patience = 30
        await client.see("0")
        page = app.session.page
        limiter = anyio.CapacityLimiter(THREADS)
        in_thread = anyio.to_thread.run_sync
        async with anyio.create_task_group() as tasks:
            for number in range(THREADS):
                tasks.start_soon(partial(in_thread, work, page, number, limiter=limiter))
        page.add(ft.Text("the end"))
        await client.see("the end")
        column = page.controls[THREADS]
        assert isinstance(column, ft.Column)
        wanted = [c.value for c in column.controls if isinstance(c, ft.Text)]
        assert len(wanted) == THREADS * 5
        assert client.texts == ["5"] * THREADS + wanted + ["the end"]


async def test_many_sessions_end_with_their_server() -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Text("here"))

    async with InProcess(main) as app, AsyncExitStack() as clients:
        for _ in range(200):
            client = await clients.enter_async_context(app.connect())
            await client.see("here")
        assert len(app.sessions) == 200
    assert not app.sessions
