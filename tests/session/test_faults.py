"""A thousand faults by script: whatever happens to a connection, its user's state stays.

A script is a seed. It plays rounds: the app edits its page and the user acts, a fault befalls
the connection, more is edited and done while the client is away, it comes back, and when all is
quiet the client's page is compared with the server's, control by control.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import flet as ft
import msgpack
import pytest
from anyio.lowlevel import checkpoint
from flet.controls.base_control import BaseControl
from flet.messaging.protocol import (
    MessageAction,
    configure_encode_object_for_msgpack,
    decode_ext_from_msgpack,
)

from backends import VIRTUAL_TIME, backend_options
from flet_anyio import Limits
from flet_anyio.testing import Client, InProcess, PageModel
from flet_anyio.wire.packets import decode_packet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from anyio.abc import TaskGroup, TaskStatus

    from flet_anyio.session.session import Session
    from flet_anyio.testing import MemoryTransport

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SCRIPTS = 100
FAULTS_EACH = 10
NONSENSE: list[bytes | str] = [b"\x00", b"\x00\xc1", b"\x07abc", "text", b"\x00\x92\x03\x80"]

Fault: TypeAlias = "Callable[[Script], Awaitable[None]]"

_encode = configure_encode_object_for_msgpack(BaseControl)


@pytest.fixture(params=VIRTUAL_TIME)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return backend_options(request.param)


# --- the app ----------------------------------------------------------------------------------


class Desk:
    """One session of the app, and what its user did there."""

    def __init__(self, page: ft.Page) -> None:
        self.page = page
        self.field = ft.TextField(label="Name")
        self.count = ft.Text("0 clicks")
        self.rows = ft.Column()
        self.clicks: list[int] = []
        page.add(
            ft.Button("now", on_click=self.click),
            ft.Button("later", on_click=self.click_later),
            ft.Button("in steps", on_click=self.click_in_steps),
            ft.Button("broken", on_click=self.fail),
            self.count,
            self.field,
            self.rows,
        )

    @property
    def session(self) -> Session:
        session: Session = self.page.session  # type: ignore[assignment]
        return session

    def click(self, e: ft.Event[ft.Button]) -> None:
        assert isinstance(e.data, int)
        self.clicks.append(e.data)
        self.count.value = f"{len(self.clicks)} clicks"

    async def click_later(self, e: ft.Event[ft.Button]) -> None:
        self.click(e)
        for _ in range(len(self.clicks) % 5):
            await checkpoint()

    def click_in_steps(self, e: ft.Event[ft.Button]) -> Iterator[None]:
        # Whatever comes after this event waits in the queue meanwhile.
        self.click(e)
        for _ in range(20):
            yield

    def fail(self) -> None:
        raise ValueError("a fault of the app")


def add_row(desk: Desk, rng: random.Random) -> None:
    place = rng.randint(0, len(desk.rows.controls))
    row = ft.Row([ft.Text(f"row {rng.random()}"), ft.TextField(label="in a row")])
    desk.rows.controls.insert(place, rng.choice([row, row.controls[0]]))
    rng.choice([desk.rows, desk.page]).update()


def remove_rows(desk: Desk, rng: random.Random) -> None:
    del desk.rows.controls[rng.randint(0, len(desk.rows.controls)) :]
    desk.rows.update()


def move_rows(desk: Desk, rng: random.Random) -> None:
    rng.shuffle(desk.rows.controls)
    rng.choice([desk.rows, desk.page]).update()


def add_text(desk: Desk, rng: random.Random) -> None:
    desk.page.add(ft.Text(f"text {rng.random()}"))


def change_text(desk: Desk, rng: random.Random) -> None:
    texts = [c for c in desk.rows.controls + desk.page.controls if isinstance(c, ft.Text)]
    text = rng.choice(texts)
    text.value, text.visible = f"changed {rng.random()}", rng.random() < 0.8
    rng.choice([text, desk.page]).update()


def open_dialog(desk: Desk, rng: random.Random) -> None:
    desk.page.show_dialog(ft.AlertDialog(title=f"dialog {rng.random()}", content=ft.Text("?")))


def close_dialog(desk: Desk, rng: random.Random) -> None:
    desk.page.pop_dialog()


def change_title(desk: Desk, rng: random.Random) -> None:
    desk.page.title = rng.choice([None, "one", "two"])
    desk.page.appbar = rng.choice([None, ft.AppBar(title=ft.Text("bar"))])
    desk.page.update()


EDITS: list[Callable[[Desk, random.Random], None]] = [
    add_row,
    add_row,
    remove_rows,
    move_rows,
    add_text,
    change_text,
    open_dialog,
    close_dialog,
    change_title,
]


# --- the client -------------------------------------------------------------------------------


@dataclass
class Line:
    """One connection of the tab, as both of its ends see it."""

    client: Client
    scope: anyio.CancelScope
    sent: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    texts_received: list[str] = field(default_factory=list)

    def watch(self, transport: MemoryTransport) -> None:
        """Note what the server takes from the wire: the rest is lost with the connection."""
        receive = transport.receive

        async def noting() -> bytes | str:
            frame = await receive()
            self._note(frame)
            return frame

        transport.receive = noting  # type: ignore[method-assign]

    def _note(self, frame: bytes | str) -> None:
        if frame in NONSENSE:
            return
        packet = decode_packet(frame)
        action, body = msgpack.unpackb(packet.body, strict_map_key=False)  # type: ignore[union-attr]
        if action == MessageAction.CONTROL_EVENT.value and type(body["data"]) is int:
            self.received.append(body["data"])
        elif action == MessageAction.UPDATE_CONTROL_PROPS.value:
            self.texts_received.append(body["props"]["value"])


class _First(dict[str, Any]):
    """A client's answers, which does something before it gives any."""

    def __init__(self, first: Callable[[], None]) -> None:
        super().__init__()
        self._first = first

    def get(self, name: str, default: Any = None) -> Any:
        self._first()
        return super().get(name, default)


