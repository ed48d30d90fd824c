"""What is logged when connections cannot be accepted, for want of files: once, and in a line."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .door import on_trio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

__all__ = ["told_once"]

logger = logging.getLogger(__name__)

_ASYNCIOS_WORDS = "socket.accept() out of system resource"
_TRIOS_LOGGER = "trio.serve_listeners"
_SILENCE = 60.0


def told_once(clock: Callable[[], float] = time.monotonic) -> AbstractContextManager[None]:
    """Log in one line a minute that connections wait for files, or memory, to be free.

    Else whoever opens enough connections fills the log: asyncio tries again each second, as often
    as the listener's backlog has places, and trio ten times a second, each with a traceback.
    Everything else is logged as it was.
    """
    report = _Report(clock)
    return _filtering_trio(report) if on_trio() else _filtering_asyncio(report)


class _Report:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._silent_until = clock()

    def make(self, reason: object) -> None:
        if self._clock() >= self._silent_until:
            self._silent_until = self._clock() + _SILENCE
            logger.error("new connections wait until others end: %s", reason)


@contextmanager
def _filtering_trio(report: _Report) -> Iterator[None]:
    def keep(record: logging.LogRecord) -> bool:
        if record.exc_info:
            report.make(record.exc_info[1])
        return not record.exc_info

    trios = logging.getLogger(_TRIOS_LOGGER)
    trios.addFilter(keep)
    try:
        yield
    finally:
        trios.removeFilter(keep)


@contextmanager
def _filtering_asyncio(report: _Report) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if context.get("message") == _ASYNCIOS_WORDS:
            report.make(context.get("exception"))
        elif before is not None:
            before(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        if loop.get_exception_handler() is handle:
            loop.set_exception_handler(before)
