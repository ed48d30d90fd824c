"""The order of events: one queue a session, handlers started in the order of arrival.

A sync handler ends before the next event's starts. An async one has run up to its first
suspension by then, and goes on beside the others, at most `Limits.events_in_flight` at once.

The queue is bounded. What comes from the client waits for room, and with it the reader of its
connection: TCP then slows the client down. What comes from the server itself, such as a pub/sub
message, cannot wait; it is refused when too much is queued.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, Protocol

import anyio
from anyio.lowlevel import checkpoint

from ..compat.door import on_trio
from ..limits.overruns import count_overrun

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..compat.door import Door, Wakeup
    from ..limits import Limits

__all__ = ["Dispatcher", "Slot", "Turn", "give_up_slot"]

logger = logging.getLogger(__name__)


class Turn(Protocol):
    """One event whose turn has come."""

    def start(self, slot: Slot) -> None:
        """Start what runs beside other events; it holds `slot` until it ends."""

    def run_now(self) -> bool:
        """Run what needs no waiting, or return False. Raises nothing."""

    async def run(self) -> None:
        """Run what must end before the next event starts. Raises nothing."""

    @property
    def concurrent(self) -> bool:
        """Which of the two this is."""
        ...


class _Queued(NamedTuple):
    """An event that waits. Those that the client sent have a size, in bytes."""

    make: Callable[[], Turn | None]
    size: int | None


class Slot:
    """The right to run beside other handlers, given back once."""

    __slots__ = ("_release",)

    def __init__(self, release: Callable[[], None] | None) -> None:
        self._release = release

    def release(self) -> None:
        """Give the slot back; the second time, do nothing."""
        release, self._release = self._release, None
        if release is not None:
            release()


current_slot: ContextVar[Slot | None] = ContextVar("flet_anyio_slot", default=None)


def give_up_slot() -> None:
    """Let the next event start: the running handler is about to wait for its client.

    The slot is not taken back afterwards. To wait for one again could lock up for good: all
    slots may be held by handlers that wait for a lock which this one holds.
    """
    slot = current_slot.get()
    if slot is not None:
        slot.release()


class Dispatcher:
    """Takes the events of one session and starts each in its turn.

    An event is queued as a function that makes its `Turn`. It is called when the turn comes:
    what the handlers before it changed counts, and so does a handler they replaced. `prepare`
    makes that call, and returns None when it fails. Before, `until_idle` waits for what must
    end first and is no event, such as a `main` that runs in a thread; `at_once` says that there
    never is any.
    """

    __slots__ = (
        "_arrived",
        "_at_once",
        "_bytes",
        "_door",
        "_from_client",
        "_idle",
        "_limits",
        "_prepare",
        "_queue",
        "_room",
        "_slots",
        "_steps_to_start",
        "_until_idle",
    )

    def __init__(
        self,
        limits: Limits,
        door: Door,
        prepare: Callable[[Callable[[], Turn | None]], Turn | None],
        until_idle: Callable[[], Awaitable[None]],
        *,
        at_once: bool,
    ) -> None:
        # Most of the time it is empty, and a deque takes more memory than all else here.
        self._queue: list[_Queued] = []
        self._limits = limits
        self._door = door
        self._prepare = prepare
        self._until_idle = until_idle
        self._at_once = at_once
        self._from_client = 0
        self._bytes = 0
        self._arrived: Wakeup | None = None
        self._idle = False
        self._room: anyio.Event | None = None
        self._slots: anyio.Semaphore | None = None
        self._steps_to_start = _steps_to_start()

    async def put(self, event: Callable[[], Turn | None], size: int = 0) -> None:
        """Queue an event of the client, of `size` bytes, waiting while the queue is full.

        When all before it are done and its handler needs no waiting, it is not queued: it runs
        here and now, which saves waking the dispatcher.
        """
        if self._idle and not self._queue:
            turn = self._prepare(event)
            if turn is None or turn.run_now():
                return

            def event() -> Turn | None:
                return turn

        while limit := self._full(size):
            count_overrun(limit)
            self._room = self._room or anyio.Event()
            await self._room.wait()
        self._from_client += 1
        self._bytes += size
        self._append(_Queued(event, size))

    def offer(self, event: Callable[[], Turn | None], *, must: bool = False) -> bool:
        """Queue an event of the server. Return False, and drop it, when too many wait.

        One that `must` be queued always is: there are as few as the client's comings and goings.
        """
        limit = None if must else self._limits.deliveries_queued
        if limit is not None and len(self._queue) - self._from_client >= limit:
            return False
        self._append(_Queued(event, None))
        return True

    async def run(self) -> None:
        """Start events until cancelled. Turns report their own failures."""
        while True:
            while not self._queue:
                arrived = self._arrived = self._door.wakeup()
                self._idle = self._at_once
                try:
                    await arrived.wait()
                finally:
                    self._idle = False
            await self._start(self._next())

    def _full(self, size: int) -> str:
        """Name the limit for which an event of the client has to wait, or nothing."""
        limits = self._limits
        if self._from_client >= limits.events_queued:
            return "events_queued"
        too_much = limits.event_bytes is not None and self._bytes + size > limits.event_bytes
        # One that is larger than all may be has to be taken as well.
        return "event_bytes" if too_much and self._from_client else ""

    def _append(self, event: _Queued) -> None:
        self._queue.append(event)
        if self._arrived is not None:
            self._arrived.set()

    def _next(self) -> Callable[[], Turn | None]:
        event, size = self._queue.pop(0)
        if size is not None:
            self._from_client -= 1
            self._bytes -= size
            if self._room is not None:
                self._room.set()
                self._room = None
        return event

    async def _start(self, event: Callable[[], Turn | None]) -> None:
        await self._until_idle()
        turn = self._prepare(event)
        if turn is None:
            return
        if not turn.concurrent:
            if not turn.run_now():
                await turn.run()
            return
        turn.start(await self._slot())
        for _ in range(self._steps_to_start):
            await checkpoint()

    async def _slot(self) -> Slot:
        limit = self._limits.events_in_flight
        if limit is None:
            return Slot(None)
        if self._slots is None:
            self._slots = anyio.Semaphore(limit, fast_acquire=True)
        if not self._slots.value:
            count_overrun("events_in_flight")
        await self._slots.acquire()
        return Slot(self._slots.release)


def _steps_to_start() -> int:
    """How often the dispatcher must let others run until a task it spawned has begun.

    asyncio and uvloop run callbacks first in, first out: a new task begins before its spawner
    goes on. trio runs all runnable tasks in one batch, in random order; when the second batch
    runs, each task of the first has begun.
    """
    return 2 if on_trio() else 1
