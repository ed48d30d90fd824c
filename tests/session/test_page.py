from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import flet as ft
import pytest
from anyio.lowlevel import checkpoint

from flet_anyio.errors import SessionClosed
from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import Client, InProcess
from waiting import PATIENCE, reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = pytest.mark.anyio


async def in_thread(func: Callable[..., Any], *args: Any) -> Any:
    return await anyio.to_thread.run_sync(func, *args)


def empty(page: ft.Page) -> None:
    page.add(ft.Text("ready"))


# --- run_task ---------------------------------------------------------------------------------


async def test_run_task_gives_the_result_and_takes_arguments() -> None:
    async def add(a: int, *, b: int) -> int:
        await checkpoint()
        return a + b

    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        future = app.session.page.run_task(add, 1, b=2)
        assert isinstance(future, Future)
        await reached(future.done)
        assert future.result() == 3


async def test_a_task_belongs_to_its_page_and_may_update_it() -> None:
    def main(page: ft.Page) -> None:
        async def task() -> None:
            await checkpoint()
            ft.context.page.add(ft.Text("from the task"))

        page.run_task(task)

    async with InProcess(main) as app, app.connect() as client:
        await client.see("from the task")


async def test_a_failing_task_is_reported_and_its_future_tells() -> None:
    async def fail() -> None:
        raise LookupError("lost")

    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        future = app.session.page.run_task(fail)
        await client.until(lambda: client.errors)
        assert client.errors[0].startswith("lost")
        with pytest.raises(LookupError, match="lost"):
            future.result(timeout=0)
        assert app.session.attached


async def test_cancelling_the_future_cancels_the_task() -> None:
    log: list[str] = []

    async def wait() -> None:
        try:
            log.append("waits")
            await anyio.sleep_forever()
        finally:
            log.append("ends")

    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        future = app.session.page.run_task(wait)
        await reached(lambda: log)
        assert future.cancel()
        await reached(lambda: log == ["waits", "ends"])
        assert app.session.attached


async def test_a_task_is_cancelled_from_another_thread() -> None:
    log: list[str] = []

    async def wait() -> None:
        try:
            log.append("waits")
            await anyio.sleep_forever()
        finally:
            log.append("ends")

    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        future = app.session.page.run_task(wait)
        await reached(lambda: log)
        assert await in_thread(future.cancel)
        await reached(lambda: log == ["waits", "ends"])
        assert client.errors == []


async def test_a_task_started_from_a_thread_runs_in_the_event_loop() -> None:
    threads: list[int] = []

    async def where() -> int:
        await checkpoint()
        threads.append(threading.get_ident())
        return threading.get_ident()

    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        page = app.session.page
        found = await in_thread(lambda: page.run_task(where).result(timeout=5))
        assert found == threading.get_ident()


async def test_tasks_end_with_their_session() -> None:
    log: list[str] = []

    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("ended")

    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        page = app.session.page
        future = page.run_task(wait)
        waiting = in_thread(_outcome, future)
        async with anyio.create_task_group() as tasks:

            async def look() -> None:
                log.append(type(await waiting).__name__)

            tasks.start_soon(look)
            await anyio.wait_all_tasks_blocked()
            page.session.close()
        assert sorted(log) == ["CancelledError", "ended"]
        assert future.cancelled()
        with pytest.raises(SessionClosed):
            page.run_task(wait)


def _outcome(future: Future[Any]) -> BaseException | None:
    try:
        return future.exception(timeout=5)
    except CancelledError as cancelled:
        return cancelled


@pytest.mark.parametrize("bad", [lambda: None, 3, None, "x"])
async def test_run_task_takes_only_coroutine_functions(bad: Any) -> None:
    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        with pytest.raises(TypeError, match="handler must be a coroutine function"):
            app.session.page.run_task(bad)


async def test_tasks_started_by_a_task_are_children_of_the_session_too() -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        async def inner() -> None:
            try:
                log.append("inner waits")
                await anyio.sleep_forever()
            finally:
                log.append("inner ended")

        async def outer() -> None:
            page.run_task(inner)

        page.run_task(outer)

    async with InProcess(main) as app, app.connect():
        await reached(lambda: log == ["inner waits"])
        app.session.close()
        await reached(lambda: app.sessions == [])
        assert log == ["inner waits", "inner ended"]


