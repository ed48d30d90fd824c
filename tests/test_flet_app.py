from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import flet as ft
import pytest

from flet_anyio import FletApp
from flet_anyio.testing import InProcess
from flet_anyio.web.uploads.grants import GrantSigner

if TYPE_CHECKING:
    from collections.abc import Iterator


def main(page: ft.Page) -> None:
    page.add(ft.Text("hello"))


@pytest.fixture
def other_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    running = threading.Event()
    loop.call_soon(running.set)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running.wait(5)
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


def test_upstreams_calls_work_unchanged(other_loop: asyncio.AbstractEventLoop) -> None:
    with ThreadPoolExecutor() as executor:
        app = FletApp(other_loop, executor, main, None, 60, 30, "/upload", "secret")
        assert app.loop is other_loop
        assert app.executor is executor
        assert app.session_timeout == 60


def test_everything_but_main_may_be_left_out() -> None:
    app = FletApp(main=main)
    assert app.session_timeout == 3600


def test_times_come_from_the_environment_when_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLET_SESSION_TIMEOUT", "7")
    assert FletApp(main=main).session_timeout == 7
    assert FletApp(main=main, session_timeout_seconds=0).session_timeout == 0


def test_a_wrong_time_in_the_environment_names_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLET_OAUTH_STATE_TIMEOUT", "soon")
    with pytest.raises(ValueError, match="FLET_OAUTH_STATE_TIMEOUT"):
        FletApp(main=main)


@pytest.mark.parametrize("name", ["session_timeout_seconds", "oauth_state_timeout_seconds"])
@pytest.mark.parametrize("value", [-1, -0.001, float("nan"), float("inf"), True, "60"])
def test_times_are_numbers_from_zero_up(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        FletApp(main=main, **{name: value})


def test_main_must_be_callable() -> None:
    with pytest.raises(TypeError, match="main"):
        FletApp()
    with pytest.raises(TypeError, match="before_main"):
        FletApp(main=main, before_main=5)  # type: ignore[arg-type]


def test_a_closed_loop_is_refused() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(ValueError, match="closed"):
        FletApp(loop, main=main)


def test_a_stopped_loop_is_refused() -> None:
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(ValueError, match="stopped"):
            FletApp(loop, main=main)
    finally:
        loop.close()


def test_a_shut_down_executor_is_refused() -> None:
    executor = ThreadPoolExecutor()
    executor.shutdown()
    with pytest.raises(ValueError, match="shut down"):
        FletApp(None, executor, main)


@pytest.mark.parametrize(("loop", "executor"), [(5, None), (None, 5)])
def test_other_things_than_loops_and_executors_are_refused(loop: Any, executor: Any) -> None:
    with pytest.raises(TypeError):
        FletApp(loop, executor, main)


def test_before_handle_there_is_no_hub_and_no_executor() -> None:
    app = FletApp(main=main)
    with pytest.raises(RuntimeError, match="handle"):
        _ = app.pubsubhub
    with pytest.raises(RuntimeError, match="handle"):
        _ = app.executor


@pytest.mark.anyio
class TestRunning:
    async def test_the_face_of_a_connection(self) -> None:
        async with InProcess(main, path="/shop/ws") as app, app.connect() as client:
            await client.see("hello")
            (connection,) = app.connections
            assert connection.page_url == "ws://test/shop"
            assert connection.page_name == "shop"
            assert isinstance(connection.executor, ThreadPoolExecutor)
            assert connection.pubsubhub is not None
            assert connection.loop is app.session.page.loop

    async def test_send_message_reaches_the_client(self) -> None:
        from flet.messaging.protocol import Message, MessageAction, SessionCrashedBody

        async with InProcess(main) as app, app.connect() as client:
            (connection,) = app.connections
            connection.send_message(
                Message(MessageAction.SESSION_CRASHED, SessionCrashedBody("from the app"))
            )
            await client.until(lambda: client.errors == ["from the app"])

    async def test_dispose_closes_the_connection_and_keeps_the_session(self) -> None:
        async with InProcess(main) as app, app.connect() as client:
            app.connections[0].dispose()
            await client.until(lambda: client.closed)
            assert client.transport.close_code == 1000
            async with app.connect(after=client) as again:
                await again.see("hello")
                assert len(app.sessions) == 1

    async def test_upload_urls_are_signed(self) -> None:
        async with (
            InProcess(main, secret_key="secret", upload_endpoint_path="/up") as app,
            app.connect() as client,
        ):
            await client.see("hello")
            url = app.session.page.get_upload_url("a b.txt", 60)
            path, _, token = url.partition("?grant=")
            grant = GrantSigner("secret").read(token, "up")
            assert (path, grant.file_name) == ("/up", "a b.txt")
            assert (grant.server, grant.session) == (app.server.name, app.session.label)

    async def test_upload_urls_begin_with_what_a_proxy_strips(self) -> None:
        async with (
            InProcess(main, path="/dash/ws", secret_key="secret", proxy_path="/apps/m/") as app,
            app.connect() as client,
        ):
            await client.see("hello")
            url = app.session.page.get_upload_url("a", 60)
            path, _, token = url.partition("?grant=")
            assert path == "/apps/m/dash/upload"
            assert GrantSigner("secret").read(token, "/dash/upload").file_name == "a"

    async def test_upload_urls_lie_beside_the_socket_by_default(self) -> None:
        async with (
            InProcess(main, path="/shop/ws", secret_key="secret") as app,
            app.connect() as client,
        ):
            await client.see("hello")
            assert app.session.page.get_upload_url("a", 60).startswith("/shop/upload?")

    async def test_upload_urls_need_a_secret(self) -> None:
        async with InProcess(main) as app, app.connect() as client:
            await client.see("hello")
            with pytest.raises(ValueError, match="secret_key"):
                app.session.page.get_upload_url("a", 60)

    async def test_a_flet_app_serves_one_connection(self) -> None:
        async with InProcess(main) as app, app.connect() as client:
            await client.see("hello")
            with pytest.raises(RuntimeError, match="one connection"):
                await app.connections[0].handle(client.transport)

    async def test_handle_refuses_what_is_no_websocket(self) -> None:
        with pytest.raises(TypeError, match="trio-websocket"):
            await FletApp(main=main).handle(object())

    async def test_a_given_loop_is_what_the_page_returns(
        self, other_loop: asyncio.AbstractEventLoop
    ) -> None:
        async with InProcess(main, loop=other_loop) as app, app.connect() as client:
            await client.see("hello")
            assert app.session.page.loop is other_loop

    async def test_tasks_run_in_the_session_whatever_loop_is_given(
        self, other_loop: asyncio.AbstractEventLoop
    ) -> None:
        here = threading.get_ident()

        async def where(page: ft.Page) -> None:
            page.add(ft.Text("here" if threading.get_ident() == here else "elsewhere"))

        async with InProcess(main, loop=other_loop) as app, app.connect() as client:
            await client.see("hello")
            app.session.page.run_task(where, app.session.page)
            await client.see("here")
