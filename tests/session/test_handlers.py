from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anyio
import flet as ft
import pytest
from anyio.lowlevel import checkpoint
from flet.messaging.protocol import MessageAction

from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import Client, InProcess
from waiting import reached

pytestmark = pytest.mark.anyio

Say = Callable[[str], None]

KINDS = ["sync", "async", "generator", "async_generator"]


def no_parameter(kind: str, say: Say) -> Callable[..., Any]:
    def sync() -> None:
        say("done")

    async def coroutine() -> None:
        await checkpoint()
        say("done")

    def generator() -> Iterator[None]:
        say("step")
        yield
        say("done")

    async def async_generator() -> AsyncIterator[None]:
        say("step")
        yield
        await checkpoint()
        say("done")

    return _by_kind(kind, sync, coroutine, generator, async_generator)


def one_parameter(kind: str, say: Say) -> Callable[..., Any]:
    def sync(e: ft.ControlEvent) -> None:
        say(f"done {e.name}")

    async def coroutine(e: ft.ControlEvent) -> None:
        await checkpoint()
        say(f"done {e.name}")

    def generator(e: ft.ControlEvent) -> Iterator[None]:
        say("step")
        yield
        say(f"done {e.name}")

    async def async_generator(e: ft.ControlEvent) -> AsyncIterator[None]:
        say("step")
        yield
        await checkpoint()
        say(f"done {e.name}")

    return _by_kind(kind, sync, coroutine, generator, async_generator)


def for_page(kind: str, text: str) -> Callable[..., Any]:
    def sync(page: ft.Page) -> None:
        page.controls.append(ft.Text(text))

    async def coroutine(page: ft.Page) -> None:
        await checkpoint()
        page.controls.append(ft.Text(text))

    def generator(page: ft.Page) -> Iterator[None]:
        page.title = "step"
        yield
        page.controls.append(ft.Text(text))

    async def async_generator(page: ft.Page) -> AsyncIterator[None]:
        page.title = "step"
        yield
        await checkpoint()
        page.controls.append(ft.Text(text))

    return _by_kind(kind, sync, coroutine, generator, async_generator)


def _by_kind(kind: str, *functions: Callable[..., Any]) -> Callable[..., Any]:
    return dict(zip(KINDS, functions, strict=True))[kind]


def drawn(client: Client, prop: str = "value") -> list[Any]:
    """All values that patches gave to a property, in the order of arrival."""
    return [
        operation[3]
        for action, body in client.received
        if action == MessageAction.PATCH_CONTROL.value
        for operation in body["patch"][1:]
        if operation[0] == 0 and operation[2] == prop
    ]


def with_handler(make: Callable[[ft.Page, Say], Callable[..., Any]]) -> Callable[[ft.Page], None]:
    """An app whose button runs a handler that says things on the page."""

    def main(page: ft.Page) -> None:
        shown = ft.Text("")

        def say(text: str) -> None:
            assert ft.context.page is page
            shown.value = text

        page.add(shown, ft.Button("go", on_click=make(page, say)))

    return main


# --- kinds of handlers ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_a_handler_without_parameters_runs_and_is_drawn(kind: str) -> None:
    main = with_handler(lambda page, say: no_parameter(kind, say))
    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.see("done")
        assert drawn(client) == (["step", "done"] if "generator" in kind else ["done"])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_handler_with_a_parameter_gets_the_event(kind: str) -> None:
    main = with_handler(lambda page, say: one_parameter(kind, say))
    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.see("done click")
        assert drawn(client)[:-1] == (["step"] if "generator" in kind else [])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_partial_counts_as_what_it_wraps(kind: str) -> None:
    def make(page: ft.Page, say: Say) -> Callable[..., Any]:
        return functools.partial(functools.partial(one_parameter(kind, say)))

    async with InProcess(with_handler(make)) as app, app.connect() as client:
        await client.click("go")
        await client.see("done click")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_partial_that_fills_the_only_parameter_gets_no_event(kind: str) -> None:
    def make(page: ft.Page, say: Say) -> Callable[..., Any]:
        given = ft.ControlEvent(name="given", control=page)
        return functools.partial(one_parameter(kind, say), given)

    async with InProcess(with_handler(make)) as app, app.connect() as client:
        await client.click("go")
        await client.see("done given")


