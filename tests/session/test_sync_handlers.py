"""Sync handlers in worker threads: what they see, their order, and how they end."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import CancelledError
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.from_thread
import anyio.to_thread
import flet as ft
import msgpack
import pytest
from anyio.lowlevel import checkpoint
from click.testing import CliRunner
from flet.messaging.protocol import MessageAction

import flet_anyio
from flet_anyio import FletApp, Limits
from flet_anyio.cli import main as command_line
from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import Client, InProcess
from flet_anyio.wire.packets import message_packet
from waiting import reached

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator

    from flet_anyio.session.session import Session

pytestmark = pytest.mark.anyio

PATIENCE = 5


def threaded(main: Callable[[ft.Page], Any], **settings: Any) -> InProcess:
    return InProcess(main, sync_handlers="thread", **settings)


def one_button(make: Callable[[ft.Page], Callable[..., Any]]) -> Callable[[ft.Page], None]:
    """An app with a button `go`."""

    def main(page: ft.Page) -> None:
        page.add(ft.Button("go", on_click=make(page)))

    return main


class Here:
    """Notes in which thread something runs; the loop's is the one that made this."""

    def __init__(self) -> None:
        self.loop = threading.get_ident()
        self.seen: list[tuple[str, str]] = []

    def noted(self, count: int) -> bool:
        return len(self.seen) == count

    def __call__(self, what: str) -> None:
        place = "loop" if threading.get_ident() == self.loop else "thread"
        self.seen.append((what, place))


class Gate:
    """Where a handler in a thread waits until the test lets it go on."""

    def __init__(self) -> None:
        self.waiting = threading.Semaphore(0)
        self._open = threading.Event()

    def wait(self) -> None:
        self.waiting.release()
        assert self._open.wait(PATIENCE)

    def open(self) -> None:
        self._open.set()

    async def reached(self) -> None:
        await reached(lambda: self.waiting.acquire(blocking=False))


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()  # or a failing test leaves threads behind


# --- the setting ------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["threads", "", None, True])
def test_another_place_is_refused(value: Any) -> None:
    def main(page: ft.Page) -> None: ...

    for make in (FletApp, flet_anyio.app):
        with pytest.raises(ValueError, match='must be "inline" or "thread", not'):
            make(main=main, sync_handlers=value)


def test_the_command_line_knows_the_places() -> None:
    result = CliRunner().invoke(command_line, ["run", "app.py", "--sync-handlers", "there"])
    assert result.exit_code == 2
    assert "'inline', 'thread'" in result.output


