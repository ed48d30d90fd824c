"""Why a task ends: whoever owns it wants so, or its own code raised what looks like that.

A coroutine that awaits a task of asyncio which was cancelled raises the same exception as one
that is cancelled itself. A task group would end everything else in it for that.
"""

from __future__ import annotations

import asyncio
import math

from anyio import current_effective_deadline, get_cancelled_exc_class

__all__ = ["being_cancelled", "ended_from_outside"]


def being_cancelled() -> bool:
    """Whether the current task is to end, by a scope around here or by asyncio itself."""
    return current_effective_deadline() == -math.inf or _cancelled_by_asyncio()


def ended_from_outside(error: BaseException) -> bool:
    """Whether this, just caught around an await, cancels or closes the current coroutine."""
    if isinstance(error, GeneratorExit):
        # What closes a coroutine is raised at its own await, and comes from nothing below.
        return error.__traceback__ is None or error.__traceback__.tb_next is None
    return isinstance(error, get_cancelled_exc_class()) and being_cancelled()


def _cancelled_by_asyncio() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # trio
        return False
    return task is not None and task.cancelling() > 0
