"""Loops and executors that callers bring, and what stands in for an asyncio loop on trio."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NoReturn

import anyio

from ..errors import AsyncioNeeded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from .door import Door

__all__ = ["accept_executor", "accept_loop", "running_loop", "session_loop"]


def accept_loop(loop: Any) -> asyncio.AbstractEventLoop | None:
    """Check a loop that a caller gave to `FletApp`.

    Raises:
        TypeError: It is not an asyncio loop.
        ValueError: It is closed, or not running.
    """
    if loop is None:
        return None
    if not isinstance(loop, asyncio.AbstractEventLoop):
        raise TypeError(f"loop must be an asyncio event loop or None, not {type(loop).__name__}")
    if loop.is_closed():
        raise ValueError("loop is closed; pass a running asyncio event loop, or None")
    if not loop.is_running():
        raise ValueError("loop is stopped; pass a running asyncio event loop, or None")
    return loop


def accept_executor(executor: Any) -> ThreadPoolExecutor | None:
    """Check an executor that a caller gave to `FletApp`.

    Raises:
        TypeError: It is not a thread pool.
        ValueError: It is shut down.
    """
    if executor is None:
        return None
    if not isinstance(executor, ThreadPoolExecutor):
        raise TypeError(
            f"executor must be a ThreadPoolExecutor or None, not {type(executor).__name__}"
        )
    # The standard library has no public way to ask; submitting would start a thread.
    if getattr(executor, "_shutdown", False):
        raise ValueError("executor is shut down; pass one that takes work, or None")
    return executor


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The asyncio loop that runs in this thread, or None on trio."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def session_loop(
    door: Door, run_coroutine: Callable[[Awaitable[Any]], Future[Any]]
) -> asyncio.AbstractEventLoop:
    """Make `page.loop` for a session on trio. `run_coroutine` starts a child of the session."""
    loop: asyncio.AbstractEventLoop = _SessionLoop(door, run_coroutine)
    return loop


class _PartialLoop(asyncio.AbstractEventLoop):
    """As much of an asyncio loop as can be had on trio: `page.loop` there.

    Coroutines given to it, as by `asyncio.run_coroutine_threadsafe`, run as children of the
    session, on trio: they may use anyio and trio, but not asyncio. Everything else raises
    `AsyncioNeeded`, which names what to use instead.
    """

    def __init__(self, door: Door, run_coroutine: Callable[[Awaitable[Any]], Future[Any]]) -> None:
        self._door = door
        self._run_coroutine = run_coroutine

    def create_task(self, coro: Any, **_: Any) -> Any:
        """Run a coroutine in the session. Returns a `concurrent.futures.Future`."""
        return self._run_coroutine(coro)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """Have the trio loop call `callback(*args)` soon. May be called from any thread."""
        handle = _Handle(callback, args, context)
        if not self._door.post(handle.run):
            raise RuntimeError("Event loop is closed")
        return handle

    call_soon = call_soon_threadsafe  # type: ignore[assignment]

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Run a function in a thread. The result can be awaited, on trio too."""
        if executor is not None:
            return _ThreadResult(executor.submit(func, *args), self._door)
        return _ThreadResult(self._run_coroutine(_in_thread(func, *args)), self._door)

    def is_running(self) -> bool:
        """True: a session has a loop only while it runs."""
        return True

    def is_closed(self) -> bool:
        """False, as above."""
        return False

    def get_debug(self) -> bool:
        """False; asyncio asks in places that work without a loop."""
        return False

    def time(self) -> float:
        """Seconds on the clock that asyncio uses by default."""
        return time.monotonic()


class _Handle:
    """A callback that was asked for, and can be called off."""

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...], context: Any) -> None:
        self._callback: Callable[..., Any] | None = callback
        self._args = args
        self._context = context

    def cancel(self) -> None:
        self._callback = None

    def cancelled(self) -> bool:
        return self._callback is None

    def run(self) -> None:
        if self._callback is None:
            return
        if self._context is not None:
            self._context.run(self._callback, *self._args)
        else:
            self._callback(*self._args)


class _ThreadResult:
    """What a function in a thread returns, for `await` and for threads."""

    def __init__(self, future: Future[Any], door: Door) -> None:
        self._future = future
        self._door = door

    def __getattr__(self, name: str) -> Any:
        return getattr(self._future, name)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        done = anyio.Event()
        self._future.add_done_callback(lambda _: self._door.post(done.set))
        await done.wait()
        return self._future.result()


async def _in_thread(func: Callable[..., Any], *args: Any) -> Any:
    return await anyio.to_thread.run_sync(func, *args, abandon_on_cancel=True)


_INSTEAD = {
    "call_later": "page.run_task with anyio.sleep",
    "call_at": "page.run_task with anyio.sleep_until",
    "create_future": "anyio.Event and a variable",
    "getaddrinfo": "anyio.getaddrinfo",
    "create_connection": "anyio.connect_tcp",
    "create_server": "anyio.create_tcp_listener",
    "subprocess_exec": "anyio.run_process or anyio.open_process",
    "subprocess_shell": "anyio.run_process or anyio.open_process",
    "add_signal_handler": "anyio.open_signal_receiver",
    "run_until_complete": "page.run_task",
    "run_forever": "page.run_task",
    "stop": "page.session.close",
    "close": "page.session.close",
}


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise AsyncioNeeded(f"loop.{name}()", _INSTEAD.get(name, "anyio's own functions"))

    return refuse


def _refusals() -> dict[str, Any]:
    members = vars(asyncio.AbstractEventLoop).items()
    return {
        name: _refusal(name)
        for name, member in members
        if callable(member) and not name.startswith("_") and name not in vars(_PartialLoop)
    }


_SessionLoop: Any = type("SessionLoop", (_PartialLoop,), _refusals())
