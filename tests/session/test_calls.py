from __future__ import annotations

import gc
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
import pytest
from anyio.lowlevel import checkpoint
from flet.controls.exceptions import FletPageDisconnectedException

import flet_anyio.session.calls as calls_code
from flet_anyio import Limits
from flet_anyio.session.calls import Calls
from flet_anyio.testing import CallFailed, Client, InProcess
from waiting import gone, reached

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = pytest.mark.anyio


def calling(call: Callable[[ft.Page], Awaitable[Any]]) -> Callable[[ft.Page], None]:
    """An app whose button calls the client, and shows what came of it."""

    def main(page: ft.Page) -> None:
        async def go() -> None:
            try:
                result = repr(await call(page))
            except FletPageDisconnectedException:
                page.session.store.set("outcome", "disconnected")
                raise
            except (RuntimeError, TimeoutError) as error:
                result = f"{type(error).__name__}: {error}"
            page.add(ft.Text(result))

        page.add(ft.Button("go", on_click=go))

    return main


async def method(page: ft.Page, timeout: float | None = 5) -> Any:
    return await page.session.invoke_method(page._i, "method", {"a": 1}, timeout)


def silent(client: Client) -> list[dict[str, Any]]:
    """Have the client leave calls unanswered; return those that come."""
    client.silent = True
    return client.calls


def reply(client: Client, call: dict[str, Any], result: Any = None, error: str = "") -> None:
    client.reply(call, result, error=error or None)


@pytest.mark.parametrize("result", [None, 0, "text", [1, "two"], {"three": [4.5]}, b"bytes"])
async def test_a_call_returns_the_clients_result(result: Any) -> None:
    async with InProcess(calling(method)) as app, app.connect() as client:
        client.answers["method"] = lambda a: result if a == 1 else "wrong arguments"
        await client.click("go")
        await client.see(repr(result))
        assert [call["control_id"] for call in client.calls] == [1]


async def test_a_refused_call_raises_with_the_clients_reason() -> None:
    def refuse(a: int) -> None:
        raise CallFailed("no such method")

    async with InProcess(calling(method)) as app, app.connect() as client:
        client.answers["method"] = refuse
        await client.click("go")
        await client.see("RuntimeError: no such method")


async def test_a_call_without_an_answer_times_out_and_a_late_reply_is_ignored() -> None:
    main = calling(lambda page: method(page, timeout=0.01))
    async with InProcess(main) as app, app.connect() as client:
        calls = silent(client)
        await client.click("go")
        await client.see("TimeoutError: Timeout waiting for invokeMethod method({'a': 1}) call")
        assert app.session.pending_calls == 0
        reply(client, calls[0], "late")
        await client.click("go")
        await client.until(lambda: len(calls) == 2)
        reply(client, calls[0], "late")
        reply(client, calls[1], "in time")
        await client.see("'in time'")
        assert client.errors == []


async def test_replies_find_their_calls_in_any_order() -> None:
    def main(page: ft.Page) -> None:
        async def go(e: ft.Event[ft.Button]) -> None:
            result = await page.session.invoke_method(1, "method", {"n": e.data}, 5)
            page.add(ft.Text(f"{e.data} got {result}"))

        page.add(ft.Button("go", on_click=go))

    async with InProcess(main) as app, app.connect() as client:
        await client.see("go")
        calls = silent(client)
        for number in range(5):
            client.fire("go", "click", number)
        await client.until(lambda: len(calls) == 5)
        for call in reversed(calls):
            reply(client, call, call["args"]["n"] * 10)
        await client.see(*(f"{n} got {n * 10}" for n in range(5)))


async def test_a_cancelled_caller_leaves_no_entry() -> None:
    async with InProcess(calling(method)) as app, app.connect() as client:
        await client.see("go")
        calls = silent(client)
        page = app.session.page
        future = page.run_task(method, page)
        await client.until(lambda: calls)
        assert app.session.pending_calls == 1
        future.cancel()
        await reached(lambda: app.session.pending_calls == 0)
        reply(client, calls[0], "late")
        await client.click("go")
        await client.until(lambda: len(calls) == 2)
        assert client.errors == []


async def test_a_caller_with_a_deadline_of_its_own_leaves_no_entry() -> None:
    async def call(page: ft.Page) -> str:
        with anyio.move_on_after(0.01):
            await method(page, timeout=None)
        return "moved on"

    async with InProcess(calling(call)) as app, app.connect() as client:
        silent(client)
        await client.click("go")
        await client.see("'moved on'")
        assert app.session.pending_calls == 0


