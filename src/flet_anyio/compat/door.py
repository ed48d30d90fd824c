"""What wakes an event loop: from other threads, and a task of its own."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Awaitable, Callable

__all__ = ["Door", "Wakeup", "on_trio"]

logger = logging.getLogger(__name__)


def on_trio() -> bool:
    """Whether the running event loop is trio's; else it is asyncio's."""
    return current_token().backend_class.__module__.endswith("_trio")


class Wakeup(Protocol):
    """What one task waits for, once."""

    def set(self) -> None:
        """Wake the task. The second time, do nothing."""

    def wait(self) -> Awaitable[None]:
        """Wait for `set`, which may have been called already."""
        ...


class Door:
    """Leads into the event loop that made it. `post` may be called from any thread."""

    __slots__ = ("_create_future", "_post", "_thread")

    def __init__(self) -> None:
        native: Any = current_token().native_token
        trio = on_trio()
        self._post = native.run_sync_soon if trio else native.call_soon_threadsafe
        self._create_future = None if trio else native.create_future
        self._thread = threading.get_ident()

    def wakeup(self) -> Wakeup:
        """Return something for a task of the loop to wait for.

        On asyncio it is a future: every connection waits in several places, and anyio's event
        takes six times the memory and twice the time. A future, however, is for one task: where
        several wait, one that is cancelled would cancel the others.
        """
        return anyio.Event() if self._create_future is None else _Future(self._create_future())

    def here(self) -> bool:
        """Whether the caller is in the loop's own thread."""
        return threading.get_ident() == self._thread

    def post(self, func: Callable[..., Any], *args: Any) -> bool:
        """Have the loop call `func(*args)` soon. Return False when the loop has ended.

        What it raises is logged: on trio it would end the whole program.
        """
        try:
            self._post(_call, func, args)
        except RuntimeError:
            # asyncio: the loop is closed. trio: RunFinishedError, which is one too.
            return False
        return True


class _Future:
    """A future as a wake-up."""

    __slots__ = ("_future",)

    def __init__(self, future: Future[None]) -> None:
        self._future = future

    def set(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    def wait(self) -> Awaitable[None]:
        return self._future


def _call(func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        func(*args)
    except KeyboardInterrupt:
        raise
    except BaseException:
        logger.exception("a callback from another thread failed: %r", func)
