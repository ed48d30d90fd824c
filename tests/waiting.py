"""Waiting in tests for what no client is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["reached"]


async def reached(condition: Callable[[], Any]) -> None:
    """Wait until the condition holds, for real seconds; a virtual clock would not go on."""
    with anyio.fail_after(5):
        while not condition():
            await checkpoint()
