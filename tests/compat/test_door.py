"""What a task waits for, on each event loop."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from flet_anyio.compat.door import Door
from waiting import PATIENCE, reached

pytestmark = pytest.mark.anyio


async def test_a_task_waits_until_it_is_woken() -> None:
    wakeup = Door().wakeup()
    woken = False

    async def wait() -> None:
        nonlocal woken
        await wakeup.wait()
        woken = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        for _ in range(10):
            await checkpoint()
        assert not woken
        wakeup.set()
        wakeup.set()
        await reached(lambda: woken)


async def test_who_is_woken_before_does_not_wait() -> None:
    wakeup = Door().wakeup()
    wakeup.set()
    with anyio.fail_after(PATIENCE):
        await wakeup.wait()
        await wakeup.wait()


async def test_the_wait_can_be_cancelled_and_the_call_comes_to_nothing() -> None:
    wakeup = Door().wakeup()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await wakeup.wait()
    assert scope.cancelled_caught
    wakeup.set()


async def test_the_wait_has_a_bound() -> None:
    with anyio.move_on_after(0) as scope:
        await Door().wakeup().wait()
    assert scope.cancelled_caught


async def test_another_thread_may_ask_for_the_call() -> None:
    door = Door()
    wakeup = door.wakeup()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, door.post, wakeup.set)
        with anyio.fail_after(PATIENCE):
            await wakeup.wait()
