"""Sync handlers in worker threads, where they hold up nobody."""

from __future__ import annotations

import inspect
import math
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import anyio
import anyio.to_thread

from ..compat.library import off_the_loop
from ..limits.overruns import count_overrun

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

__all__ = [
    "HandlerThreads",
    "SyncHandlers",
    "sync_handlers_setting",
]

SyncHandlers: TypeAlias = Literal["inline", "thread"]

_PLACES = ("inline", "thread")


def sync_handlers_setting(value: str) -> SyncHandlers:
    """Check where sync handlers are to run.

    Raises:
        ValueError: There is no such place.
    """
    if value not in _PLACES:
        raise ValueError(f'sync_handlers must be "inline" or "thread", not {value!r}')
    return cast("SyncHandlers", value)


class HandlerThreads:
    """The worker threads of one server that run sync handlers.

    A token counts a handler that somebody waits for, not a thread. When its session ends, the
    thread is abandoned and the token is free again: threads that never end would else take
    one token after the other, until no session could run anything.

    A session's last handlers have tokens of their own. The others may all be held by handlers
    that wait for their clients; these are held for `Limits.close_timeout` at most.
    """

    def __init__(self, limit: int | None) -> None:
        tokens = math.inf if limit is None else limit
        self._tokens = anyio.CapacityLimiter(tokens)
        self._last_tokens = anyio.CapacityLimiter(tokens)
        # anyio counts abandoned threads on trio and not on asyncio. Here it counts none.
        self._unlimited = anyio.CapacityLimiter(math.inf)

    async def call(
        self,
        where: Context,
        func: Callable[..., Any],
        *args: Any,
        late: Callable[[BaseException], None],
        last: bool = False,
    ) -> Callable[[], Any]:
        """Call `func(*args)` in a thread; return a function that returns or raises what it did.

        Cancelled, this leaves the thread to itself. What it raises then is given to `late`, in
        that thread or in this one.

        Args:
            where: The context to call it in.
            func: The handler.
            args: Its arguments.
            late: Takes what an abandoned handler raises.
            last: Whether the session is over, and this is one of its last handlers.
        """
        call = _Call(partial(where.run, off_the_loop, func, *args), late)
        tokens = self._last_tokens if last else self._tokens
        if not tokens.available_tokens:
            count_overrun("handler_threads")
        async with tokens:
            try:
                await anyio.to_thread.run_sync(
                    call.run, abandon_on_cancel=True, limiter=self._unlimited
                )
            except BaseException:
                call.abandon()
                raise
        return call.outcome


class _Call:
    """What a thread does, and what came of it.

    The outcome is kept here: trio lets no thread return a coroutine, asyncio none raise
    StopIteration, and both throw away the outcome of an abandoned one.
    """

    def __init__(self, func: Callable[[], Any], late: Callable[[BaseException], None]) -> None:
        self._func = func
        self._late = late
        self._lock = threading.Lock()
        self._abandoned = False
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        result, error = None, None
        try:
            result = self._func()
        except BaseException as raised:
            error = raised  # the caller's, wherever that is
        with self._lock:
            self._result, self._error = result, error
            abandoned = self._abandoned
        if abandoned:
            self._discard()

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
        self._discard()

    def outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._result

    def _discard(self) -> None:
        with self._lock:
            result, self._result = self._result, None
            error, self._error = self._error, None
        if inspect.iscoroutine(result):
            result.close()
        if error is not None:
            self._late(error)