class Tab:
    """A tab of a browser through all its connections. What is done while it has none waits."""

    def __init__(self, app: InProcess, tasks: TaskGroup) -> None:
        self._app = app
        self._tasks = tasks
        self._queued: list[Callable[[Line], None]] = []
        self._typed: tuple[Line | None, str] = (None, "")
        self.line: Line = None  # type: ignore[assignment]
        self.lines: list[Line] = []

    @property
    def client(self) -> Client:
        return self.line.client

    @property
    def away(self) -> bool:
        return self.client.closed or not self.client.registered

    async def open(
        self, *, reloaded: bool = False, cut: int | None = None, frames: float = float("inf")
    ) -> None:
        """Connect and register; lose that connection after `cut` frames."""
        before = self.line
        self.line = await self._tasks.start(self._hold, before, not reloaded, frames)
        self.lines.append(self.line)
        client = self.client
        client.patience = 100
        self.line.watch(client.transport)
        if reloaded:
            self._queued.clear()
            self._typed = (None, "")
        if before is not None:
            # The tab listens to one connection; what arrives at the other changes it no more.
            before.client.page = copy.deepcopy(before.client.page)
        # What was queued goes out before the answer to any call.
        client.answers = _First(partial(self._send_queued, self.line))
        if cut is not None:
            client.drop_after(cut)
        client.register()

    async def registered(self) -> None:
        """Wait for the reply; then send what was done meanwhile, as the real client does."""
        await self.client.until(lambda: self.client.registered or self.client.closed)
        if not self.away:
            self._send_queued(self.line)

    def close(self) -> None:
        """Cancel the connection at the server, in whatever it does."""
        self.line.scope.cancel()
        self.client.closed = True

    def click(self, number: int, button: str) -> None:
        target = self._find(button)
        if target is not None:
            self._do(partial(self._send_click, target, number))

    def type(self, text: str) -> None:
        """Change the text of the field. It shows at once, connected or not."""

        target = self._find("Name")
        if target is not None:
            node = self.client.page.by_id(target)
            assert node is not None
            node.fields["value"] = text
            self._do(partial(self._send_text, target, text))

    def type_what_was_lost(self) -> None:
        """The client does not send a lost text again; the next key does."""
        line, text = self._typed
        if line is not None and line is not self.line and text not in line.texts_received:
            self.type(text)

    async def _hold(
        self,
        before: Line | None,
        live: bool,
        frames: float,
        *,
        task_status: TaskStatus[Line],
    ) -> None:
        after = None if before is None else before.client
        with anyio.CancelScope() as scope:
            async with self._app.connect(
                after=after, live=live, register=False, frames=frames
            ) as client:
                task_status.started(Line(client, scope))
                await anyio.sleep_forever()

    def _find(self, text: str) -> int | None:
        try:
            return self.client.find(text).id
        except LookupError:
            return None  # it is not on the screen now

    def _send_click(self, target: int, number: int, line: Line) -> None:
        line.sent.append(number)
        line.client.fire(target, "click", number)

    def _send_text(self, target: int, text: str, line: Line) -> None:
        line.client.set(target, value=text)
        self._typed = (line, text)

    def _do(self, send: Callable[[Line], None]) -> None:
        if self.away:
            self._queued.append(send)
        else:
            send(self.line)

    def _send_queued(self, line: Line) -> None:
        queued, self._queued = self._queued, []
        for send in queued:
            send(line)


