"""The event loops that tests run on."""

from __future__ import annotations

import asyncio
import importlib.util
import selectors
import sys
from typing import Any

import pytest

__all__ = ["REAL_TIME", "VIRTUAL_TIME", "backend_options"]


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _param(name: str, *, needs: str | None = None, since: tuple[int, int] = (3, 11)) -> Any:
    marks = []
    if needs is not None and not _installed(needs):
        marks.append(pytest.mark.skip(reason=f"{needs} is not installed"))
    if "eager" in name:
        marks.append(pytest.mark.eager)
    if sys.version_info < since:
        marks.append(pytest.mark.skip(reason=f"needs Python {since[0]}.{since[1]}"))
    return pytest.param(name, marks=marks, id=name)


REAL_TIME = [
    _param("asyncio"),
    _param("asyncio+eager", since=(3, 12)),
    _param("asyncio+uvloop", needs="uvloop"),
    _param("trio", needs="trio"),
]
# uvloop keeps time itself, whatever `time()` says.
VIRTUAL_TIME = [_param("asyncio+virtual"), _param("trio+virtual", needs="trio")]


def backend_options(name: str) -> Any:
    """What anyio's pytest plugin takes for one of the names above. A new clock each time."""
    match name:
        case "asyncio" | "trio":
            return name
        case "asyncio+eager":
            return ("asyncio", {"loop_factory": _eager_loop})
        case "asyncio+uvloop":
            return ("asyncio", {"use_uvloop": True})
        case "asyncio+virtual":
            return ("asyncio", {"loop_factory": VirtualLoop})
        case "trio+virtual":
            from trio.testing import MockClock

            return ("trio", {"clock": MockClock(autojump_threshold=0)})
    raise ValueError(name)


def _eager_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    return loop


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to the next timer when there is nothing else to do.

    It knows nothing of work in other threads: tests that wait for threads need real time.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.jumps: list[float] = []
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.now


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self._loop.now += timeout
            self._loop.jumps.append(self._loop.now)
        return ready