async def test_an_asgi_app_passes_the_place_on() -> None:
    here = Here()
    built = anyio.Event()
    body = {"session_id": None, "page_name": "", "page": {"route": "/", "web": True}}
    packet = message_packet(msgpack.packb([MessageAction.REGISTER_CLIENT.value, body]))

    def main(page: ft.Page) -> None:
        here("main")
        page.add(ft.Text("built"))

    async def events() -> AsyncGenerator[Any]:
        yield {"type": "websocket.connect"}
        yield {"type": "websocket.receive", "bytes": packet}
        await built.wait()
        yield {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        if b"built" in message.get("bytes", b""):
            built.set()

    asgi = flet_anyio.app(main, sync_handlers="thread", session_timeout_seconds=0)
    scope = {"type": "websocket", "path": "/ws", "query_string": b"", "headers": []}
    async with asgi.router.lifespan_context(asgi), aclosing(events()) as client:
        await asgi(scope, client.__anext__, send)
    assert here.seen == [("main", "thread")]


# --- where they run ---------------------------------------------------------------------------


async def test_inline_sync_code_runs_on_the_loop() -> None:
    here = Here()

    def make(page: ft.Page) -> Callable[[], None]:
        here("main")
        return lambda: here("handler")

    async with InProcess(one_button(make)) as app, app.connect() as client:
        await client.click("go")
        await reached(lambda: here.seen == [("main", "loop"), ("handler", "loop")])


async def test_sync_code_runs_in_a_thread_and_async_code_on_the_loop() -> None:
    here = Here()

    def main(page: ft.Page) -> None:
        def call() -> None:
            here("function")

        def steps() -> Iterator[None]:
            here("step 1")
            yield
            here("step 2")

        async def coroutine() -> None:
            here("coroutine")

        async def async_steps() -> AsyncIterator[None]:
            here("async step")
            yield

        def returned() -> Awaitable[None]:
            here("lambda")
            return coroutine()

        here("main")
        for handler in (call, steps, coroutine, async_steps, returned):
            page.add(ft.Button(handler.__name__, on_click=handler))

    def before_main(page: ft.Page) -> None:
        here("before_main")

    async with threaded(main, before_main=before_main) as app, app.connect() as client:
        await client.see("returned")
        for name in ("call", "steps", "coroutine", "async_steps", "returned"):
            await client.click(name)
        await reached(lambda: len(here.seen) == 9)
        assert here.seen == [
            ("before_main", "thread"),
            ("main", "thread"),
            ("function", "thread"),
            ("step 1", "thread"),
            ("step 2", "thread"),
            ("coroutine", "loop"),
            ("async step", "loop"),
            ("lambda", "thread"),
            ("coroutine", "loop"),
        ]


async def test_an_event_without_a_handler_takes_no_thread(gate: Gate) -> None:
    # The only thread is taken: what needs one would wait.
    def make(page: ft.Page) -> Callable[[], None]:
        page.add(ft.TextField("", label="name"))
        return gate.wait

    limits = Limits(handler_threads=1)
    async with (
        threaded(one_button(make), limits=limits) as app,
        app.connect() as busy,
        app.connect() as client,
    ):
        await client.see("go")
        await busy.click("go")
        await gate.reached()
        client.type(client.find("name"), "xy")
        field = session_of(app, client).page.controls[0]
        assert isinstance(field, ft.TextField)
        await reached(lambda: field.value == "xy")
        gate.open()


async def test_server_side_events_and_subscribers_run_in_threads() -> None:
    here = Here()

    def main(page: ft.Page) -> None:
        def fail() -> None:
            raise LookupError("out of cheese")

        page.on_connect = lambda: here("connect")
        page.on_disconnect = lambda: here("disconnect")
        page.on_close = lambda: here("close")
        page.on_error = lambda: here("error")
        page.on_logout = lambda: here("logout")
        page.pubsub.subscribe(lambda message: here(f"message {message}"))
        page.add(
            ft.Button("fail", on_click=fail),
            ft.Button("publish", on_click=lambda: page.pubsub.send_all("hello")),
            ft.Button("log out", on_click=lambda: page.logout()),
        )

    expected = ["error", "message hello", "logout", "disconnect", "connect"]
    async with threaded(main) as app:
        async with app.connect() as client:
            for button, seen in (("fail", 1), ("publish", 2), ("log out", 3)):
                await client.click(button)
                await reached(partial(here.noted, seen))
        await reached(lambda: len(here.seen) == 4)
        async with app.connect(after=client):
            await reached(lambda: len(here.seen) == 5)
        await reached(lambda: len(here.seen) == 6)
        app.session.close()
        await reached(lambda: not app.sessions)
    assert here.seen == [(what, "thread") for what in [*expected, "disconnect", "close"]]


# --- what they see and do ---------------------------------------------------------------------


async def test_a_handler_sees_its_page_and_is_drawn() -> None:
    def make(page: ft.Page) -> Callable[[], None]:
        def go() -> None:
            assert ft.context.page is page
            page.controls.append(ft.Text("drawn"))

        return go

    async with threaded(one_button(make)) as app, app.connect() as client:
        await client.click("go")
        await client.see("drawn")


async def test_each_step_of_a_generator_is_drawn() -> None:
    def make(page: ft.Page) -> Callable[[], Iterator[None]]:
        text = ft.Text("")
        page.add(text)

        def go() -> Iterator[None]:
            for value in ("one", "two"):
                text.value = value
                yield
            text.value = "three"

        return go

    async with threaded(one_button(make)) as app, app.connect() as client:
        await client.click("go")
        await client.see("three")
        values = [
            operation[3]
            for action, body in client.received
            if action == MessageAction.PATCH_CONTROL.value
            for operation in body["patch"][1:]
            if operation[0] == 0 and operation[2] == "value"
        ]
        assert values == ["one", "two", "three"]


async def test_updates_reach_the_client_while_the_handler_runs(gate: Gate) -> None:
    def make(page: ft.Page) -> Callable[[], None]:
        def go() -> None:
            page.add(ft.Text("working"))
            gate.wait()
            page.add(ft.Text("done"))

        return go

    async with threaded(one_button(make)) as app, app.connect() as client:
        await client.click("go")
        await client.see("working")
        assert "done" not in client.texts
        gate.open()
        await client.see("done")


async def test_update_rules_are_those_of_one_handler() -> None:
    def make(page: ft.Page) -> Callable[[ft.Event[ft.Button]], None]:
        def go(e: ft.Event[ft.Button]) -> None:
            if e.data == "quiet":
                ft.context.disable_auto_update()
            page.controls.append(ft.Text(str(e.data)))

        return go

    async with threaded(one_button(make)) as app, app.connect() as client:
        await client.see("go")
        client.fire("go", "click", "quiet")
        await reached(lambda: len(app.session.page.controls) == 2)
        client.fire("go", "click", "loud")
        await client.see("quiet", "loud")
        # One drew the button, and one both texts.
        patch = MessageAction.PATCH_CONTROL.value
        assert [action for action, _ in client.received[1:]] == [patch, patch]


async def test_a_handler_may_wait_for_a_task_of_its_session() -> None:
    def make(page: ft.Page) -> Callable[[], None]:
        async def work() -> str:
            await checkpoint()
            return "worked"

        def go() -> None:
            page.add(ft.Text(page.run_task(work).result(PATIENCE)))

        return go

    async with threaded(one_button(make)) as app, app.connect() as client:
        await client.click("go")
        await client.see("worked")


async def test_main_may_wait_for_the_client() -> None:
    def main(page: ft.Page) -> None:
        call = page.session.invoke_method
        page.add(ft.Text(page.run_task(call, page._i, "ask", {}).result(PATIENCE)))

    async with threaded(main) as app, app.connect(register=False) as client:
        client.answers["ask"] = lambda: "answer"
        client.register()
        await client.see("answer")


async def test_the_page_has_its_loop_in_threads_too() -> None:
    here = Here()
    loops: list[Any] = []

    def main(page: ft.Page) -> None:
        loops.append(page.loop)
        page.loop.call_soon_threadsafe(here, "callback")

    async with threaded(main) as app, app.connect():
        await reached(lambda: here.seen == [("callback", "loop")])
        assert loops == [app.session.page.loop]


async def test_a_handler_may_run_an_event_loop_of_its_own() -> None:
    def make(page: ft.Page) -> Callable[[], None]:
        async def separate() -> str:
            await checkpoint()
            return "separate"

        def go() -> None:
            page.add(ft.Text(anyio.run(separate)))
            anyio.from_thread.run_sync(page.add, ft.Text("joined"))

        return go

    async with threaded(one_button(make)) as app, app.connect() as client:
        await client.click("go")
        await client.see("separate", "joined")


async def test_components_work_in_threads() -> None:
    @ft.component
    def Counter() -> ft.Control:  # noqa: N802 - components are named like classes
        count, set_count = ft.use_state(0)
        return ft.Button(f"count {count}", on_click=lambda: set_count(count + 1))

    def show_counter(page: ft.Page) -> None:
        page.render(Counter)

    async with threaded(show_counter) as app, app.connect() as client:
        for number in range(3):
            await client.click(f"count {number}")
        await client.see("count 3")


# --- order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
async def test_handlers_start_in_order_and_sync_ones_do_not_overlap(seed: int) -> None:
    schedule = random.Random(seed)
    kinds = [schedule.choice(["function", "steps", "coroutine", "returned"]) for _ in range(150)]
    pauses = [schedule.randrange(4) for _ in kinds]
    started: list[int] = []
    overlaps: list[int] = []
    ended = 0
    busy = threading.Lock()

    def hold(number: int) -> None:
        if not busy.acquire(blocking=False):
            overlaps.append(number)
            return
        for _ in range(pauses[number]):
            time.sleep(0)  # lets other threads run
        busy.release()

    def end() -> None:
        nonlocal ended
        ended += 1

    def function(e: Any) -> None:
        number = e.data
        started.append(number)
        hold(number)
        end()

    def steps(e: Any) -> Iterator[None]:
        number = e.data
        started.append(number)
        for _ in range(3):
            hold(number)
            yield
        hold(number)
        end()

    async def coroutine(e: Any) -> None:
        number = e.data
        started.append(number)
        for _ in range(pauses[number]):
            await checkpoint()
        end()

    async def rest(number: int) -> None:
        for _ in range(pauses[number]):
            await checkpoint()
        end()

    def returned(e: Any) -> Awaitable[None]:
        number = e.data
        started.append(number)
        hold(number)
        return rest(number)

    def main(page: ft.Page) -> None:
        page.add(
            *(
                ft.Button(handler.__name__, on_click=handler)
                for handler in (function, steps, coroutine, returned)
            )
        )

    async with threaded(main) as app, app.connect() as client:
        await client.see("returned")
        for number, kind in enumerate(kinds):
            client.fire(kind, "click", number)
        await reached(lambda: ended == len(kinds))
        assert started == list(range(len(kinds)))
        assert overlaps == []


async def test_events_wait_for_a_main_that_runs(gate: Gate) -> None:
    log: list[Any] = []

    def main(page: ft.Page) -> None:
        gate.wait()
        page.on_resize = lambda e: log.append((e.width, page.width))

    async with threaded(main) as app, app.connect() as client:
        await gate.reached()
        client.set(1, width=500.0)
        client.fire(1, "resize", {"width": 500.0, "height": 400.0})
        client.set(1, width=600.0)
        client.fire(1, "resize", {"width": 600.0, "height": 400.0})
        await anyio.wait_all_tasks_blocked()
        gate.open()
        await reached(lambda: log == [(500, 500), (600, 600)])


async def test_an_event_run_by_hand_waits_for_the_thread(gate: Gate) -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        page.on_connect = lambda: log.append("by hand")

        def go() -> None:
            gate.wait()
            log.append("thread")

        page.add(ft.Button("go", on_click=go))

    async with threaded(main) as app, app.connect() as client, anyio.create_task_group() as tasks:
        await client.click("go")
        await gate.reached()
        session = app.session
        tasks.start_soon(session.dispatch_event, session.page._i, "connect", None)
        await anyio.wait_all_tasks_blocked()
        gate.open()
        await reached(lambda: log == ["thread", "by hand"])


CALLS = 200


async def test_handlers_that_call_the_client_all_finish_in_threads() -> None:
    def main(page: ft.Page) -> None:
        results: list[int] = []

        def ask(e: ft.Event[ft.Button]) -> None:
            args = {"number": e.data}
            call = page.run_task(page.session.invoke_method, page._i, "twice", args)
            results.append(call.result(PATIENCE))
            if len(results) == CALLS:
                page.add(ft.Text("all in order" if results == in_order else "mixed up"))

        page.add(ft.Button("ask", on_click=ask))

    await call_often(threaded(main))


async def test_handlers_that_call_the_client_all_finish_inline() -> None:
    def main(page: ft.Page) -> None:
        results: list[int] = []

        async def ask(e: ft.Event[ft.Button]) -> None:
            args = {"number": e.data}
            results.append(await page.session.invoke_method(page._i, "twice", args))
            if len(results) == CALLS:
                page.add(ft.Text("all in order" if sorted(results) == in_order else "mixed up"))

        page.add(ft.Button("ask", on_click=ask))

    await call_often(InProcess(main))


in_order = [2 * number for number in range(CALLS)]


async def call_often(app: InProcess) -> None:
    async with app, app.connect() as client:
        client.answers["twice"] = lambda number: 2 * number
        await client.see("ask")
        for number in range(CALLS):
            client.fire("ask", "click", number)
        await client.see("all in order")
        assert len(client.calls) == CALLS


# --- others go on -----------------------------------------------------------------------------


async def test_a_blocking_handler_holds_up_nobody_else(gate: Gate) -> None:
    def make(page: ft.Page) -> Callable[..., None]:
        def go(e: ft.Event[ft.Button]) -> None:
            if e.data == "block":
                gate.wait()
            page.add(ft.Text(f"after {e.data}"))

        return go

    async with (
        threaded(one_button(make)) as app,
        app.connect() as blocked,
        app.connect() as other,
    ):
        await blocked.see("go")
        await other.see("go")
        blocked.fire("go", "click", "block")
        await gate.reached()
        other.fire("go", "click", "nothing")
        await other.see("after nothing")
        assert "after block" not in blocked.texts
        gate.open()
        await blocked.see("after block")


async def test_two_sessions_run_in_two_threads() -> None:
    both = threading.Barrier(2, timeout=PATIENCE)

    def make(page: ft.Page) -> Callable[[], None]:
        def go() -> None:
            both.wait()
            page.add(ft.Text("met"))

        return go

    async with threaded(one_button(make)) as app, app.connect() as a, app.connect() as b:
        await a.click("go")
        await b.click("go")
        await a.see("met")
        await b.see("met")


async def test_no_more_handlers_run_than_the_limit_allows() -> None:
    running = threading.Semaphore(2)
    crowded: list[bool] = []

    def make(page: ft.Page) -> Callable[[], None]:
        def go() -> None:
            if not running.acquire(blocking=False):
                crowded.append(True)
            time.sleep(0.001)  # a chance for others, if they could run
            running.release()
            page.add(ft.Text("done"))

        return go

    limits = Limits(handler_threads=2)
    async with threaded(one_button(make), limits=limits) as app, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(app.connect()) for _ in range(4)]
        for client in clients:
            await client.click("go")
        for client in clients:
            await client.see("done")
    assert crowded == []