# --- scripts ----------------------------------------------------------------------------------


class Script:
    """A seed, played."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.desks: list[Desk] = []
        self.clicks = 0
        self.app: InProcess
        self.tab: Tab
        self.desk: Desk

    def main(self, page: ft.Page) -> None:
        self.desks.append(Desk(page))

    async def play(self, faults: Sequence[Fault]) -> None:
        limits = Limits(journal_bytes=self.rng.choice([300, 3_000, 64 * 1024]), write_timeout=30)
        async with (
            InProcess(self.main, limits=limits) as self.app,
            anyio.create_task_group() as tasks,
        ):
            self.tab = Tab(self.app, tasks)
            await self.tab.open()
            await self.tab.registered()
            await self.quiet()
            (self.desk,) = self.desks
            for fault in faults:
                await self.live()
                before = self.desk
                await fault(self)
                await self.live()
                await self.come_back()
                assert self.desk is before or fault is closed_by_the_app
                self.check()
            tasks.cancel_scope.cancel()

    async def live(self) -> None:
        """Let the app and the user do something."""
        for _ in range(self.rng.randint(0, 4)):
            act = self.rng.random()
            if act < 0.5:
                self.rng.choice(EDITS)(self.desk, self.rng)
            elif act < 0.7:
                self.click()
            elif act < 0.85:
                self.tab.type(f"typed {self.rng.random()}")
            else:
                await self.set_field()
            for _ in range(self.rng.choice([0, 0, 1, 5])):
                await checkpoint()

    def click(self) -> None:
        self.clicks += 1
        self.tab.click(self.clicks, self.rng.choice(["now", "later", "in steps"]))

    async def set_field(self) -> None:
        # When app and user set the same at the same moment, each end is left with what the
        # other set: it is the one thing here that Flet's wire cannot tell apart.
        await self.quiet()
        self.desk.field.value = f"set {self.rng.random()}"
        self.desk.field.update()
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until nothing is on its way. Hardly any time passes."""
        await anyio.wait_all_tasks_blocked()
        # On asyncio a task that has ended wakes who waits for it by a callback, which is no task.
        await checkpoint()
        await anyio.wait_all_tasks_blocked()

    async def come_back(self) -> None:
        await self.quiet()
        while self.tab.away:
            self.tab.close()
            await self.quiet()
            await self.tab.open()
            await self.tab.registered()
        await self.quiet()
        assert not self.tab.away, "the connection broke by itself"
        self.tab.type_what_was_lost()
        await self.quiet()
        living = [desk for desk in self.desks if desk.session in self.app.sessions]
        (self.desk,) = living
        assert self.app.sessions == [self.desk.session]
        assert self.desk.session.attached

    def check(self) -> None:
        """The client shows the server's page, and every click that arrived counts once."""
        session = self.desk.session
        assert not list(differences(self.tab.client.page.root, page_of(session), session))
        assert self.tab.line.received == self.tab.line.sent
        assert self.desk.clicks == [click for line in self.tab.lines for click in line.received]


def page_of(session: Session) -> dict[str, Any]:
    """The page as a client would get it now."""
    packed = msgpack.packb(session.get_page_patch(), default=_encode)
    model = PageModel()
    model.merge(msgpack.unpackb(packed, ext_hook=decode_ext_from_msgpack, strict_map_key=False))
    return model.root


_THE_CLIENTS = {"window", "width", "height", "media", "platform_brightness"}


def differences(shown: Any, there: Any, session: Session, path: str = "page") -> Iterator[str]:
    """Where a client's page is another one than the server's."""
    if isinstance(shown, dict) and isinstance(there, dict):
        control = session.index.get(there.get("_i"))
        names = sorted(shown.keys() | there.keys())
        for name in names if path != "page" else set(names) - _THE_CLIENTS:
            value, wanted = shown.get(name), there.get(name)
            if wanted is None and value is not None:
                # The default is not sent, unless it was changed to and from.
                wanted = getattr(control, name, None)
            yield from differences(value, wanted, session, f"{path}.{name}")
    elif isinstance(shown, list) and isinstance(there, list) and len(shown) == len(there):
        for place, (value, wanted) in enumerate(zip(shown, there, strict=True)):
            yield from differences(value, wanted, session, f"{path}[{place}]")
    elif shown != there:
        yield f"{path} shows {shown!r} instead of {there!r}"