# --- run_thread -------------------------------------------------------------------------------


async def test_run_thread_updates_the_page_from_a_worker() -> None:
    threads: list[int] = []

    def main(page: ft.Page) -> None:
        text = ft.Text("before")
        page.add(text)

        def work(a: str, *, b: str) -> None:
            threads.append(threading.get_ident())
            assert ft.context.page is page
            text.value = a + b
            page.update()

        page.run_thread(work, "af", b="ter")

    async with InProcess(main) as app, app.connect() as client:
        await client.see("after")
        assert threads != [threading.get_ident()]


async def test_updates_of_many_threads_arrive_whole() -> None:
    count = 20

    def main(page: ft.Page) -> None:
        texts = [ft.Text("0") for _ in range(count)]
        page.add(*texts)

        def work(text: ft.Text) -> None:
            for number in range(1, 11):
                text.value = str(number)
                text.update()

        for text in texts:
            page.run_thread(work, text)

    async with InProcess(main) as app, app.connect() as client:
        await client.until(lambda: client.texts == ["10"] * count)


async def test_run_thread_uses_the_executor_that_was_given() -> None:
    names: list[str] = []
    with ThreadPoolExecutor(1, thread_name_prefix="given") as executor:

        def main(page: ft.Page) -> None:
            assert page.executor is executor
            page.run_thread(lambda: names.append(threading.current_thread().name))

        async with InProcess(main, executor=executor) as app, app.connect():
            await reached(lambda: names)
        assert names[0].startswith("given")
        assert executor.submit(int).result() == 0


async def test_without_one_the_server_has_an_executor() -> None:
    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        assert app.session.page.executor is app.server.executor


async def test_an_error_in_a_thread_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise LookupError("lost thread")

    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        app.session.page.run_thread(fail)
        await client.until(lambda: client.errors)
        assert client.errors[0].startswith("lost thread")
        assert "fail failed: lost thread" in caplog.text


async def test_system_exit_in_a_thread_ends_the_session() -> None:
    def leave() -> None:
        raise SystemExit

    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        app.session.page.run_thread(leave)
        await client.until(lambda: client.closed)
        assert app.sessions == []


async def test_closing_tells_threads_that_the_session_ends() -> None:
    ended = threading.Event()

    def main(page: ft.Page) -> None:
        closing: threading.Event = page.closing  # type: ignore[attr-defined]

        def work() -> None:
            page.add(ft.Text("working"))
            if closing.wait(5):
                ended.set()

        page.run_thread(work)

    async with InProcess(main) as app, app.connect() as client:
        await client.see("working")
        assert not ended.is_set()
        app.session.close()
        assert await in_thread(ended.wait, 5)


# --- routes and views -------------------------------------------------------------------------


async def test_navigate_pushes_a_route_without_waiting() -> None:
    def main(page: ft.Page) -> None:
        page.navigate("/there", q="1 2")

    async with InProcess(main) as app, app.connect() as client:
        await client.until(lambda: client.calls)
        (call,) = client.calls
        assert (call["control_id"], call["name"]) == (1, "push_route")
        assert call["args"] == {"route": "/there?q=1+2"}


async def test_push_route_returns_when_the_client_has_taken_the_route() -> None:
    def main(page: ft.Page) -> None:
        async def go() -> None:
            await page.push_route("/there")
            page.add(ft.Text("pushed"))

        page.add(ft.Button("go", on_click=go))

    async with InProcess(main) as app, app.connect() as client:
        client.answers["push_route"] = lambda route: client.go(route)
        await client.click("go")
        await client.see("pushed")
        assert app.session.page.route == "/there"


async def test_a_route_change_fires_once_per_route() -> None:
    def main(page: ft.Page) -> None:
        def changed(e: ft.RouteChangeEvent) -> None:
            assert page.route == e.route
            page.add(ft.Text(f"{e.name} {e.route}"))

        page.on_route_change = changed

    async with InProcess(main) as app, app.connect() as client:
        for route in ("/a", "/a", "/b?x=1"):
            client.go(route)
        await client.see("route_change /b?x=1")
        assert client.texts == ["route_change /a", "route_change /b?x=1"]
        assert app.session.page.query.to_dict == {"x": "1"}