async def test_without_a_limit_all_run() -> None:
    everyone = threading.Barrier(5, timeout=PATIENCE)
    limits = Limits(handler_threads=None)

    def main(page: ft.Page) -> None:
        everyone.wait()
        page.add(ft.Text("here"))

    async with threaded(main, limits=limits) as app, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(visit, app)


async def visit(app: InProcess) -> None:
    async with app.connect() as client:
        await client.see("here")


# --- failures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["function", "steps", "returned"])
async def test_a_failing_handler_is_reported_and_others_go_on(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def main(page: ft.Page) -> None:
        def function() -> None:
            raise LookupError("out of cheese")

        def steps() -> Iterator[None]:
            yield
            raise LookupError("out of cheese")

        async def coroutine() -> None:
            raise LookupError("out of cheese")

        handlers = {"function": function, "steps": steps, "returned": lambda: coroutine()}
        page.add(
            ft.Button("fail", on_click=handlers[kind]),
            ft.Button("go", on_click=lambda: page.add(ft.Text("alive"))),
        )

    async with threaded(main) as app, app.connect() as client:
        await client.click("fail")
        await client.until(lambda: client.errors)
        assert client.errors[0].startswith("out of cheese")
        assert "raise LookupError" in client.errors[0]
        assert f"session {app.session.label}: on_click failed: out of cheese" in caplog.text
        await client.click("go")
        await client.see("alive")


@pytest.mark.parametrize("error", [StopIteration, KeyError, GeneratorExit, CancelledError])
async def test_a_handler_may_raise_anything(error: type[BaseException]) -> None:
    def make(page: ft.Page) -> Callable[[], None]:
        def go() -> None:
            raise error("odd")

        page.on_error = lambda e: page.add(ft.Text("reported"))
        return go

    async with threaded(one_button(make)) as app, app.connect() as client:
        await client.click("go")
        await client.see("reported")


@pytest.mark.parametrize("place", ["main", "before_main"])
async def test_an_error_in_main_is_reported_and_the_session_stays(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Text("half"))

    def fail(page: ft.Page) -> None:
        raise LookupError("no database")

    settings: dict[str, Any] = {"main": main, place: fail}
    async with threaded(**settings) as app, app.connect() as client:
        await client.until(lambda: client.errors)
        assert client.errors[0].startswith("no database")
        assert f"{place} failed: no database" in caplog.text
        assert app.session.attached


@pytest.mark.parametrize("place", ["handler", "main"])
async def test_system_exit_ends_the_session_only(place: str) -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Button("go", on_click=leave))
        if place == "main" and page.route == "/leave":
            leave()

    def leave() -> None:
        raise SystemExit(3)

    async with threaded(main) as app, app.connect() as stays:
        await stays.see("go")
        async with app.connect(route="/leave") as client:
            if place == "handler":
                await client.click("go")
            await client.until(lambda: client.closed)
            assert client.transport.close_code == 1000
        assert app.session is app.session_of(stays)


