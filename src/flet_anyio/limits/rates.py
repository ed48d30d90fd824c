"""How often something may happen."""

from __future__ import annotations

import anyio

__all__ = ["Rate"]


class Rate:
    """So much in a second on average, and after a pause up to `burst` seconds' worth at once.

    None as `per_second` is without bound. A leaky bucket, kept as the time when it will be empty.
    """

    __slots__ = ("_each", "_empty_at", "_most")

    def __init__(self, per_second: float | None, burst: float) -> None:
        self._each = 1 / per_second if per_second is not None else 0.0
        self._most = max(burst, self._each)
        self._empty_at = 0.0

    def take(self) -> bool:
        """Count one more, or return False: it is too often."""
        if not self._each:
            return True
        now = anyio.current_time()
        empty_at = max(self._empty_at, now) + self._each
        if empty_at - now > self._most:
            return False
        self._empty_at = empty_at
        return True
