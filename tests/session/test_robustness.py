"""What apps and clients do wrong ends where it began."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import logging
import sys
import threading
import weakref
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import flet as ft
import msgpack
import pytest
from anyio.lowlevel import checkpoint
from flet.messaging.protocol import MessageAction

from flet_anyio import FletApp, Limits, SessionClosed
from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import Client, InProcess, MemoryTransport
from flet_anyio.transports import PeerInfo
from waiting import reached

pytestmark = pytest.mark.anyio


def counter(page: ft.Page) -> None:
    count = ft.Text("0")

    def add() -> None:
        count.value = str(int(count.value) + 1)

    page.add(count, ft.Button("+", on_click=add))


def with_button(handler: Any) -> Any:
    def main(page: ft.Page) -> None:
        counter(page)
        page.add(ft.Button("go", on_click=handler))

    return main


class Odd(BaseException):
    pass


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")


def raises(error: BaseException) -> Any:
    def handler() -> None:
        raise error

    return handler


@pytest.mark.parametrize(
    "error",
    [
        Odd("odd"),
        asyncio.CancelledError(),
        SilentError(),
        ValueError("\udc80"),
        ExceptionGroup("group", [ValueError("inner")]),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("debug", [False, True])
async def test_whatever_a_handler_raises_ends_nothing_else(
    error: BaseException, debug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    # A text that no encoding takes ends test runners that tell each other of the log.
    caplog.set_level(logging.CRITICAL + 1)
    async with InProcess(with_button(raises(error)), debug=debug) as app, app.connect() as client:
        await client.click("go")
        await client.until(lambda: client.errors)
        await client.click("+")
        await client.see("1")


async def test_an_error_that_cannot_be_told_still_reaches_on_error() -> None:
    def main(page: ft.Page) -> None:
        page.on_error = lambda e: page.add(ft.Text(f"told: {e.data}"))
        page.add(ft.Button("go", on_click=raises(SilentError())))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.see("told: SilentError")


async def test_a_base_exception_of_an_async_handler_ends_nothing_else() -> None:
    async def handler() -> None:
        await checkpoint()
        raise Odd

    async with InProcess(with_button(handler)) as app, app.connect() as client:
        await client.click("go")
        await client.until(lambda: client.errors)
        await client.click("+")
        await client.see("1")


async def test_an_exit_in_a_handlers_own_group_ends_its_session_only(
    anyio_backend_name: str,
) -> None:
    if anyio_backend_name != "trio":
        pytest.skip("on asyncio, SystemExit in a child task ends the loop itself")

    async def leave() -> None:
        sys.exit(3)

    async def handler() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leave)

    async with (
        InProcess(with_button(handler)) as app,
        app.connect() as other,
        app.connect() as client,
    ):
        await client.click("go")
        await client.until(lambda: client.closed)
        await other.click("+")
        await other.see("1")


async def test_threads_may_start_tasks_while_their_session_closes() -> None:
    async def nothing() -> None:
        pass

    refused: list[SessionClosed] = []

    def hammer(page: ft.Page) -> None:
        while True:
            try:
                page.run_task(nothing)
            except SessionClosed as error:
                refused.append(error)
                return

    for _ in range(10):
        async with InProcess(counter) as app, app.connect() as client:
            await client.see("+")
            session = app.session
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(anyio.to_thread.run_sync, hammer, session.page)
                await checkpoint()
                session.close()
    assert len(refused) == 20


async def test_threads_that_wait_for_a_task_learn_that_it_was_cancelled() -> None:
    async with InProcess(counter) as app, app.connect() as client:
        await client.see("+")
        future = app.session.page.run_task(anyio.sleep_forever)
        async with anyio.create_task_group() as tasks:
            done: list[Any] = []
            waiting = threading.Event()

            def wait() -> None:
                waiting.set()
                done.append(concurrent.futures.wait([future], 5).done)

            tasks.start_soon(anyio.to_thread.run_sync, wait)
            await reached(waiting.is_set)
            app.session.close()
        assert done == [{future}]


async def test_services_may_be_made_while_drawing_and_in_a_thread_at_once() -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Drawn(ft.Container):
        def build(self) -> None:
            inside.set()
            go_on.wait(0.2)
            self.clipboard = ft.Clipboard()

    def in_thread(page: ft.Page) -> None:
        inside.wait(5)
        page.data = ft.Clipboard()
        go_on.set()

    def main(page: ft.Page) -> None:
        def go() -> None:
            page.run_thread(in_thread, page)
            page.add(Drawn(), ft.Text("drawn"))

        page.add(ft.Button("go", on_click=go))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("go")
        await client.see("drawn")


async def test_a_page_that_cannot_be_drawn_is_answered_with_an_error() -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Text("fine"))
        page.add(ft.Text("not fine", tooltip=object()))  # type: ignore[arg-type]

    async with InProcess(main, renderer="flet") as app, app.connect() as client:
        await client.until(lambda: client.errors)
        client.drop()
        client.page.root["window"]["m"] = 1_000  # in the middle of an update: no way to go on
        async with app.connect(after=client, live=True) as back:
            assert back.registered
            (reply,) = [body for action, body in back.received if action == 1]
            assert reply["error"]
            await back.until(lambda: back.errors)


async def test_what_cannot_be_sent_keeps_back_nothing_else() -> None:
    def main(page: ft.Page) -> None:
        def spoil() -> None:
            box.content = ft.Text("lost", tooltip=object())  # type: ignore[arg-type]
            text.value = "set"
            page.add(ft.Text("added"))

        def mend() -> None:
            box.content = ft.Text("mended")

        box, text = ft.Container(), ft.Text("")
        page.add(ft.Button("spoil", on_click=spoil), ft.Button("mend", on_click=mend), box, text)

    async with InProcess(main, renderer="tracked") as app, app.connect() as client:
        await client.click("spoil")
        await client.see("added")
        await client.until(lambda: client.errors)
        await client.click("mend")
        await client.see("mended", "set")
        assert "lost" not in client.texts
        client.drop()
        async with app.connect(after=client) as back:
            await back.see("mended", "added", "set")


async def test_a_crash_of_main_is_shown_to_those_who_come_later() -> None:
    failed = anyio.Event()

    async def main(page: ft.Page) -> None:
        page.add(ft.Text("half a page"))
        await failed.wait()
        raise ValueError("broken")

    async with InProcess(main) as app, app.connect() as client:
        await client.see("half a page")
        client.drop()
        session = app.session
        await reached(lambda: not session.attached)
        failed.set()
        async with app.connect(after=client, live=True) as back:
            await back.until(lambda: back.errors)
            assert "broken" in back.errors[0]
            assert app.session is session


async def test_a_reload_after_a_crash_of_main_starts_anew() -> None:
    starts: list[ft.Page] = []

    def main(page: ft.Page) -> None:
        starts.append(page)
        page.add(ft.Text("ready"))
        if len(starts) == 1:
            raise ValueError("broken")

    async with InProcess(main) as app, app.connect() as client:
        await client.until(lambda: client.errors)
        crashed = app.session
        client.drop()
        async with app.connect(after=client) as back:
            await back.see("ready")
            assert not back.errors
            assert crashed.reason is Reason.REPLACED
            assert app.session is not crashed


async def test_a_hook_that_raises_keeps_no_other_from_running() -> None:
    mounted: list[str] = []

    class Fails(ft.Container):
        def did_mount(self) -> None:
            raise ValueError("no mount")

    class Works(ft.Container):
        def did_mount(self) -> None:
            mounted.append("works")

    def main(page: ft.Page) -> None:
        page.add(Fails(), Works())

    async with InProcess(main) as app, app.connect() as client:
        await client.until(lambda: client.errors)
        assert "no mount" in client.errors[0]
        assert mounted == ["works"]


async def test_a_client_sets_no_handlers_and_nothing_that_the_server_knows() -> None:
    closed: list[str] = []

    def main(page: ft.Page) -> None:
        page.data = "mine"
        page.on_close = lambda: closed.append("closed")
        counter(page)

    async with InProcess(main) as app:
        async with app.connect() as client:
            forbidden = {
                "on_close": None,
                "data": "evil",
                "client_ip": "1.2.3.4",
                "_parent": {"a": 1},
                "_i": 5,
            }
            props = {**forbidden, "width": 321.0}
            client.send(MessageAction.UPDATE_CONTROL_PROPS, {"id": 1, "props": props})
            await client.click("+")
            await client.see("1")
            page = app.session.page
            assert (page.data, page.client_ip, page.width) == ("mine", "127.0.0.1", 321.0)
        app.session.close()
        await reached(lambda: closed)


async def test_unknown_controls_have_the_page_searched_once() -> None:
    async with InProcess(counter) as app, app.connect() as client:
        await client.click("+")
        await client.see("1")
        index, page = app.session.index, app.session.page
        assert index.find(10**8, page) is None
        assert index.complete
        assert index.find(10**8 + 1, page) is None
        page.add(ft.Text("more"))
        assert not index.complete


async def test_what_waits_for_a_dead_connection_is_dropped() -> None:
    limits = Limits(outbox_bytes=10_000, ping_timeout=1)
    async with InProcess(counter, limits=limits) as app, app.connect(frames=2) as client:
        await client.see("+")
        (connection,) = app.connections
        client.drop()
        await reached(lambda: not app.session.attached)
        for _ in range(5):
            connection.send_data_channel_frame(1, bytes(9_000))


async def test_a_session_that_waits_keeps_nothing_of_its_dead_connection() -> None:
    info = PeerInfo(url="ws://test/", path="/", client_ip="", headers={})
    async with InProcess(counter) as app:
        transport = MemoryTransport(info)
        client = Client(transport)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(FletApp(main=counter, server=app.server).handle, transport)
            tasks.start_soon(client.run)
            client.register()
            await client.see("0")
            transport.drop()
        there = weakref.ref(transport)
        del client, transport
        gc.collect()
        assert there() is None
        assert app.session.open


async def test_a_connection_that_waits_keeps_nothing_of_the_last_message() -> None:
    async with InProcess(counter) as app, app.connect() as client:
        await client.see("0")
        frame = b"".join([b"\0", msgpack.packb([4, {"id": 1, "props": {"data": "x" * 10_000}}])])
        client.transport.client_send(frame)
        # Nothing refers to it but this function, and the call that counts.
        await reached(lambda: sys.getrefcount(frame) <= 2)
        await client.click("+")
        await client.see("1")


async def test_who_subscribes_after_the_end_is_not_kept() -> None:
    async with InProcess(counter) as app, app.connect() as other:
        await other.see("+")
        async with app.connect() as client:
            await client.see("+")
            session = app.session_of(client)
            assert session is not None
            session.close()
            await client.until(lambda: client.closed)
            await reached(lambda: len(app.sessions) == 1)
            page = weakref.ref(session.page)
            session.page.pubsub.subscribe(partial(str, session.page))
            app.connections.clear()
            del session
        for _ in range(5):
            await checkpoint()
            gc.collect()
        assert page() is None


async def test_what_a_handler_returns_as_it_ends_its_session_is_not_left_behind() -> None:
    async def later() -> None:
        raise AssertionError("it ran")

    def main(page: ft.Page) -> None:
        def leave() -> Any:
            page.session.close()
            return later()

        page.add(ft.Button("leave", on_click=leave))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("leave")
        await reached(lambda: not app.sessions)
    gc.collect()  # a coroutine that nobody awaited would be a warning now