# --- endings ----------------------------------------------------------------------------------


def session_of(app: InProcess, client: Client) -> Session:
    session = app.session_of(client)
    assert session is not None
    return session


async def closed(app: InProcess) -> None:
    await reached(lambda: not app.sessions)


def ending_app(gate: Gate, log: list[Any]) -> Callable[[ft.Page], None]:
    """An app whose handler is held until its session is over."""

    def main(page: ft.Page) -> None:
        def go() -> None:
            gate.wait()
            assert page.closing.wait(PATIENCE)  # type: ignore[attr-defined]
            log.append("handler ended")

        page.on_close = lambda: log.append("closed")
        page.add(ft.Button("go", on_click=go))

    return main


async def test_expiry_abandons_the_thread_and_runs_on_close(gate: Gate) -> None:
    log: list[Any] = []
    async with threaded(ending_app(gate, log), session_timeout_seconds=0) as app:
        async with app.connect() as client:
            await client.click("go")
            await gate.reached()
            session = app.session
        await closed(app)
        assert session.reason is Reason.EXPIRED
        assert log == ["closed"]
        gate.open()
        await reached(lambda: log == ["closed", "handler ended"])


@pytest.mark.parametrize("place", ["main", "before_main"])
async def test_a_main_in_a_thread_is_abandoned_too(place: str, gate: Gate) -> None:
    log: list[Any] = []

    def main(page: ft.Page) -> None: ...

    def held(page: ft.Page) -> None:
        page.on_close = lambda: log.append("closed")
        gate.wait()
        log.append("ended")

    settings: dict[str, Any] = {"main": main, place: held}
    async with threaded(**settings) as app, app.connect(register=False) as client:
        client.register()
        await gate.reached()
        app.session.close()
        await closed(app)
        assert log == ["closed"]
        gate.open()
        await reached(lambda: log == ["closed", "ended"])