# --- faults -----------------------------------------------------------------------------------


async def lost_between_frames(script: Script) -> None:
    """The connection breaks when the client has taken a few more frames."""
    script.tab.client.drop_after(script.rng.randint(0, 6))
    await script.live()
    script.tab.client.drop()


async def lost_while_coming_back(script: Script) -> None:
    """One break after another, before and after the reply."""
    for _ in range(script.rng.randint(1, 3)):
        script.tab.client.drop()
        await script.live()
        script.tab.close()
        await script.tab.open(cut=script.rng.randint(0, 4), reloaded=script.rng.random() < 0.3)
        await script.tab.registered()
        await script.quiet()
    script.tab.client.drop()


async def reloaded(script: Script) -> None:
    """The user reloads the page."""
    if script.rng.random() < 0.7:
        script.tab.client.drop()
        await script.live()
    script.tab.close()
    await script.tab.open(reloaded=True)
    await script.tab.registered()


async def taken_over(script: Script) -> None:
    """The old connection still looks open; the tab shows the page, so it gets in at once."""
    old = script.tab.line
    old.client.silent = True
    began = anyio.current_time()
    await script.tab.open()
    await script.tab.registered()
    assert anyio.current_time() == began
    await old.client.until(lambda: old.client.closed)
    old.scope.cancel()


async def taken_over_after_a_reload(script: Script) -> None:
    """The old connection looks open, and does not answer."""
    old = script.tab.line
    old.client.silent = True
    await script.tab.open(reloaded=True)
    await script.tab.registered()
    await old.client.until(lambda: old.client.closed)
    old.scope.cancel()


async def duplicated(script: Script) -> None:
    """The user duplicates the tab: the copy gets a session of its own."""
    async with script.app.connect(after=script.tab.client) as newcomer:
        await newcomer.see("now")
        await script.quiet()
        assert len(script.app.sessions) == 2
        assert script.desk.session.attached
        other = script.desks[-1].session
        assert other is not script.desk.session
        other.close()
        await script.live()
        await newcomer.until(lambda: newcomer.closed)
    await script.quiet()


async def stalled(script: Script) -> None:
    """The client stops reading: it is dropped when a frame is not taken in time."""
    script.tab.close()
    await script.quiet()
    await script.tab.open(frames=0)
    client = script.tab.client
    for _ in range(script.rng.randint(0, 3)):
        with anyio.move_on_after(1):
            await client.read_one()
    script.desk.page.add(ft.Text("not taken"))
    script.desk.page.add(ft.Text("nor this"))
    await anyio.sleep(31)
    assert not script.desk.session.attached
    script.tab.close()


async def failing_handler(script: Script) -> None:
    """A handler raises: the user is told, and nothing else happens."""
    client = script.tab.client
    told = len(client.errors)
    client.fire("broken", "click")
    await script.live()
    await script.quiet()
    assert len(client.errors) > told or client.closed


async def cancelled(script: Script) -> None:
    """Whoever runs the connection cancels it."""
    script.tab.close()


async def talks_nonsense(script: Script) -> None:
    """The client breaks the protocol, and is closed."""
    script.tab.client.transport.client_send(script.rng.choice(NONSENSE))
    await script.quiet()
    assert script.tab.client.closed


async def closed_by_the_app(script: Script) -> None:
    """The app ends the session: the tab, which still shows it, gets a new one."""
    await script.quiet()
    script.desk.session.close()
    await script.quiet()
    assert script.tab.client.closed
    script.tab.lines.clear()  # what was clicked so far is gone with the session
    await script.come_back()


FAULTS: list[Fault] = [
    lost_between_frames,
    lost_between_frames,
    lost_between_frames,
    lost_while_coming_back,
    reloaded,
    taken_over,
    taken_over_after_a_reload,
    duplicated,
    stalled,
    failing_handler,
    cancelled,
    talks_nonsense,
    closed_by_the_app,
]


@pytest.mark.parametrize("seed", range(SCRIPTS))
async def test_ten_faults_of_a_thousand_leave_the_state_as_it_was(seed: int) -> None:
    rng = random.Random(seed)
    await Script(rng).play([rng.choice(FAULTS) for _ in range(FAULTS_EACH)])


@pytest.mark.parametrize("fault", dict.fromkeys(FAULTS), ids=lambda fault: fault.__name__)
async def test_a_fault_again_and_again_leaves_the_state_as_it_was(fault: Any) -> None:
    await Script(random.Random(fault.__name__)).play([fault] * FAULTS_EACH)
