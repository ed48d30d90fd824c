"""Flet's own uses of asyncio in controls, made to run on trio as well.

Two modules of flet call asyncio in methods that controls inherit, where nothing can be
overridden: an app makes its controls itself. In those modules the name `asyncio` is put to an
object that offers the functions they use, on anyio, with the same meaning on either backend.
Nothing else of flet is patched.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from .door import Door

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

__all__ = ["PATCHED", "FletAsyncio", "install"]

PATCHED = ("flet.controls.base_control", "flet.controls.core.raw_image")
"""The modules: steps of generator handlers, and frames of `RawImage`."""

T = TypeVar("T")


def install() -> None:
    """Put the stand-in where flet's modules look for asyncio. Doing it twice does no harm."""
    for name in PATCHED:
        importlib.import_module(name).asyncio = FletAsyncio  # type: ignore[attr-defined]


class _Event:
    """Like `asyncio.Event`. May be made where no loop runs; the rest is for the loop's thread."""

    def __init__(self) -> None:
        self._set = False
        self._waiting: set[anyio.Event] = set()

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        for waiting in self._waiting:
            waiting.set()

    def clear(self) -> None:
        self._set = False

    async def wait(self) -> bool:
        if not self._set:
            waiting = anyio.Event()
            self._waiting.add(waiting)
            try:
                await waiting.wait()
            finally:
                self._waiting.discard(waiting)
        return True


class _Future:
    """Like `asyncio.Future`, as far as one waiter and one result go."""

    def __init__(self) -> None:
        self._done = anyio.Event()
        self._result: Any = None

    def done(self) -> bool:
        return self._done.is_set()

    def set_result(self, result: Any) -> None:
        self._result = result
        self._done.set()

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from self._done.wait().__await__()
        return self._result


class _Loop:
    """The running loop, whichever backend it is of."""

    def __init__(self) -> None:
        self._door = Door()

    def create_future(self) -> _Future:
        return _Future()

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> None:
        self._door.post(callback, *args)


class FletAsyncio:
    """What stands in for the module `asyncio`."""

    Event = _Event
    Future = _Future
    TimeoutError = TimeoutError

    @staticmethod
    def get_running_loop() -> _Loop:
        return _Loop()

    @staticmethod
    async def sleep(delay: float) -> None:
        await anyio.sleep(delay)

    @staticmethod
    async def wait_for(awaitable: Awaitable[T], timeout: float | None) -> T:
        with anyio.fail_after(timeout):
            return await awaitable

    @staticmethod
    async def to_thread(func: Callable[..., T], *args: Any) -> T:
        return await anyio.to_thread.run_sync(func, *args)
