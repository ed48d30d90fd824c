from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
import pytest
from anyio.lowlevel import checkpoint

from flet_anyio import Limits
from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import Client, InProcess
from waiting import reached, read_until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


def app_with_log(log: list[str]) -> Callable[[ft.Page], None]:
    """An app that logs what happens to its connection."""

    def main(page: ft.Page) -> None:
        count = ft.Text("count 0")

        def add() -> None:
            count.value = f"count {int(str(count.value).split()[1]) + 1}"

        log.append("main")
        page.on_connect = lambda e: log.append(e.name)
        page.on_disconnect = lambda e: log.append(e.name)
        page.on_close = lambda e: log.append(e.name)
        page.add(count, ft.Button("+", on_click=add))

    return main


async def in_session(app: InProcess, change: Callable[[ft.Page], Any]) -> None:
    """Have the app change its page by itself."""
    page = app.session.page

    async def run() -> None:
        change(page)

    future = page.run_task(run)
    await reached(future.done)
    future.result()


def _counts(log: list[str], what: str, count: int) -> bool:
    return log.count(what) == count


def add_text(text: str) -> Callable[[ft.Page], None]:
    return lambda page: page.add(ft.Text(text))


# --- events -----------------------------------------------------------------------------------


async def test_the_first_connection_fires_nothing() -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app, app.connect() as client:
        await client.click("+")
        await client.see("count 1")
        assert log == ["main"]


@pytest.mark.parametrize("live", [False, True])
async def test_each_change_of_connection_fires_once(live: bool) -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app:
        client: Client | None = None
        for visit in range(3):
            async with app.connect(after=client, live=live and client is not None) as client:
                await client.see(f"count {visit}")
                await client.click("+")
                await client.see(f"count {visit + 1}")
            await reached(partial(_counts, log, "disconnect", visit + 1))
        assert log == ["main", "disconnect", "connect", "disconnect", "connect", "disconnect"]
        app.session.close()
        await reached(lambda: app.sessions == [])
        assert log[6:] == ["close"]


async def test_a_session_that_is_closed_while_connected_disconnects_and_closes_once() -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app, app.connect() as client:
        await client.see("count 0")
        session = app.session
        session.close()
        session.close()
        await client.until(lambda: client.closed)
        assert log == ["main", "disconnect", "close"]
        assert session.reason is Reason.CLOSED_BY_APP
        assert client.transport.close_code == 1000


async def test_leaving_the_server_closes_sessions_and_asks_clients_to_come_back() -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app:
        async with app.connect() as client:
            await client.see("count 0")
            await app.server.shutdown()
            await client.until(lambda: client.closed)
            assert client.transport.close_code == 1012
        assert log == ["main", "disconnect", "close"]


@pytest.mark.parametrize("name", ["on_connect", "on_disconnect", "on_close"])
async def test_handlers_of_the_connection_may_be_async(name: str) -> None:
    log: list[str] = []

    def main(page: ft.Page) -> None:
        async def handler(e: ft.Event[ft.Page]) -> None:
            await checkpoint()
            await checkpoint()
            log.append(f"{e.name} {ft.context.page is page}")

        setattr(page, name, handler)
        page.add(ft.Text("ready"))

    async with InProcess(main) as app:
        async with app.connect() as client:
            await client.see("ready")
        async with app.connect(after=client) as back:
            await back.see("ready")
            await reached(lambda: log or name == "on_close")
            app.session.close()
            await back.until(lambda: back.closed)
        expected = f"{name.removeprefix('on_')} True"
        assert log == [expected] * (2 if name == "on_disconnect" else 1)


async def test_a_failing_on_disconnect_does_not_keep_the_session_from_coming_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def main(page: ft.Page) -> None:
        def fail() -> None:
            raise LookupError("bad farewell")

        page.on_disconnect = fail
        page.add(ft.Text("ready"))

    async with InProcess(main) as app:
        async with app.connect() as client:
            await client.see("ready")
        await reached(lambda: "on_disconnect failed: bad farewell" in caplog.text)
        async with app.connect(after=client) as back:
            await back.see("ready")
            assert app.session_of(back) is app.session_of(client)


async def test_a_failing_on_close_still_ends_the_session() -> None:
    def main(page: ft.Page) -> None:
        def fail() -> None:
            raise LookupError("bad end")

        page.on_close = fail
        page.add(ft.Text("ready"))

    async with InProcess(main) as app, app.connect() as client:
        await client.see("ready")
        app.session.close()
        await client.until(lambda: client.closed)
        assert app.sessions == []


# --- coming back ------------------------------------------------------------------------------


@pytest.mark.parametrize("live", [False, True])
async def test_a_client_that_comes_back_has_its_session_and_its_state(live: bool) -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app:
        async with app.connect() as client:
            await client.click("+")
            await client.see("count 1")
            session = app.session
        async with app.connect(after=client, live=live) as back:
            await back.see("count 1")
            assert app.session_of(back) is app.session_of(client)
            assert app.sessions == [session]
            await back.click("+")
            await back.see("count 2")
        assert log.count("main") == 1


