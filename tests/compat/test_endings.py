"""Whether a task is ended by others, or raised what looks like that by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import get_cancelled_exc_class
from anyio.lowlevel import checkpoint

from flet_anyio.compat.endings import being_cancelled, ended_from_outside
from own_cancellation import raise_a_cancellation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio


async def watch(func: Callable[[], Awaitable[Any]], log: list[bool]) -> None:
    """Note of what `func` raises whether it came from outside."""
    try:
        await func()
    except BaseException as error:
        log.append(ended_from_outside(error))
        raise


async def stop() -> None:
    raise GeneratorExit


async def test_a_scope_around_it_ends_a_task() -> None:
    log: list[bool] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        await watch(anyio.sleep_forever, log)
    assert log == [True]
    assert not being_cancelled()


async def test_a_deadline_ends_a_task() -> None:
    log: list[bool] = []
    with anyio.move_on_after(0):
        await watch(anyio.sleep_forever, log)
    assert log == [True]


async def test_a_cancellation_that_is_over_ends_nothing() -> None:
    log: list[bool] = []
    with pytest.raises(get_cancelled_exc_class()):
        await watch(raise_a_cancellation, log)
    assert log == [False]


async def test_behind_a_shield_nothing_is_cancelled() -> None:
    log: list[bool] = []
    with anyio.CancelScope() as outer:
        outer.cancel()
        with anyio.CancelScope(shield=True), pytest.raises(get_cancelled_exc_class()):
            await watch(raise_a_cancellation, log)
        assert being_cancelled()
    assert log == [False]


async def test_asyncio_itself_may_cancel_a_task(anyio_backend_name: str) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("asyncio's own tasks")
    log: list[bool] = []
    task = asyncio.ensure_future(watch(anyio.sleep_forever, log))
    await checkpoint()
    await checkpoint()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watch(lambda: task, log)
    # The task was cancelled, and not who waited for it.
    assert log == [True, False]


async def test_closing_a_coroutine_is_not_raising_generator_exit() -> None:
    log: list[bool] = []
    coroutine = watch(lambda: watch(checkpoint, log), log)
    coroutine.send(None)
    coroutine.close()
    assert log == [True, True]
    with pytest.raises(GeneratorExit):
        await watch(stop, log)
    assert log == [True, True, False]
