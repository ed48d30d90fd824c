"""Cancelled at each step: a task that holds something lets go of it, and nothing else is lost.

Each test runs a story again and again, and cancels one of its tasks after one step of the event
loop, after two, after three, until the story ends by itself before the cancellation comes. So it
is cancelled in every await that the story has.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
import pytest
from anyio.lowlevel import checkpoint

from flet_anyio import FletApp, Limits, Server
from flet_anyio.session.lifecycle import Reason, State
from flet_anyio.testing import Client, InProcess, MemoryTransport
from flet_anyio.transports.base import PeerInfo
from waiting import gone, reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ENOUGH = 400
"""Steps after which a story that has not ended is taken to hang."""


def main(page: ft.Page) -> None:
    count = ft.Text("count 0")

    async def add() -> None:
        await checkpoint()
        number = int(str(count.value).split()[1]) + 1
        count.value = f"count {number}"
        await checkpoint()

    page.add(count, ft.Button("+", on_click=add))


class Stumbling(MemoryTransport):
    """A transport that takes its time with everything."""

    async def accept(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        await checkpoint()
        await super().accept(headers)
        await checkpoint()

    async def receive(self) -> bytes | str:
        await checkpoint()
        return await super().receive()

    async def send(self, frame: bytes) -> None:
        await checkpoint()
        await super().send(frame)
        await checkpoint()

    async def close(self, code: int, reason: str) -> None:
        await checkpoint()
        await super().close(code, reason)
        await checkpoint()


@contextmanager
def transport() -> Iterator[Stumbling]:
    info = PeerInfo(url="ws://test/ws", path="/ws", client_ip="127.0.0.1", headers={})
    ends = Stumbling(info)
    try:
        yield ends
    finally:
        ends.drop()


async def cancelled_after(steps: int, story: Callable[[], Awaitable[Any]]) -> bool:
    """Run the story and cancel it after so many steps. Return whether it was over before."""
    over = False

    async def play() -> None:
        nonlocal over
        await story()
        over = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(play)
        for _ in range(steps):
            await checkpoint()
            if over:
                return True
        tasks.cancel_scope.cancel()
    return over


async def at_each_step(trial: Callable[[int], Awaitable[bool]]) -> None:
    """Have the trial cancel after more and more steps, until it had nothing to cancel."""
    for steps in range(ENOUGH):
        if await trial(steps):
            assert steps > 1, "the story was over before it could be cancelled"
            return
    pytest.fail(f"the story has not ended after {ENOUGH} steps")


async def use(client: Client, *, count: int) -> None:
    """Register, see the page, and click."""
    client.register()
    await client.until(lambda: client.registered)
    await client.click("+")
    await client.see(f"count {count}")


async def visit(connection: FletApp, ends: Stumbling, client: Client) -> None:
    """Connect, use the app, and let the connection be cancelled."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.handle, ends)
        tasks.start_soon(client.run)
        await use(client, count=1)
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def comes_back(app: InProcess, client: Client) -> AsyncIterator[Client]:
    """The same tab connects again, whatever it was given before."""
    async with app.connect(after=client, live=client.registered) as back:
        await back.until(lambda: any(text.startswith("count") for text in back.texts))
        yield back


@pytest.mark.parametrize("before_main", [False, True])
async def test_a_connection(before_main: bool) -> None:
    async def prepare(page: ft.Page) -> None:
        await checkpoint()

    settings: dict[str, Any] = {"before_main": prepare} if before_main else {}

    async def trial(steps: int) -> bool:
        async with InProcess(main, **settings) as app:
            with transport() as ends:
                client = Client(ends)
                connection = FletApp(main=main, server=app.server, **settings)

                over = await cancelled_after(steps, partial(visit, connection, ends, client))
                assert app.server.connections == 0
                assert ends.closed.is_set() or not ends.accepted.is_set()
                for session in app.sessions:
                    assert session.state is State.DETACHED
                    assert session.pending_calls == 0
                # Nobody gets a second session, and nothing counts twice.
                sessions = app.sessions
                async with comes_back(app, client) as back:
                    if client.session_id is not None:
                        assert app.sessions == sessions
                    number = 2 if "count 1" in back.texts else 1
                    await back.click("+")
                    await back.see(f"count {number}")
        assert app.sessions == []
        return over

    await at_each_step(trial)


