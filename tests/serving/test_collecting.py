"""How often a program that is a server collects all garbage."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from flet_anyio.serving.collecting import collecting_rarely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 14), reason="collects in small steps")

MANY = 400_000
PAUSE = 10


@contextmanager
def counted() -> Iterator[list[int]]:
    """The full collections that there are, each as 2."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == 2:
            seen.append(2)

    gc.callbacks.append(note)
    try:
        yield seen
    finally:
        gc.callbacks.remove(note)


def grow() -> list[Any]:
    return [[] for _ in range(MANY)]


def test_a_heap_that_grows_has_none_before_it_is_time() -> None:
    now = 0.0
    with collecting_rarely(PAUSE, lambda: now), counted() as seen:
        kept = [grow(), grow()]
        assert len(seen) == 1
        now += PAUSE - 1
        kept += [grow(), grow()]
        assert len(seen) == 1
        now += 1
        kept += [grow(), grow()]
        assert len(seen) == 2
    with counted() as seen:
        kept += [grow(), grow(), grow(), grow()]
        assert seen


@contextmanager
def taking(seconds: float, generation: int, go_on: Callable[[float], None]) -> Iterator[None]:
    """Collections of this generation take so long."""

    def take(phase: str, info: dict[str, Any]) -> None:
        if phase == "start" and info["generation"] == generation:
            go_on(seconds)

    gc.callbacks.append(take)
    try:
        yield
    finally:
        gc.callbacks.remove(take)


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(("takes", "wait"), [(0.01, PAUSE), (0.1, 20), (5, 60)])
def test_the_longer_one_takes_the_longer_is_the_next_put_off(takes: float, wait: float) -> None:
    clock = Clock()
    with collecting_rarely(PAUSE, clock), counted() as seen, taking(takes, 2, clock.go_on):
        gc.collect()
        clock.go_on(wait - 0.1)
        kept = [grow(), grow()]
        assert len(seen) == 1
        clock.go_on(0.2)
        kept += [grow(), grow(), grow()]
        assert len(seen) >= 2


@pytest.mark.parametrize(("takes", "wait"), [(0.01, PAUSE), (0.1, 20), (5, 60)])
def test_what_the_small_ones_left_is_what_the_next_will_take(takes: float, wait: float) -> None:
    clock = Clock()
    with collecting_rarely(PAUSE, clock), counted() as seen:
        gc.collect()
        with taking(takes, 1, clock.go_on):
            gc.collect(1)
        clock.now = wait - 0.1
        kept = [grow(), grow()]
        assert len(seen) == 1
        clock.go_on(0.2)
        kept += [grow(), grow(), grow()]
        assert len(seen) >= 2


def test_it_leaves_all_as_it_was() -> None:
    before = gc.get_threshold(), len(gc.callbacks)
    with suppress(LookupError), collecting_rarely():
        assert gc.get_freeze_count()
        gc.collect()
        assert gc.get_threshold() != before[0]
        raise LookupError
    assert (gc.get_threshold(), len(gc.callbacks)) == before
    assert not gc.get_freeze_count()