class Methods:
    def __init__(self, say: Say) -> None:
        self.say = say

    def sync(self, e: ft.ControlEvent) -> None:
        self.say(f"done {e.name}")

    async def coroutine(self, e: ft.ControlEvent) -> None:
        await checkpoint()
        self.say(f"done {e.name}")

    def generator(self, e: ft.ControlEvent) -> Iterator[None]:
        yield
        self.say(f"done {e.name}")

    async def async_generator(self, e: ft.ControlEvent) -> AsyncIterator[None]:
        yield
        await checkpoint()
        self.say(f"done {e.name}")


class Called(Methods):
    def __call__(self, e: ft.ControlEvent) -> None:
        self.sync(e)


class CalledAsync(Methods):
    async def __call__(self, e: ft.ControlEvent) -> None:
        await self.coroutine(e)


class CalledAsGenerator(Methods):
    def __call__(self, e: ft.ControlEvent) -> Iterator[None]:
        yield from self.generator(e)


class CalledAsAsyncGenerator(Methods):
    async def __call__(self, e: ft.ControlEvent) -> AsyncIterator[None]:
        async for step in self.async_generator(e):
            yield step


@pytest.mark.parametrize("name", ["sync", "coroutine", "generator", "async_generator"])
async def test_methods_are_handlers(name: str) -> None:
    main = with_handler(lambda page, say: getattr(Methods(say), name))
    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.see("done click")


@pytest.mark.parametrize("kind", [Called, CalledAsync, CalledAsGenerator, CalledAsAsyncGenerator])
async def test_callable_objects_are_handlers(kind: Callable[[Say], Callable[..., Any]]) -> None:
    async with InProcess(with_handler(lambda page, say: kind(say))) as app, app.connect() as client:
        await client.click("go")
        await client.see("done click")


async def test_the_coroutine_that_a_lambda_returns_is_run_and_drawn() -> None:
    def make(page: ft.Page, say: Say) -> Callable[..., Any]:
        handler: Callable[[Any], Awaitable[None]] = one_parameter("async", say)
        return lambda e: handler(e)

    async with InProcess(with_handler(make)) as app, app.connect() as client:
        await client.click("go")
        await client.see("done click")


async def test_a_lambda_may_push_a_route() -> None:
    def make(page: ft.Page, say: Say) -> Callable[..., Any]:
        return lambda: page.push_route("/there")

    async with InProcess(with_handler(make)) as app, app.connect() as client:
        await client.click("go")
        await client.until(lambda: client.calls)
        assert [(call["name"], call["args"]) for call in client.calls] == [
            ("push_route", {"route": "/there"})
        ]


async def test_a_control_without_a_handler_takes_events_silently() -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Button("mute"), ft.Button("go", on_click=lambda: page.add(ft.Text("on"))))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("mute")
        client.fire("mute", "no_such_event")
        client.fire(12345, "click")
        await client.click("go")
        await client.see("on")
        assert client.errors == []


async def test_a_handler_set_by_an_earlier_event_counts() -> None:
    def main(page: ft.Page) -> None:
        target = ft.Button("target")

        def arm() -> None:
            target.on_click = lambda: page.add(ft.Text("armed"))

        page.add(ft.Button("arm", on_click=arm), target)

    async with InProcess(main) as app, app.connect() as client:
        await client.see("arm", "target")
        client.fire("arm", "click")
        client.fire("target", "click")
        await client.see("armed")


# --- main and before_main ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_main_of_every_kind_builds_the_page(kind: str) -> None:
    async with InProcess(for_page(kind, "built")) as app, app.connect() as client:
        await client.see("built")
        assert drawn(client, "title") == (["step"] if "generator" in kind else [])


@pytest.mark.parametrize("kind", KINDS)
async def test_before_main_of_every_kind_runs_before_the_page_is_sent(kind: str) -> None:
    def main(page: ft.Page) -> None:
        page.title = "main"

    async with (
        InProcess(main, before_main=for_page(kind, "before")) as app,
        app.connect() as client,
    ):
        _, reply = client.received[0]
        assert "before" in str(reply["page_patch"])
        await client.until(lambda: client.page.root.get("title") == "main")


async def test_main_may_be_a_partial_a_method_or_an_object() -> None:
    class App:
        async def __call__(self, page: ft.Page) -> None:
            self.show("called", page)

        def method(self, page: ft.Page) -> None:
            self.show("method", page)

        def show(self, text: str, page: ft.Page) -> None:
            page.add(ft.Text(text))

    mains: dict[str, Callable[..., Any]] = {
        "called": App(),
        "method": App().method,
        "part": functools.partial(App().show, "part"),
    }
    for text, main in mains.items():
        async with InProcess(main) as app, app.connect() as client:
            await client.see(text)