async def test_a_client_that_leaves_fails_its_calls_at_once() -> None:
    main = calling(lambda page: method(page, timeout=None))
    async with InProcess(main) as app, app.connect() as client:
        calls = silent(client)
        await client.click("go")
        await client.until(lambda: calls)
        session = app.session
        client.drop()
        await reached(lambda: session.store.get("outcome") == "disconnected")
        assert session.pending_calls == 0
        async with app.connect(after=client) as back:
            await back.see("go")
            assert back.errors == []


@pytest.mark.parametrize("cancelled", [0, 80])
async def test_calls_that_fail_together_end_one_after_the_other(cancelled: int) -> None:
    calls, steps, at = Calls(), 0, []
    scopes = [anyio.CancelScope() for _ in range(100)]

    async def call(scope: anyio.CancelScope) -> None:
        with scope, suppress(FletPageDisconnectedException):
            await calls.make(lambda _: None, what="method")
        at.append(steps)

    async def live() -> None:
        nonlocal steps
        while len(at) < len(scopes):
            steps += 1
            await checkpoint()

    async with anyio.create_task_group() as tasks:
        for scope in scopes:
            tasks.start_soon(call, scope)
        await reached(lambda: len(calls) == len(scopes))
        tasks.start_soon(live)
        calls.fail_all()
        assert len(calls) == 0
        # Those that leave before their turn keep back nobody.
        for scope in scopes[10:][:cancelled]:
            scope.cancel()
    assert len(at) == len(scopes)
    # What is ready in one step runs in any order on trio: the next one may come before `live`.
    assert cancelled or max(Counter(at).values()) <= 2


async def test_a_call_that_failed_before_its_turn_does_not_time_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls, outcomes = Calls(), []
    scopes: list[anyio.CancelScope] = []

    @contextmanager
    def noted(timeout: float) -> Iterator[None]:
        with anyio.fail_after(timeout) as scope:
            scopes.append(scope)
            yield

    monkeypatch.setattr(calls_code, "fail_after", noted)

    async def call() -> None:
        try:
            await calls.make(lambda _: None, what="method", timeout=1000)
        except (TimeoutError, FletPageDisconnectedException) as error:
            outcomes.append(type(error))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(call)
        await reached(lambda: len(calls) == 20)
        calls.fail_all()
        for scope in scopes:
            scope.deadline = anyio.current_time()  # all are late when they come to their turn
    assert outcomes == [FletPageDisconnectedException] * 20


async def test_a_call_while_the_client_is_away_fails_at_once() -> None:
    async with InProcess(calling(method)) as app, app.connect() as client:
        await client.see("go")
        session = app.session
        client.drop()
        await reached(lambda: not session.attached)
        with pytest.raises(FletPageDisconnectedException):
            await method(session.page)
        assert session.pending_calls == 0


async def test_the_end_of_a_session_fails_its_calls() -> None:
    main = calling(lambda page: method(page, timeout=None))
    async with InProcess(main) as app, app.connect() as client:
        calls = silent(client)
        await client.click("go")
        await client.until(lambda: calls)
        session = app.session
        session.close()
        await client.until(lambda: client.closed)
        assert session.pending_calls == 0


async def test_a_late_reply_of_another_connection_answers_nothing() -> None:
    main = calling(lambda page: method(page, timeout=None))
    async with InProcess(main) as app, app.connect() as first:
        calls = silent(first)
        await first.click("go")
        await first.until(lambda: calls)
        first.drop()
        async with app.connect(after=first) as second:
            later = silent(second)
            await second.click("go")
            await second.until(lambda: later)
            reply(second, calls[0], "of the first")
            reply(second, later[0], "of the second")
            await second.see("'of the second'")
            assert "'of the first'" not in second.texts