async def test_the_route_of_the_first_visit_is_known_in_main() -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Text(page.route))

    async with InProcess(main) as app, app.connect(route="/first") as client:
        await client.see("/first")


def three_views(page: ft.Page) -> None:
    page.views = [ft.View(route=route, controls=[ft.Text(route)]) for route in ("/", "/a", "/b")]
    page.update()


async def test_pop_views_until_delivers_its_result() -> None:
    def main(page: ft.Page) -> None:
        def popped(e: ft.ViewsPopUntilEvent) -> None:
            assert e.view is page.views[0]
            page.views[0].controls.append(ft.Text(f"{e.route} {e.result}"))

        async def back() -> None:
            await page.pop_views_until("/", result=42)

        page.on_views_pop_until = popped
        three_views(page)
        page.views[-1].controls.append(ft.Button("back", on_click=back))
        page.update()

    async with InProcess(main) as app, app.connect() as client:
        await client.click("back")
        await client.see("/ 42")
        assert client.texts == ["/", "/ 42"]
        assert [call["args"] for call in client.calls] == [{"route": "/"}]


async def test_on_views_pop_until_may_be_a_generator() -> None:
    def main(page: ft.Page) -> None:
        def popped(e: ft.ViewsPopUntilEvent) -> Iterator[None]:
            page.title = "first"
            yield
            page.title = "second"

        async def back() -> None:
            await page.pop_views_until("/a")

        page.on_views_pop_until = popped
        three_views(page)
        page.views[-1].controls.append(ft.Button("back", on_click=back))
        page.update()

    async with InProcess(main) as app, app.connect() as client:
        await client.click("back")
        await client.until(lambda: client.page.root.get("title") == "second")
        assert client.texts == ["/", "/a"]


async def test_popping_views_to_an_unknown_route_is_an_error() -> None:
    def main(page: ft.Page) -> None:
        async def back() -> None:
            await page.pop_views_until("/nowhere")

        three_views(page)
        page.views[-1].controls.append(ft.Button("back", on_click=back))
        page.update()

    async with InProcess(main) as app, app.connect() as client:
        await client.click("back")
        await client.until(lambda: client.errors)
        assert client.errors[0].startswith("No view found with route '/nowhere'")
        assert {"/", "/a", "/b"} <= set(client.texts)


async def test_a_popped_view_is_found_for_the_handler() -> None:
    def main(page: ft.Page) -> None:
        def popped(e: ft.ViewPopEvent) -> None:
            assert e.view is not None
            page.views.remove(e.view)

        page.on_view_pop = popped
        three_views(page)

    async with InProcess(main) as app, app.connect() as client:
        await client.see("/b")
        client.fire(1, "view_pop", {"route": "/b"})
        await client.see_no("/b")
        assert client.texts == ["/", "/a"]


async def test_multi_views_are_announced() -> None:
    def main(page: ft.Page) -> None:
        def added(e: ft.MultiViewAddEvent) -> None:
            page.add(ft.Text(f"added {e.view_id} {e.initial_data}"))

        def removed(e: ft.MultiViewRemoveEvent) -> None:
            page.add(ft.Text(f"removed {e.view_id}"))

        page.on_multi_view_add = added
        page.on_multi_view_remove = removed

    async with InProcess(main) as app, app.connect(multi_view=True) as client:
        client.fire(1, "multi_view_add", {"view_id": 7, "initial_data": {"a": 1}})
        client.fire(1, "multi_view_remove", {"view_id": 7})
        await client.see("added 7 {'a': 1}", "removed 7")
        assert app.session.page.multi_view is True


# --- visibility -------------------------------------------------------------------------------


async def test_wait_until_visible_waits_while_the_tab_is_hidden() -> None:
    def main(page: ft.Page) -> None:
        states: list[str] = []

        async def wait() -> None:
            page.add(ft.Text("waits"))
            await page.wait_until_visible()
            page.add(ft.Text(f"seen after {states}"))

        def changed(e: ft.AppLifecycleStateChangeEvent) -> None:
            states.append(e.state.value)

        page.on_app_lifecycle_state_change = changed
        page.add(ft.Button("wait", on_click=wait))

    async with InProcess(main) as app, app.connect() as client:
        await client.see("wait")
        client.fire(1, "app_lifecycle_state_change", {"state": "hide"})
        await client.click("wait")
        await client.see("waits")
        client.fire(1, "app_lifecycle_state_change", {"state": "pause"})
        client.fire(1, "app_lifecycle_state_change", {"state": "show"})
        await client.see("seen after ['hide', 'pause', 'show']")
        await client.click("wait")
        await client.until(lambda: len([t for t in client.texts if "seen" in t]) == 2)


