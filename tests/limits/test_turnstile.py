from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from flet_anyio.limits.turnstile import Turnstile

pytestmark = pytest.mark.anyio

MANY = 100


async def test_others_run_between_any_two_that_are_let_through() -> None:
    turnstile, steps, at = Turnstile(), 0, []

    async def come() -> None:
        await turnstile.wait()
        at.append(steps)

    async def live() -> None:
        nonlocal steps
        while len(at) < MANY:
            steps += 1
            await checkpoint()

    async with anyio.create_task_group() as tasks:
        for _ in range(MANY):
            tasks.start_soon(come)
        tasks.start_soon(live)
    # Without it they would all go through in one step.
    assert len(set(at)) == MANY


async def test_who_gives_up_lets_the_next_one_through() -> None:
    turnstile, through = Turnstile(), []

    async def come(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            await turnstile.wait()
            through.append(number)

    scopes = [anyio.CancelScope() for _ in range(MANY)]
    async with anyio.create_task_group() as tasks:
        for number, scope in enumerate(scopes):
            tasks.start_soon(come, number, scope)
        for scope in scopes[::2]:
            scope.cancel()
    assert sorted(through) == list(range(1, MANY, 2))