async def test_the_context_of_main_and_before_main_is_the_page() -> None:
    pages: list[bool] = []

    def remember(page: ft.Page) -> None:
        pages.append(ft.context.page is page)

    async with InProcess(remember, before_main=remember) as app, app.connect() as client:
        await client.until(lambda: len(pages) == 2)
        assert pages == [True, True]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_error_in_before_main_is_reported_and_main_does_not_run(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []

    def main(page: ft.Page) -> None:
        ran.append("main")

    before = failing(kind, "no database")
    async with InProcess(main, before_main=before) as app, app.connect() as client:
        await client.until(lambda: client.errors)
        _, reply = client.received[0]
        assert reply["error"].startswith("no database")
        assert client.errors[0].startswith("no database")
        assert ran == []
        assert "before_main failed: no database" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
async def test_the_session_survives_an_error_in_main(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    fail = failing(kind, "half built")

    async def main(page: ft.Page) -> None:
        page.add(ft.Button("go", on_click=lambda: page.add(ft.Text("alive"))))
        if kind == "async":
            await fail(page)
        elif kind == "async_generator":
            async for _ in fail(page):
                pass
        else:
            list(fail(page) or ())

    async with InProcess(main) as app, app.connect() as client:
        await client.until(lambda: client.errors)
        assert client.errors[0].startswith("half built")
        assert "main failed: half built" in caplog.text
        await client.click("go")
        await client.see("alive")
        assert app.session.attached


def failing(kind: str, text: str) -> Callable[..., Any]:
    def sync(page: ft.Page) -> None:
        raise LookupError(text)

    async def coroutine(page: ft.Page) -> None:
        await checkpoint()
        raise LookupError(text)

    def generator(page: ft.Page) -> Iterator[None]:
        yield
        raise LookupError(text)

    async def async_generator(page: ft.Page) -> AsyncIterator[None]:
        yield
        raise LookupError(text)

    return _by_kind(kind, sync, coroutine, generator, async_generator)


async def test_system_exit_in_main_ends_only_that_session() -> None:
    def main(page: ft.Page) -> None:
        if page.route == "/bad":
            raise SystemExit(3)
        page.add(ft.Text("fine"))

    async with InProcess(main) as app, app.connect() as good:
        await good.see("fine")
        (survivor,) = app.sessions
        async with app.connect(route="/bad") as bad:
            await bad.until(lambda: bad.closed)
            assert app.sessions == [survivor]


async def test_system_exit_in_before_main_ends_only_that_session() -> None:
    def before(page: ft.Page) -> None:
        if page.route == "/bad":
            raise SystemExit

    def main(page: ft.Page) -> None:
        page.add(ft.Text("fine"))

    async with InProcess(main, before_main=before) as app, app.connect() as good:
        await good.see("fine")
        (survivor,) = app.sessions
        async with app.connect(route="/bad") as bad:
            await bad.until(lambda: bad.closed)
            assert app.sessions == [survivor]


# --- automatic updates ------------------------------------------------------------------------


def two_texts(handler: Callable[[ft.Text, ft.Text], Any]) -> Callable[[ft.Page], None]:
    """An app with a handler to test, and a button that shows when all before it was drawn."""

    def main(page: ft.Page) -> None:
        first, second, barrier = ft.Text("1"), ft.Text("2"), ft.Text("")

        def settle() -> None:
            ft.context.disable_auto_update()
            barrier.value = "settled"
            barrier.update()

        page.add(
            first,
            second,
            barrier,
            ft.Button("go", on_click=lambda: handler(first, second)),
            ft.Button("settle", on_click=settle),
            ft.Button("draw", on_click=lambda: None),
        )

    return main


async def test_no_automatic_update_after_an_explicit_one() -> None:
    def handler(first: ft.Text, second: ft.Text) -> None:
        first.value = "explicit"
        first.update()
        second.value = "waits"

    async with InProcess(two_texts(handler)) as app, app.connect() as client:
        await client.click("go")
        await client.click("settle")
        await client.see("explicit", "settled")
        assert "waits" not in client.texts
        await client.click("draw")
        await client.see("waits")


async def test_disabled_updates_stay_in_their_handler() -> None:
    def handler(first: ft.Text, second: ft.Text) -> None:
        ft.context.disable_auto_update()
        first.value = "waits"

    async with InProcess(two_texts(handler)) as app, app.connect() as client:
        await client.click("go")
        await client.click("settle")
        await client.see("settled")
        assert "waits" not in client.texts
        await client.click("draw")
        await client.see("waits")


async def test_disabled_updates_stay_in_an_async_handler_while_others_run() -> None:
    resume = anyio.Event()
    log: list[str] = []

    def main(page: ft.Page) -> None:
        hidden, shown, barrier = ft.Text(""), ft.Text(""), ft.Text("")

        async def disable() -> None:
            ft.context.disable_auto_update()
            await resume.wait()
            hidden.value = "waits"
            log.append("resumed")

        def draw() -> None:
            shown.value = "drawn"

        def settle() -> None:
            ft.context.disable_auto_update()
            barrier.value = "settled"
            barrier.update()

        page.add(
            hidden,
            shown,
            barrier,
            ft.Button("disable", on_click=disable),
            ft.Button("draw", on_click=draw),
            ft.Button("settle", on_click=settle),
        )

    async with InProcess(main) as app, app.connect() as client:
        await client.click("disable")
        await client.click("draw")
        await client.see("drawn")
        resume.set()
        await reached(lambda: log)
        await client.click("settle")
        await client.see("settled")
        assert "waits" not in client.texts


async def test_updates_disabled_in_one_session_stay_on_in_another() -> None:
    stop = anyio.Event()

    def main(page: ft.Page) -> None:
        shown = ft.Text("")

        async def disable() -> None:
            ft.context.disable_auto_update()
            shown.value = "off"
            shown.update()
            await stop.wait()

        def draw() -> None:
            shown.value = "drawn"

        page.add(shown, ft.Button("disable", on_click=disable), ft.Button("draw", on_click=draw))

    async with InProcess(main) as app, app.connect() as one, app.connect() as other:
        await one.click("disable")
        await one.see("off")
        await other.click("draw")
        await other.see("drawn")
        stop.set()


async def test_updates_disabled_in_main_are_on_in_handlers() -> None:
    def main(page: ft.Page) -> None:
        ft.context.disable_auto_update()
        text = ft.Text("before")

        def change() -> None:
            text.value = "after"

        page.add(text, ft.Button("go", on_click=change))
        text.value = "unseen"

    async with InProcess(main) as app, app.connect() as client:
        await client.see("before")
        await client.click("go")
        await client.see("after")
        assert drawn(client) == ["after"]


async def test_updates_disabled_for_the_whole_app_are_off_in_main_and_handlers() -> None:
    def main(page: ft.Page) -> None:
        text = ft.Text("before")

        def change() -> None:
            text.value = "unseen"

        def settle() -> None:
            page.session.error("settled")

        page.add(text, ft.Button("go", on_click=change), ft.Button("settle", on_click=settle))
        text.value = "unseen"

    ft.context.disable_auto_update()
    try:
        async with InProcess(main) as app, app.connect() as client:
            await client.see("before")
            await client.click("go")
            await client.click("settle")
            await client.until(lambda: client.errors == ["settled"])
            assert drawn(client) == []
    finally:
        ft.context.enable_auto_update()


async def test_each_yield_is_drawn_before_the_next_step_begins() -> None:
    def handler(e: ft.Event[ft.Button]) -> Iterator[None]:
        for step in ("one", "two", "three"):
            e.control.content = step
            yield
        e.control.content = "four"

    def main(page: ft.Page) -> None:
        page.add(ft.Button("go", on_click=handler))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.see("four")
        assert drawn(client, "content") == ["one", "two", "three", "four"]


async def test_an_explicit_update_in_one_step_leaves_the_next_step_to_flet() -> None:
    async def handler(e: ft.Event[ft.Button]) -> AsyncIterator[None]:
        e.control.content = "explicit"
        e.control.update()
        yield
        e.control.content = "automatic"

    def main(page: ft.Page) -> None:
        page.add(ft.Button("go", on_click=handler))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.see("automatic")
        assert drawn(client, "content") == ["explicit", "automatic"]


async def test_only_the_nearest_isolated_part_is_updated() -> None:
    @ft.control(isolated=True)  # type: ignore[arg-type]
    class Island(ft.Row):
        def init(self) -> None:
            self.controls = [ft.Button("inside", on_click=self.change)]

        def change(self, e: ft.Event[ft.Button]) -> None:
            e.control.content = "changed inside"
            e.page.title = "changed outside"

    def main(page: ft.Page) -> None:
        page.add(Island(), ft.Button("outside", on_click=lambda: None))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("inside")
        await client.see("changed inside")
        assert client.page.root.get("title") != "changed outside"
        await client.click("outside")
        await client.until(lambda: client.page.root.get("title") == "changed outside")


# --- order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["s", "a", "sa", "as", "sag", "aag", "gas"])
async def test_handlers_start_in_the_order_of_arrival(pattern: str) -> None:
    log: list[str] = []
    gate = anyio.Event()

    def main(page: ft.Page) -> None:
        def sync(e: ft.Event[ft.Button]) -> None:
            log.append(f"{e.data} begins")
            log.append(f"{e.data} suspends")

        async def coroutine(e: ft.Event[ft.Button]) -> None:
            log.append(f"{e.data} begins")
            await straight_on(e)
            await gate.wait()

        async def straight_on(e: ft.Event[ft.Button]) -> None:
            log.append(f"{e.data} suspends")

        def generator(e: ft.Event[ft.Button]) -> Iterator[None]:
            log.append(f"{e.data} begins")
            yield
            log.append(f"{e.data} suspends")

        for name, handler in {"s": sync, "a": coroutine, "g": generator}.items():
            page.add(ft.Button(name, on_click=handler))

    count = 60
    async with InProcess(main) as app, app.connect() as client:
        await client.see("s", "a", "g")
        for round_ in range(3):
            gate = anyio.Event()
            log.clear()
            for number in range(count):
                client.fire(pattern[number % len(pattern)], "click", number)
            await reached(lambda: len(log) == 2 * count)
            expected = [f"{n} {what}" for n in range(count) for what in ("begins", "suspends")]
            assert log == expected, round_
            gate.set()


async def test_async_handlers_run_beside_each_other() -> None:
    meeting = anyio.Event()

    def main(page: ft.Page) -> None:
        async def wait() -> None:
            await meeting.wait()
            page.add(ft.Text("met"))

        async def come() -> None:
            await checkpoint()
            meeting.set()

        page.add(ft.Button("wait", on_click=wait), ft.Button("come", on_click=come))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("wait")
        await client.click("come")
        await client.see("met")


async def test_steps_of_a_generator_do_not_overlap_with_the_next_event() -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        def steps(e: ft.Event[ft.Button]) -> Iterator[None]:
            for step in range(5):
                log.append(f"{e.data}.{step}")
                yield

        page.add(ft.Button("go", on_click=steps))

    async with InProcess(main) as app, app.connect() as client:
        await client.see("go")
        for number in range(10):
            client.fire("go", "click", number)
        await reached(lambda: len(log) == 50)
        assert log == [f"{number}.{step}" for number in range(10) for step in range(5)]


async def test_what_the_user_typed_counts_for_the_events_after_it() -> None:
    seen: list[tuple[Any, str]] = []

    def main(page: ft.Page) -> None:
        def typed(e: ft.Event[ft.TextField]) -> None:
            seen.append((e.data, e.control.value))

        page.add(ft.TextField(label="name", on_change=typed))

    async with InProcess(main) as app, app.connect() as client:
        await client.see("name")
        client.type("name", "hello")
        await reached(lambda: len(seen) == 5)
        assert seen == [(text, text) for text in ("h", "he", "hel", "hell", "hello")]


# --- failures ---------------------------------------------------------------------------------


def failing_handler(kind: str) -> Callable[[ft.Page], None]:
    def main(page: ft.Page) -> None:
        handler = functools.partial(failing(kind, "out of cheese"), page)
        page.add(
            ft.Button("fail", on_click=handler),
            ft.Button("go", on_click=lambda: page.add(ft.Text("alive"))),
        )

    return main


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failing_handler_is_reported_and_others_go_on(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with InProcess(failing_handler(kind)) as app, app.connect() as client:
        await client.click("fail")
        await client.until(lambda: client.errors)
        assert client.errors[0].startswith("out of cheese")
        assert "LookupError" in client.errors[0]
        (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
        assert record.getMessage() == (
            f"session {app.session.label}: on_click failed: out of cheese"
        )
        await client.click("go")
        await client.see("alive")
        assert len(client.errors) == 1


async def test_the_report_leads_to_the_line_that_failed() -> None:
    async with InProcess(failing_handler("async")) as app, app.connect() as client:
        await client.click("fail")
        await client.until(lambda: client.errors)
        assert "raise LookupError(text)" in client.errors[0]


@pytest.mark.parametrize("kind", KINDS)
async def test_visitors_see_no_details_without_debug(kind: str) -> None:
    async with InProcess(failing_handler(kind), debug=False) as app, app.connect() as client:
        await client.click("fail")
        await client.until(lambda: client.errors)
        assert client.errors == [
            "Something went wrong in this app. Its developers find the details in the server's log."
        ]
        frames = b"".join(client.frames)
        assert b"cheese" not in frames
        assert b"LookupError" not in frames


async def test_errors_in_main_and_before_main_are_hidden_without_debug() -> None:
    for settings in (
        {"main": failing("sync", "cheese")},
        {"before_main": failing("sync", "cheese")},
    ):
        kwargs: dict[str, Any] = {"main": for_page("sync", "fine"), **settings}
        async with InProcess(debug=False, **kwargs) as app, app.connect() as client:
            await client.until(lambda: client.errors)
            assert b"cheese" not in b"".join(client.frames)


@pytest.mark.parametrize("kind", KINDS)
async def test_on_error_is_called_with_the_text(kind: str) -> None:
    def main(page: ft.Page) -> None:
        def on_error(e: ft.Event[ft.Page]) -> None:
            page.add(ft.Text(f"on_error: {e.data}"))

        page.on_error = on_error
        failing_handler(kind)(page)

    async with InProcess(main) as app, app.connect() as client:
        await client.click("fail")
        await client.see("on_error: out of cheese")
        assert client.errors == []


async def test_a_failing_on_error_is_reported_and_not_called_again() -> None:
    calls: list[Any] = []

    def main(page: ft.Page) -> None:
        def on_error(e: ft.Event[ft.Page]) -> None:
            calls.append(e.data)
            raise LookupError("worse")

        page.on_error = on_error
        failing_handler("sync")(page)

    async with InProcess(main) as app, app.connect() as client:
        await client.click("fail")
        await client.until(lambda: client.errors)
        await client.click("go")
        await client.see("alive")
        assert calls == ["out of cheese"]
        assert [error.splitlines()[0] for error in client.errors] == ["worse"]


@pytest.mark.parametrize("kind", KINDS)
async def test_system_exit_in_a_handler_ends_only_that_session(kind: str) -> None:
    def exits(kind: str) -> Callable[..., Any]:
        def sync() -> None:
            raise SystemExit(2)

        async def coroutine() -> None:
            await checkpoint()
            raise SystemExit(2)

        def generator() -> Iterator[None]:
            yield
            raise SystemExit(2)

        async def async_generator() -> AsyncIterator[None]:
            yield
            raise SystemExit(2)

        return _by_kind(kind, sync, coroutine, generator, async_generator)

    closed: list[str] = []

    def main(page: ft.Page) -> None:
        page.on_close = lambda: closed.append(page.route)
        page.add(
            ft.Button("exit", on_click=exits(kind)),
            ft.Button("go", on_click=lambda: page.add(ft.Text("alive"))),
        )

    async with InProcess(main) as app, app.connect(route="/stays") as stays:
        (survivor,) = app.sessions
        async with app.connect(route="/leaves") as leaves:
            (ending,) = set(app.sessions) - {survivor}
            await leaves.click("exit")
            await leaves.until(lambda: leaves.closed)
            assert ending.reason is Reason.CLOSED_BY_APP
            assert closed == ["/leaves"]
        assert app.sessions == [survivor]
        await stays.click("go")
        await stays.see("alive")


async def test_a_handler_that_is_cancelled_with_its_session_cleans_up() -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        async def wait() -> None:
            page.add(ft.Text("waiting"))
            try:
                await anyio.sleep_forever()
            finally:
                log.append("cleaned up")

        page.add(
            ft.Button("wait", on_click=wait),
            ft.Button("end", on_click=lambda: page.session.close()),
        )

    async with InProcess(main) as app, app.connect() as client:
        await client.click("wait")
        await client.see("waiting")
        await client.click("end")
        await client.until(lambda: client.closed)
        assert log == ["cleaned up"]
        assert app.sessions == []