@pytest.mark.parametrize("in_flight", [None, 1, 64])
async def test_handlers_that_all_wait_for_the_client_all_finish(in_flight: int | None) -> None:
    count = 200
    finished: list[int] = []

    def main(page: ft.Page) -> None:
        async def go(e: ft.Event[ft.Button]) -> None:
            finished.append(await page.session.invoke_method(1, "method", {"n": e.data}, 30))

        page.add(ft.Button("go", on_click=go))

    limits = Limits(events_in_flight=in_flight)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.see("go")
        calls = silent(client)
        for number in range(count):
            client.fire("go", "click", number)
        await client.until(lambda: len(calls) == count)
        for call in calls:
            reply(client, call, call["args"]["n"])
        await reached(lambda: len(finished) == count)
        assert sorted(finished) == list(range(count))
        assert app.session.pending_calls == 0


async def test_the_limit_of_handlers_in_flight_holds_others_back() -> None:
    started: list[int] = []
    gates = [anyio.Event() for _ in range(3)]

    def main(page: ft.Page) -> None:
        async def go(e: ft.Event[ft.Button]) -> None:
            assert isinstance(e.data, int)
            started.append(e.data)
            await gates[e.data].wait()
            page.add(ft.Text(f"done {e.data}"))

        page.add(ft.Button("go", on_click=go))

    async with InProcess(main, limits=Limits(events_in_flight=2)) as app, app.connect() as client:
        await client.see("go")
        for number in range(3):
            client.fire("go", "click", number)
        await reached(lambda: len(started) == 2)
        await anyio.wait_all_tasks_blocked()
        assert started == [0, 1]
        gates[1].set()
        await client.see("done 1")
        await reached(lambda: started == [0, 1, 2])
        gates[0].set()
        gates[2].set()
        await client.see("done 0", "done 2")


# --- services ---------------------------------------------------------------------------------


async def test_the_clipboard_is_set_and_read() -> None:
    held: list[str] = []

    async def call(page: ft.Page) -> str | None:
        clipboard = ft.Clipboard()
        await clipboard.set("copied")
        return await clipboard.get()

    async with InProcess(calling(call)) as app, app.connect() as client:
        client.answers["set"] = lambda data: held.append(data)
        client.answers["get"] = lambda: held[-1]
        await client.click("go")
        await client.see("'copied'")
        assert [call["name"] for call in client.calls] == ["set", "get"]


def read_clipboard(page: ft.Page) -> Awaitable[str | None]:
    return ft.Clipboard().get()


async def test_a_service_is_on_the_page_when_it_is_called() -> None:
    async with InProcess(calling(read_clipboard)) as app, app.connect() as client:
        client.answers["get"] = lambda: client.find(type="Clipboard").type
        await client.click("go")
        await client.see("'Clipboard'")


async def test_an_unused_service_leaves_the_page_after_an_event() -> None:
    def main(page: ft.Page) -> None:
        calling(read_clipboard)(page)
        # Flet finds by reference counts what is unused, and itself makes a cycle with it.
        page.add(ft.Button("collect", on_click=lambda: gc.collect()))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.see("None")
        await client.click("collect")
        await client.until(lambda: "Clipboard" not in [node.type for node in client.page.nodes()])


async def test_a_url_is_launched() -> None:
    async def call(page: ft.Page) -> None:
        launcher = ft.UrlLauncher()
        await launcher.launch_url("https://flet.dev", web_only_window_name="_self")

    async with InProcess(calling(call)) as app, app.connect() as client:
        await client.click("go")
        await client.see("None")
        (made,) = client.calls
        assert made["name"] == "launch_url"
        assert made["args"]["url"] == "https://flet.dev"
        assert made["args"]["mode"] == "platformDefault"
        assert made["args"]["web_only_window_name"] == "_self"


async def test_picked_files_are_returned() -> None:
    async def call(page: ft.Page) -> list[ft.FilePickerFile]:
        picker = ft.FilePicker()
        return await picker.pick_files(allow_multiple=True, with_data=True)

    async with InProcess(calling(call)) as app, app.connect() as client:
        picked = [
            {"id": 1, "name": "a.txt", "size": 3, "path": None, "bytes": [97, 98, 99]},
            {"id": 2, "name": "b.bin", "size": 2, "path": None, "bytes": b"\x00\xff"},
        ]
        client.answers["pick_files"] = lambda **options: picked
        await client.click("go")
        files = [
            ft.FilePickerFile(id=1, name="a.txt", size=3, bytes=b"abc"),
            ft.FilePickerFile(id=2, name="b.bin", size=2, bytes=b"\x00\xff"),
        ]
        await client.see(repr(files))
        (made,) = client.calls
        assert made["args"]["allow_multiple"] is True
        assert made["args"]["file_type"] == "any"


