"""What a task raises that looks like its own cancellation, and is none."""

from __future__ import annotations

import anyio
from anyio import get_cancelled_exc_class
from anyio.lowlevel import checkpoint

__all__ = ["raise_a_cancellation"]


async def raise_a_cancellation() -> None:
    """Raise the exception of a cancellation that is over."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        try:
            await checkpoint()
        except get_cancelled_exc_class() as error:
            kept = error
    raise kept
