"""The loop as host: where nobody opened a server, the event loop runs one until it ends.

Nor is anyone there to own what improves compressed files once their visitors have them. These
are the only tasks of the package with no scope above them. Each is a system task of trio, or on
asyncio a task that the given holder keeps; what runs in it must keep its exceptions in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["host"]


async def host(run: Callable[[Callable[[], None]], Coroutine[Any, Any, None]]) -> object:
    """Run `run(started)` for as long as the event loop lives; return once it has started.

    When the loop ends it cancels `run`: asyncio with all its tasks, trio after its main task.
    Keep what this returns, or asyncio may forget the task.
    """
    started = anyio.Event()
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio

        task: object = trio.lowlevel.spawn_system_task(run, started.set, name="flet-anyio server")
    else:
        task = loop.create_task(run(started.set), name="flet-anyio server")
    await started.wait()
    return task
