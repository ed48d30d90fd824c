"""How long a session may live, and how long its user may do nothing."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import anyio

from ..limits.overruns import overrun
from .lifecycle import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..limits import Limits

__all__ = ["Age"]

logger = logging.getLogger(__name__)

_OLD = ("session_age", Reason.TOO_OLD)
_IDLE = ("session_idle", Reason.IDLE)


class Age:
    """Ends a session that is too old, or whose user is idle, where there are limits for it."""

    __slots__ = ("_acted", "_idle", "_label", "_most")

    def __init__(self, limits: Limits, label: str) -> None:
        self._label = label
        self._most = limits.session_age
        self._idle = limits.session_idle
        self._acted = anyio.current_time() if self._idle is not None else 0.0

    @property
    def limited(self) -> bool:
        """Whether there is anything to wait for."""
        return self._most is not None or self._idle is not None

    def user_acts(self) -> None:
        """The user did something just now."""
        if self._idle is not None:
            self._acted = anyio.current_time()

    async def run(self, end: Callable[[Reason], None]) -> None:
        """Wait until it is time, then end the session. Run it as a child of that."""
        last = anyio.current_time() + (math.inf if self._most is None else self._most)
        due = min(last, self._idle_at())
        while due > anyio.current_time():
            await anyio.sleep_until(due)
            due = min(last, self._idle_at())  # the user may have done something meanwhile
        limit, reason = _OLD if due == last else _IDLE
        overrun(logger, limit, "session %s ends: %s", self._label, reason.value, level=logging.INFO)
        end(reason)

    def _idle_at(self) -> float:
        return math.inf if self._idle is None else self._acted + self._idle