@pytest.mark.parametrize("live", [False, True])
async def test_what_changed_while_away_is_shown(live: bool) -> None:
    def change(page: ft.Page) -> None:
        text = page.controls[0]
        assert isinstance(text, ft.Text)
        text.value = "changed"
        page.controls.insert(0, ft.Text("inserted"))
        page.controls.append(ft.Text("added"))
        del page.controls[2]
        page.title = "away"
        page.update()

    def main(page: ft.Page) -> None:
        page.add(ft.Text("first"), ft.Text("removed"), ft.Text("last"))

    async with InProcess(main) as app:
        async with app.connect() as client:
            await client.see("last")
        session = app.session
        await reached(lambda: not session.attached)
        await in_session(app, change)
        async with app.connect(after=client, live=live) as back:
            await back.see("added")
            assert back.page.root["title"] == "away"
            assert back.texts == ["inserted", "changed", "last", "added"]
            await in_session(app, add_text("later"))
            await back.see("later")


@pytest.mark.parametrize("live", [False, True])
async def test_controls_made_while_away_take_events(live: bool) -> None:
    def change(page: ft.Page) -> None:
        page.add(ft.Button("new", on_click=lambda: page.add(ft.Text("clicked"))))

    async with InProcess(lambda page: page.add(ft.Text("ready"))) as app:
        async with app.connect() as client:
            await client.see("ready")
        await reached(lambda: not app.session.attached)
        await in_session(app, change)
        async with app.connect(after=client, live=live) as back:
            await back.click("new")
            await back.see("clicked")


@pytest.mark.parametrize("live", [False, True])
async def test_what_was_taken_off_the_page_while_away_is_gone(live: bool) -> None:
    def main(page: ft.Page) -> None:
        page.appbar = ft.AppBar(title=ft.Text("bar"))
        page.title = "title"
        page.add(ft.Text("ready"))

    def change(page: ft.Page) -> None:
        page.appbar = None
        page.title = None
        page.clean()

    async with InProcess(main) as app:
        async with app.connect() as client:
            await client.see("ready", "bar")
        await reached(lambda: not app.session.attached)
        await in_session(app, change)
        async with app.connect(after=client, live=live) as back:
            await in_session(app, add_text("later"))
            await back.see("later")
            assert back.texts == ["later"]


@pytest.mark.parametrize("live", [False, True])
async def test_an_open_dialog_is_still_open_afterwards(live: bool) -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Text("ready"))
        page.show_dialog(ft.AlertDialog(title=ft.Text("sure?")))

    async with InProcess(main) as app:
        async with app.connect() as client:
            await client.see("ready", "sure?")
        async with app.connect(after=client, live=live) as back:
            await back.see("ready", "sure?")
            await in_session(app, lambda page: page.pop_dialog())
            await back.until(lambda: back.find(type="AlertDialog")["open"] is False)


@pytest.mark.parametrize("live", [False, True])
async def test_a_handler_that_runs_on_while_away_is_seen_afterwards(live: bool) -> None:
    resume = anyio.Event()

    def main(page: ft.Page) -> None:
        async def wait() -> None:
            page.add(ft.Text("waits"))
            await resume.wait()
            page.add(ft.Text("done"))

        page.add(ft.Button("go", on_click=wait))

    async with InProcess(main) as app:
        async with app.connect() as client:
            await client.click("go")
            await client.see("waits")
        session = app.session
        await reached(lambda: not session.attached)
        resume.set()
        async with app.connect(after=client, live=live) as back:
            await back.see("waits", "done")


async def test_a_client_that_comes_back_on_another_route_changes_route() -> None:
    def main(page: ft.Page) -> None:
        page.on_route_change = lambda: page.add(ft.Text(f"route {page.route}"))
        page.add(ft.Text("ready"))

    async with InProcess(main) as app:
        async with app.connect(route="/a") as client:
            await client.see("ready")
        async with app.connect(after=client, route="/b") as back:
            await back.see("route /b")
        async with app.connect(after=client, route="/b") as again:
            await in_session(app, add_text("later"))
            await again.see("later")
            assert again.texts.count("route /b") == 1


async def test_an_unknown_session_is_a_new_one() -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app:
        async with app.connect() as client:
            await client.click("+")
            await client.see("count 1")
            app.session.close()
            await client.until(lambda: client.closed)
        async with app.connect(after=client, live=True) as back:
            await back.see("count 0")
            assert app.session_of(back) is not app.session_of(client)
            assert "count 1" not in back.texts
            await back.click("+")
            await back.see("count 1")
        assert log.count("main") == 2


async def test_the_session_of_another_app_is_not_given_away() -> None:
    def one(page: ft.Page) -> None:
        page.add(ft.Text("one"))

    def two(page: ft.Page) -> None:
        page.add(ft.Text("two"))

    async with InProcess(one) as app, InProcess(two) as other, app.connect() as client:
        await client.see("one")
        async with other.connect(after=client) as stranger:
            await stranger.see("two")
            assert other.session_of(stranger) is not app.session_of(client)


