"""Those who come or go at once, let through one after the other."""

from __future__ import annotations

import anyio
from anyio.lowlevel import checkpoint

__all__ = ["Turnstile"]


class Turnstile:
    """Lets one task through at a time, and between two everyone else do something.

    A thousand clients may come in the same moment, after a restart or by intent. What each of
    them costs is little, but all that is ready to run runs before what becomes ready meanwhile:
    a click would wait for all of them.
    """

    def __init__(self) -> None:
        self._lock = anyio.Lock()

    async def wait(self) -> None:
        """Wait for one's turn, in the order of arrival."""
        async with self._lock:
            await checkpoint()