async def test_a_thread_that_waits_for_a_task_ends_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = threading.Event()

    def make(page: ft.Page) -> Callable[[], None]:
        def go() -> None:
            try:
                page.run_task(anyio.sleep_forever).result(PATIENCE)
            finally:
                ended.set()

        return go

    async with threaded(one_button(make)) as app, app.connect() as client:
        await client.click("go")
        await reached(lambda: any("sleep_forever" in (t.name or "") for t in running()))
        app.session.close()
        await closed(app)
        await reached(ended.is_set)
    assert caplog.text == ""


def running() -> list[anyio.TaskInfo]:
    return anyio.get_running_tasks()


async def test_what_fails_in_an_abandoned_thread_is_logged(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    def make(page: ft.Page) -> Callable[[], None]:
        def go() -> None:
            gate.wait()
            raise LookupError("too late")

        return go

    async with threaded(one_button(make)) as app, app.connect() as client:
        await client.click("go")
        await gate.reached()
        app.session.close()
        await closed(app)
        gate.open()
        await reached(lambda: "on_click failed: too late" in caplog.text)


async def test_a_coroutine_returned_too_late_is_closed(gate: Gate) -> None:
    # Or Python would warn, which fails this test.
    done = threading.Event()

    def make(page: ft.Page) -> Callable[[], Awaitable[None]]:
        def go() -> Awaitable[None]:
            gate.wait()
            done.set()
            return checkpoint()

        return go

    async with threaded(one_button(make)) as app, app.connect() as client:
        await client.click("go")
        await gate.reached()
        app.session.close()
        await closed(app)
        gate.open()
        await reached(done.is_set)


async def test_abandoned_threads_leave_room_for_others(gate: Gate) -> None:
    log: list[Any] = []
    limits = Limits(handler_threads=1)
    async with threaded(ending_app(gate, log), limits=limits, session_timeout_seconds=0) as app:
        for number in range(3):
            async with app.connect() as client:
                await client.click("go")
                await gate.reached()
            await closed(app)
            assert log == ["closed"] * (number + 1)
        gate.open()
        await reached(lambda: log == ["closed"] * 3 + ["handler ended"] * 3)


async def test_on_close_waits_for_no_handler_of_another_session(gate: Gate) -> None:
    log: list[Any] = []
    limits = Limits(handler_threads=1)
    async with threaded(ending_app(gate, log), limits=limits) as app, app.connect() as busy:
        await busy.see("go")
        async with app.connect() as client:
            await client.see("go")
            await busy.click("go")
            await gate.reached()
            session_of(app, client).close()
            await reached(lambda: len(app.sessions) == 1)
            assert log == ["closed"]
        app.session.close()
        await closed(app)
        gate.open()
        await reached(lambda: log == ["closed", "closed", "handler ended"])


async def test_an_on_close_that_never_ends_is_left_after_its_time(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    def main(page: ft.Page) -> None:
        page.on_close = gate.wait
        page.add(ft.Text("here"))

    limits = Limits(handler_threads=1, close_timeout=0.01)
    async with threaded(main, limits=limits) as app:
        for _ in range(2):
            await end_one(app)
            assert "on_close took longer than 0.01 s" in caplog.text
            caplog.clear()
        gate.open()


async def end_one(app: InProcess) -> None:
    async with app.connect() as client:
        await client.see("here")
        app.session.close()
        await closed(app)


async def test_a_dispatcher_that_waits_for_a_thread_can_be_cancelled(gate: Gate) -> None:
    log: list[Any] = []
    limits = Limits(handler_threads=1)
    async with threaded(ending_app(gate, log), limits=limits) as app, app.connect() as busy:
        await busy.see("go")
        async with app.connect() as client:
            await client.see("go")
            await busy.click("go")
            await gate.reached()
            await client.click("go")
            await anyio.wait_all_tasks_blocked()
            session_of(app, client).close()
            await reached(lambda: len(app.sessions) == 1)
            assert log == ["closed"]
        # The token that it waited for is not lost.
        app.session.close()
        await closed(app)
        await use_the_thread(app, gate)
        gate.open()


async def use_the_thread(app: InProcess, gate: Gate) -> None:
    async with app.connect() as client:
        await client.click("go")
        await gate.reached()
        session_of(app, client).close()
        await closed(app)


async def test_the_server_shuts_down_beside_a_thread(gate: Gate) -> None:
    log: list[Any] = []
    async with threaded(ending_app(gate, log)) as app, app.connect() as client:
        await client.click("go")
        await gate.reached()
    assert log == ["closed"]
    gate.open()
    await reached(lambda: log == ["closed", "handler ended"])