async def test_visibility_is_followed_without_a_handler() -> None:
    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        page = app.session.page
        assert page.app_visible
        client.fire(1, "app_lifecycle_state_change", {"state": "hide"})
        await reached(lambda: not page.app_visible)
        with anyio.move_on_after(0) as scope:
            await page.wait_until_visible()
        assert scope.cancelled_caught
        client.fire(1, "app_lifecycle_state_change", {"state": "resume"})
        with anyio.fail_after(PATIENCE):
            await page.wait_until_visible()
        assert page.app_visible


async def test_a_page_is_without_the_event_that_flet_makes_for_each() -> None:
    name = "_Page__app_visible_event"
    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        page = app.session.page
        flets: Any = ft.Page(sess=app.session)  # type: ignore[arg-type]
        assert {"set", "clear", "wait"} <= set(dir(vars(flets)[name])), "flet has it elsewhere"
        assert name not in vars(page)


# --- dialogs ----------------------------------------------------------------------------------


def dialogs(on_dismiss: Callable[[ft.Page], Any]) -> Callable[[ft.Page], None]:
    def main(page: ft.Page) -> None:
        dialog = ft.AlertDialog(title=ft.Text("really?"), on_dismiss=on_dismiss(page))
        page.add(
            ft.Button("open", on_click=lambda: page.show_dialog(dialog)),
            ft.Button("close", on_click=lambda: page.pop_dialog()),
        )

    return main


def dismissals(kind: str) -> Callable[[ft.Page], Any]:
    def make(page: ft.Page) -> Any:
        def sync(e: ft.Event[ft.DialogControl]) -> None:
            page.add(ft.Text("dismissed"))

        async def coroutine() -> None:
            await checkpoint()
            page.add(ft.Text("dismissed"))

        def generator() -> Iterator[None]:
            page.title = "step"
            yield
            page.add(ft.Text("dismissed"))

        async def async_generator(e: ft.Event[ft.DialogControl]) -> AsyncIterator[None]:
            page.title = "step"
            yield
            await checkpoint()
            page.add(ft.Text("dismissed"))

        return {
            "sync": sync,
            "async": coroutine,
            "generator": generator,
            "async_generator": async_generator,
        }[kind]

    return make


def dialog_open(client: Client) -> bool:
    return any(node.type == "AlertDialog" and node["open"] for node in client.page.nodes())


@pytest.mark.parametrize("kind", ["sync", "async", "generator", "async_generator"])
async def test_dismissing_a_dialog_runs_its_handler_and_removes_it(kind: str) -> None:
    async with InProcess(dialogs(dismissals(kind))) as app, app.connect() as client:
        await client.click("open")
        await client.see("really?")
        dialog = client.find(type="AlertDialog")
        client.set(dialog, open=False)
        client.fire(dialog, "dismiss")
        await client.see("dismissed")
        assert "really?" not in client.texts
        await client.click("open")
        await client.see("really?")


async def test_pop_dialog_closes_the_topmost_open_dialog() -> None:
    async with InProcess(dialogs(dismissals("generator"))) as app, app.connect() as client:
        await client.click("open")
        await client.until(lambda: dialog_open(client))
        await client.click("close")
        await client.until(lambda: not dialog_open(client))
        assert "really?" in client.texts
        client.fire(client.find(type="AlertDialog"), "dismiss")
        await client.see_no("really?")
        await client.see("dismissed")


async def test_a_dialog_cannot_be_shown_twice() -> None:
    async with InProcess(dialogs(dismissals("sync"))) as app, app.connect() as client:
        await client.click("open")
        await client.see("really?")
        await client.click("open")
        await client.until(lambda: client.errors)
        assert client.errors[0].startswith("Dialog is already opened")