# --- two tabs ---------------------------------------------------------------------------------


async def test_tabs_without_a_session_each_get_one() -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app, app.connect() as a, app.connect() as b:
        await a.click("+")
        await a.see("count 1")
        await b.see("count 0")
        assert app.session_of(a) is not app.session_of(b)
        assert len(app.sessions) == 2


async def test_a_duplicated_tab_gets_a_session_of_its_own() -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app, app.connect() as first:
        await first.click("+")
        await first.see("count 1")
        async with app.connect(after=first) as copy:
            await copy.see("count 0")
            assert app.session_of(copy) is not app.session_of(first)
            await first.click("+")
            await first.see("count 2")
            assert not first.closed
            assert log == ["main", "main"]
            assert len(app.sessions) == 2


async def test_a_live_page_takes_over_from_an_old_connection_that_still_looks_open() -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app, app.connect() as first:
        await first.click("+")
        await first.see("count 1")
        async with app.connect(after=first, live=True) as second:
            await second.see("count 1")
            assert app.session_of(second) is app.session_of(first)
            await first.until(lambda: first.closed)
            assert len(app.sessions) == 1
            await second.click("+")
            await second.see("count 2")
            assert log == ["main", "disconnect", "connect"]


async def test_a_reload_takes_over_when_the_old_connection_does_not_answer() -> None:
    log: list[str] = []
    limits = Limits(ping_timeout=0.01)
    async with InProcess(app_with_log(log), limits=limits) as app, app.connect() as first:
        await first.click("+")
        await first.see("count 1")
        first.silent = True
        async with app.connect(after=first) as second:
            await second.see("count 1")
            assert app.session_of(second) is app.session_of(first)
            await first.until(lambda: first.closed)
            assert len(app.sessions) == 1
            assert log == ["main", "disconnect", "connect"]


async def test_a_reload_takes_over_when_the_old_connection_reads_nothing() -> None:
    log: list[str] = []
    limits = Limits(ping_timeout=0.01)
    async with (
        InProcess(app_with_log(log), limits=limits) as app,
        app.connect(frames=0, register=False) as first,
    ):
        first.register()
        await first.read_one()
        assert first.session_id is not None
        async with app.connect(after=first) as second:
            await second.see("count 0")
            assert app.session_of(second) is app.session_of(first)
            assert log == ["main", "disconnect", "connect"]


async def test_a_reload_takes_over_at_once_when_the_old_connection_breaks_meanwhile() -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app, app.connect() as first:
        await first.click("+")
        await first.see("count 1")
        first.answers["ready"] = first.drop
        async with app.connect(after=first) as second:
            await second.see("count 1")
            assert app.session_of(second) is app.session_of(first)
            assert log == ["main", "disconnect", "connect"]


async def test_the_old_connection_no_longer_reaches_the_session() -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app, app.connect() as first:
        await first.see("count 0")
        async with app.connect(after=first, live=True) as second:
            await second.see("count 0")
            first.fire("+", "click")
            await second.click("+")
            await second.see("count 1")
            assert "count 2" not in second.texts


async def test_many_reconnects_leave_one_session_and_a_working_page() -> None:
    log: list[str] = []
    async with InProcess(app_with_log(log)) as app:
        async with app.connect() as client:
            await client.see("count 0")
        for number in range(10):
            async with app.connect(after=client, live=number % 2 == 0) as client:
                await client.click("+")
                await client.see(f"count {number + 1}")
        assert len(app.sessions) == 1
        await reached(lambda: log.count("disconnect") == 11)
        assert log.count("connect") == 10


async def test_a_connection_that_was_taken_over_says_nothing_any_more() -> None:
    log: list[str] = []
    limits = Limits(ping_timeout=0.01)
    async with (
        InProcess(app_with_log(log), limits=limits) as app,
        app.connect(frames=0, register=False) as first,
    ):
        first.register()
        await read_until(first, "+")
        session, token = app.session, first.session_id
        async with app.connect(after=first, register=False) as lost:
            lost.drop_after(1)  # the answer, with another token, is lost on the way
            lost.register()
            await lost.until(lambda: lost.closed)
        first.fire("+", "click")
        for _ in range(20):
            await checkpoint()
        first.session_id = token
        async with app.connect(after=first) as again:
            await again.see("count 0")
            assert app.session_of(again) is session


async def test_a_session_that_is_closed_before_it_runs_ends() -> None:
    async with InProcess(app_with_log([])) as app:
        for steps in range(15):
            async with app.connect(register=False) as client:
                client.register()
                for _ in range(steps):
                    await checkpoint()
                for session in app.sessions:
                    session.close()
            for session in app.sessions:  # it had not come so far
                session.close()
            await reached(lambda: not app.sessions)
