"""Code that keeps the event loop from everyone else: noticed, and named in the log."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from ..limits.overruns import overrun

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from .handlers import HandlerName

__all__ = ["StallWatch"]

logger = logging.getLogger(__name__)

clock = time.perf_counter
"""Read before and after each step, in seconds."""


class StallWatch:
    """Times what one session runs on the event loop, between one await and the next.

    Steps may lie in each other: that of a handler in one of the dispatcher, that of a task that
    starts eagerly in its starter's. The innermost is blamed, and the time is taken off the others.

    `limit` is in seconds; None watches nothing and costs nothing.
    """

    __slots__ = ("_blamed", "_label", "limit")

    def __init__(self, label: str, limit: float | None) -> None:
        self._label = label
        self.limit = limit
        self._blamed = 0.0

    def call(self, name: str | HandlerName, func: Callable[..., Any], *args: Any) -> Any:
        """Call sync code."""
        if self.limit is None:
            return func(*args)
        blamed, began = self._blamed, clock()
        try:
            return func(*args)
        finally:
            self.judge(name, clock() - began, blamed)

    def steps(self, name: str | HandlerName, coroutine: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        """Watch each step of a coroutine. Await what this returns instead of it."""
        return coroutine if self.limit is None else _Steps(self, name, coroutine)

    def judge(self, name: str | HandlerName, took: float, blamed: float) -> None:
        """Log a step that took too long. `blamed` is how long others had been, when it began."""
        assert self.limit is not None
        if took <= self.limit:
            return
        own = took - (self._blamed - blamed)
        if own > self.limit:
            self._blamed += own
            overrun(
                logger,
                "stall_warning",
                "session %s: %s held the event loop for %.2f s; nobody else was served meanwhile",
                self._label,
                name if isinstance(name, str) else name.in_full,
                own,
            )


class _Steps:
    """A coroutine whose steps are timed. All else of it shines through.

    It has the frame and the awaitable of the coroutine, for whoever looks for the place where
    a task is suspended.
    """

    __slots__ = ("_coroutine", "_name", "_send", "_watch")

    def __init__(
        self, watch: StallWatch, name: str | HandlerName, coroutine: Coroutine[Any, Any, Any]
    ) -> None:
        self._watch = watch
        self._name = name
        self._coroutine: Any = coroutine
        self._send = coroutine.send

    def __await__(self) -> _Steps:
        return self

    def __iter__(self) -> _Steps:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        watch = self._watch
        blamed, began = watch._blamed, clock()
        try:
            return self._send(value)
        finally:
            took = clock() - began
            if took > watch.limit:  # type: ignore[operator]  # there is one
                watch.judge(self._name, took, blamed)

    def throw(self, *error: Any) -> Any:
        return self._watch.call(self._name, self._coroutine.throw, *error)

    def close(self) -> None:
        self._coroutine.close()

    @property
    def cr_frame(self) -> Any:
        return self._coroutine.cr_frame

    @property
    def cr_await(self) -> Any:
        return self._coroutine.cr_await