# --- what the page knows ----------------------------------------------------------------------


async def test_the_page_knows_its_client_and_its_place() -> None:
    async with InProcess(empty, path="/apps/one/ws") as app, app.connect() as client:
        await client.see("ready")
        page = app.session.page
        assert page.client_ip == "127.0.0.1"
        assert page.client_user_agent == "flet-anyio testing"
        assert page.name == client.transport.info.page_name
        assert page.url == client.transport.info.page_url
        assert (page.width, page.height, page.web, page.wasm) == (1000, 900, True, True)
        assert page.platform is ft.PagePlatform.LINUX


async def test_the_session_store_keeps_values() -> None:
    def main(page: ft.Page) -> None:
        page.session.store.set("name", "Ann")
        page.add(ft.Button("go", on_click=lambda: page.add(ft.Text(str(read())))))

        def read() -> Any:
            return page.session.store.get("name")

    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.see("Ann")


async def test_get_control_finds_mounted_controls_only() -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Text("here"))

    async with InProcess(main) as app, app.connect() as client:
        await client.see("here")
        page = app.session.page
        text = page.controls[0]
        assert page.get_control(text._i) is text
        assert page.get_control(1) is page
        page.clean()
        await client.see_no("here")
        assert page.get_control(text._i) is None


async def test_page_loop_runs_coroutines_and_callbacks() -> None:
    log: list[str] = []

    async def coroutine() -> str:
        await checkpoint()
        return "result"

    async with InProcess(empty) as app, app.connect() as client:
        await client.see("ready")
        loop = app.session.page.loop
        assert isinstance(loop, asyncio.AbstractEventLoop)
        assert loop.is_running()
        future = asyncio.run_coroutine_threadsafe(coroutine(), loop)
        await reached(future.done)
        assert future.result() == "result"
        loop.call_soon_threadsafe(log.append, "called")
        await reached(lambda: log == ["called"])


async def test_page_size_follows_the_client() -> None:
    def main(page: ft.Page) -> None:
        def resized(e: ft.PageResizeEvent) -> None:
            page.add(ft.Text(f"{page.width:g} x {e.height:g}"))

        page.on_resize = resized

    async with InProcess(main) as app, app.connect() as client:
        client.set(1, width=500.0, height=400)
        client.fire(1, "resize", {"width": 500.0, "height": 400})
        await client.see("500 x 400")


@pytest.mark.parametrize("reason", ["", "signed out"])
async def test_an_app_can_end_its_session(reason: str, caplog: pytest.LogCaptureFixture) -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        leave = page.close_session  # type: ignore[attr-defined]
        page.on_close = lambda: log.append("closed")
        page.add(ft.Button("leave", on_click=lambda: leave(reason)))

    caplog.set_level("INFO")
    async with InProcess(main) as app, app.connect() as client:
        await client.see("leave")
        session = app.session
        await client.click("leave")
        await client.until(lambda: client.closed)
        said = f"closed by app: {reason}" if reason else "closed by app"
        assert client.transport.close_code == 1000
        assert client.transport.close_reason == f"session over: {said}"
        assert session.reason is Reason.CLOSED_BY_APP
        assert log == ["closed"]
        assert f"{session.label}: {said}\n" in caplog.text


async def test_the_colors_of_a_button_reach_the_client() -> None:
    # Flet neither marks nor sends them: its hook makes a style of them.
    def main(page: ft.Page) -> None:
        def paint() -> None:
            button.bgcolor = "red"

        def restyle() -> None:
            button.style = ft.ButtonStyle(padding=7)

        def pad() -> None:
            assert button.style is not None
            button.style.padding = 9

        button = ft.Button("paint", on_click=paint)
        page.add(button, ft.Button("restyle", on_click=restyle), ft.Button("pad", on_click=pad))

    async with InProcess(main) as app, app.connect() as client:

        def style() -> Any:
            return (client.find("paint").get("_internals") or {}).get("style") or {}

        await client.click("paint")
        await client.until(lambda: style().get("bgcolor") == "red")
        await client.click("restyle")
        await client.until(lambda: style().get("padding") == 7)
        assert style()["bgcolor"] == "red"
        await client.click("pad")
        await client.until(lambda: style().get("padding") == 9)