async def test_a_connection_that_takes_over() -> None:
    limits = Limits(ping_timeout=0.001)

    async def trial(steps: int) -> bool:
        async with InProcess(main, limits=limits) as app, app.connect() as first:
            await first.see("count 0")
            session = app.session
            first.silent = True
            with transport() as ends:
                client = Client(ends)
                client.session_id = first.session_id
                connection = FletApp(main=main, server=app.server)

                over = await cancelled_after(steps, partial(visit, connection, ends, client))
                assert app.sessions == [session]
                # The first client is connected, or was told that it no longer is.
                assert session.attached != first.closed or await told(first)
                assert session.pending_calls == 0
                assert session.open
        return over

    async def told(first: Client) -> bool:
        await first.until(lambda: first.closed)
        return True

    await at_each_step(trial)


async def test_a_call() -> None:
    async def trial(steps: int) -> bool:
        async with InProcess(main) as app, app.connect() as client:
            await client.see("count 0")
            session = app.session

            async def story() -> None:
                await session.invoke_method(1, "method", None, 60)

            over = await cancelled_after(steps, story)
            assert session.pending_calls == 0
            await client.click("+")
            await client.see("count 1")
        return over

    await at_each_step(trial)


async def test_a_session() -> None:
    async def trial(steps: int) -> bool:
        log: list[str] = []

        def app_main(page: ft.Page) -> None:
            page.on_close = lambda: log.append("close")
            main(page)

        async with InProcess(app_main) as app:
            session: Any = None

            async def story() -> None:
                nonlocal session
                async with app.connect(register=False) as client:
                    client.register()
                    await client.until(lambda: app.sessions)
                    session = app.session
                    await client.see("count 0")
                    await client.click("+")
                    await client.see("count 1")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(story)
                for _ in range(steps):
                    await checkpoint()
                for living in app.sessions:
                    living.close()
                tasks.cancel_scope.cancel()
            await reached(lambda: not app.sessions)
            if session is not None and session.reason is not None:
                assert session.state is State.CLOSED
                assert session.reason is Reason.CLOSED_BY_APP
                assert log in ([], ["close"])
            assert app.server.connections == 0
        return steps > 60

    await at_each_step(trial)


async def test_a_server() -> None:
    async def trial(steps: int) -> bool:
        log: list[str] = []

        async def app_main(page: ft.Page) -> None:
            async def last_words() -> None:
                await checkpoint()
                log.append("close")

            page.on_close = last_words
            main(page)
            log.append("main")

        server = Server()
        with transport() as ends:
            client = Client(ends)

            async def story() -> None:
                async with server, anyio.create_task_group() as tasks:
                    tasks.start_soon(FletApp(main=app_main, server=server).handle, ends)
                    tasks.start_soon(client.run)
                    await use(client, count=1)
                    tasks.cancel_scope.cancel()

            over = await cancelled_after(steps, story)
            assert server.sessions == []
            assert server.connections == 0
            # Whatever main had set up was run to its end.
            assert log.count("close") == log.count("main")
            return over

    await at_each_step(trial)


async def test_a_task_of_a_page() -> None:
    async def trial(steps: int) -> bool:
        ended: list[str] = []

        async def work() -> str:
            try:
                for _ in range(5):
                    await checkpoint()
                return "done"
            finally:
                ended.append("ended")

        async with InProcess(main) as app, app.connect() as client:
            await client.see("count 0")
            future = app.session.page.run_task(work)
            for _ in range(steps):
                await checkpoint()
            over = not future.cancel()
            await reached(future.done)
            await client.click("+")
            await client.see("count 1")
            assert ended in ([], ["ended"])
            assert not over or future.result() == "done"
        return over

    await at_each_step(trial)


async def test_a_client_that_waits_for_its_stand_in() -> None:
    async def trial(steps: int) -> bool:
        async with InProcess(main) as app, app.connect() as first:
            await first.see("count 0")
            session = app.session
            await gone(first)
            with transport() as ends:
                client = Client(ends)
                client.session_id = first.session_id
                client.page = first.page
                client.page.root["window"]["e"] = "another page"
                connection = FletApp(main=main, server=app.server)

                over = await cancelled_after(steps, partial(visit, connection, ends, client))
                assert app.sessions == [session]
                assert not session.attached
                assert session.pending_calls == 0
                async with app.connect(after=client, live=True) as back:
                    await back.until(lambda: any(t.startswith("count") for t in back.texts))
                    assert app.session_of(back) is session
        return over

    await at_each_step(trial)