async def test_nothing_picked_is_an_empty_list() -> None:
    async def call(page: ft.Page) -> list[ft.FilePickerFile]:
        return await ft.FilePicker().pick_files()

    async with InProcess(calling(call)) as app, app.connect() as client:
        client.answers["pick_files"] = lambda **options: []
        await client.click("go")
        await client.see("[]")


async def test_shared_preferences_keep_values() -> None:
    kept: dict[str, Any] = {}

    def keep(key: str, value: Any) -> bool:
        kept[key] = value
        return True

    def clear() -> bool:
        kept.clear()
        return True

    async def call(page: ft.Page) -> list[Any]:
        preferences = ft.SharedPreferences()
        return [
            await preferences.set("a.list", ["x", "y"]),
            await preferences.get("a.list"),
            await preferences.get("missing"),
            await preferences.contains_key("a.list"),
            await preferences.get_keys("a."),
            await preferences.remove("a.list"),
            await preferences.clear(),
        ]

    async with InProcess(calling(call)) as app, app.connect() as client:
        client.answers.update(
            set=keep,
            get=lambda key: kept.get(key),
            contains_key=lambda key: key in kept,
            get_keys=lambda key_prefix: [key for key in kept if key.startswith(key_prefix)],
            remove=lambda key: kept.pop(key, None) is not None,
            clear=clear,
        )
        await client.click("go")
        await client.see("[True, ['x', 'y'], None, True, ['a.list'], True, True]")


# --- calls that wait for the client to come back ----------------------------------------------


async def patient_method(page: ft.Page) -> Any:
    with page.waiting_for_client():  # type: ignore[attr-defined]
        return await method(page, None)


async def test_a_patient_call_made_while_away_is_sent_when_the_client_is_back() -> None:
    async with InProcess(calling(patient_method)) as app, app.connect() as client:
        await client.see("go")
        await gone(client)
        session = app.session
        done = session.run_task(patient_method, session.page)
        await reached(lambda: session.pending_calls)
        async with app.connect(after=client, live=True, register=False) as back:
            back.answers["method"] = lambda a: "hello"
            back.register()
            await reached(done.done)
            assert done.result() == "hello"
            assert session.pending_calls == 0


@pytest.mark.parametrize("live", [True, False])
async def test_a_patient_call_survives_a_drop_and_is_sent_again(live: bool) -> None:
    async with InProcess(calling(patient_method)) as app, app.connect() as client:
        calls = silent(client)
        await client.click("go")
        await client.until(lambda: calls)
        await gone(client)
        await reached(lambda: not app.session.attached)
        assert app.session.pending_calls == 1
        async with app.connect(after=client, live=live, register=False) as back:
            back.answers["method"] = lambda a: "second try"
            back.register()
            await back.see("'second try'")


async def test_patience_ends_with_its_timeout() -> None:
    async def call(page: ft.Page) -> Any:
        with page.waiting_for_client():  # type: ignore[attr-defined]
            return await method(page, 0.01)

    async with InProcess(calling(call)) as app, app.connect() as client:
        await client.see("go")
        await gone(client)
        await reached(lambda: not app.session.attached)
        with pytest.raises(TimeoutError):
            await call(app.session.page)
        assert app.session.pending_calls == 0


async def test_patience_ends_with_the_session() -> None:
    async with InProcess(calling(patient_method)) as app, app.connect() as client:
        calls = silent(client)
        await client.click("go")
        await client.until(lambda: calls)
        session = app.session
        await gone(client)
        session.close()
        await reached(lambda: not app.sessions)
        assert session.pending_calls == 0


async def test_patience_ends_with_its_block() -> None:
    async with InProcess(calling(method)) as app, app.connect() as client:
        await client.see("go")
        page = app.session.page
        await gone(client)
        await reached(lambda: not app.session.attached)
        with page.waiting_for_client():
            pass
        with pytest.raises(FletPageDisconnectedException):
            await method(page)


async def test_a_cancelled_patient_caller_leaves_no_entry() -> None:
    async with InProcess(calling(patient_method)) as app, app.connect() as client:
        await client.see("go")
        await gone(client)
        session = app.session
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(patient_method, session.page)
            await reached(lambda: session.pending_calls)
            tasks.cancel_scope.cancel()
        async with app.connect(after=client, live=True) as back:
            await back.see("go")
            assert back.calls == []
