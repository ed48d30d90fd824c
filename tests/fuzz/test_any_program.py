"""Whatever tabs do in whatever order, each session has one client and ends with nothing left."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
import pytest
from anyio.lowlevel import checkpoint
from flet.messaging.protocol import MessageAction
from hypothesis import given, settings
from hypothesis import strategies as st

from backends import REAL_TIME, VIRTUAL_TIME, backend_options
from flet_anyio import Limits
from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import InProcess
from waiting import reached

from .values import values

if TYPE_CHECKING:
    from flet_anyio.session.session import Session
    from flet_anyio.testing import Client

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

Step = tuple[str, int, Any]

_TIMEOUT = 30
_LIMITS = Limits(ping_timeout=0.05, register_timeout=5)


@pytest.fixture(params=[*REAL_TIME, *VIRTUAL_TIME])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return backend_options(request.param)


def main(page: ft.Page) -> None:
    count = ft.Text("0")

    def add() -> None:
        count.value = str(int(count.value) + 1)

    async def call() -> None:
        await page.session.invoke_method(field._i, "focus", None, 5)

    field = ft.TextField(label="field")
    page.add(count, ft.Button("add", on_click=add), ft.Button("call", on_click=call), field)


class World:
    """Tabs of one app."""

    def __init__(self, app: InProcess, connections: AsyncExitStack, virtual: bool) -> None:
        self._app = app
        self._connections = connections
        self._virtual = virtual
        self.tabs: list[Client] = []

    async def do(self, step: Step) -> None:
        name, number, value = step
        if name == "open" or not self.tabs:
            await self._open()
            return
        place = number % len(self.tabs)
        await getattr(self, f"_{name}")(place, value)
        self.check()

    def session_of(self, tab: Client) -> Session | None:
        return self._app.session_of(tab)

    def check(self) -> None:
        """One client for each session, and no session that a client shows but the server lost."""
        sessions = self._app.sessions
        clients = [session.connection for session in sessions if session.connection is not None]
        assert len(set(map(id, clients))) == len(clients)
        live = [self.session_of(tab) for tab in self.tabs if tab.registered and not tab.closed]
        there = [session for session in live if session is not None and session.attached]
        assert len(set(map(id, there))) == len(there)

    async def _open(self, after: Client | None = None, *, live: bool = False) -> Client:
        tab = await self._connections.enter_async_context(self._app.connect(after=after, live=live))
        await tab.until(lambda: tab.closed or "add" in tab.texts)
        self.tabs.append(tab)
        return tab

    async def _click(self, place: int, value: Any) -> None:
        tab = self.tabs[place]
        if tab.closed:
            return
        count = int(tab.texts[0])
        await tab.click("add")
        await tab.until(lambda: tab.closed or tab.texts[0] == str(count + 1))

    async def _call(self, place: int, value: Any) -> None:
        if not self.tabs[place].closed:
            await self.tabs[place].click("call")

    async def _say(self, place: int, value: Any) -> None:
        """Send an event that nobody handles, and a reply to no call."""
        tab = self.tabs[place]
        tab.fire("field", "change", value)
        body = {"control_id": 1, "call_id": str(place), "result": value, "error": None}
        tab.send(MessageAction.INVOKE_METHOD, body)

    async def _set(self, place: int, value: Any) -> None:
        """Set a property to anything; what does not fit ends the connection."""
        self.tabs[place].set("field", value=value)

    async def _early(self, place: int, value: Any) -> None:
        """Send an event before a registration."""
        async with self._app.connect(register=False) as tab:
            tab.fire(1, "click", value)
            await tab.until(lambda: tab.closed)
            assert self.session_of(tab) is None

    async def _twice(self, place: int, value: Any) -> None:
        tab = self.tabs[place]
        if not tab.closed:
            tab.register()
            await tab.until(lambda: tab.closed)

    async def _drop(self, place: int, value: Any) -> None:
        self.tabs[place].drop()

    async def _back(self, place: int, value: Any) -> None:
        """Come back with the page, or reload it: over a new connection."""
        tab = self.tabs.pop(place)
        tab.drop()
        await self._open(tab, live=bool(value))

    async def _duplicate(self, place: int, value: Any) -> None:
        """Duplicate a tab, whether or not it is there."""
        tab = self.tabs[place]
        there = not tab.closed and self.session_of(tab) is not None
        other = await self._open(tab)
        if there and not tab.closed:
            assert self.session_of(other) is not self.session_of(tab)

    async def _end(self, place: int, value: Any) -> None:
        session = self.session_of(self.tabs[place])
        if session is not None:
            session.close(Reason.CLOSED_BY_APP)
            await reached(lambda: session not in self._app.sessions)

    async def _expire(self, place: int, value: Any) -> None:
        """Let as much time go by as sessions live without a client, where time can be let."""
        if not self._virtual:
            return
        await anyio.sleep(_TIMEOUT + 1)
        assert all(session.attached for session in self._app.sessions)


STEPS = sorted(
    name.removeprefix("_")
    for name, value in vars(World).items()
    if name.startswith("_") and not name.startswith("__") and callable(value)
)
programs = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 9), values), min_size=10, max_size=25
)


@settings(max_examples=60)
@given(program=programs)
async def test_any_program_leaves_one_client_each_and_no_task(
    anyio_backend: Any, program: list[Step]
) -> None:
    before = {task.id for task in anyio.get_running_tasks()}
    virtual = "virtual" in str(anyio_backend).lower() or "clock" in str(anyio_backend)
    app = InProcess(main, limits=_LIMITS, session_timeout_seconds=_TIMEOUT)
    async with app, AsyncExitStack() as connections:
        world = World(app, connections, virtual)
        for step in program:
            await world.do(step)
            await checkpoint()
        for tab in world.tabs:
            tab.drop()
        await reached(lambda: not any(session.attached for session in app.sessions))
    assert not app.sessions
    assert {task.id for task in anyio.get_running_tasks()} <= before
