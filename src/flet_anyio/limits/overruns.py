"""Limits that were reached: each time a count, for whoever watches the server, and a log line."""

from __future__ import annotations

import logging
import threading
from collections import Counter

__all__ = ["count_overrun", "limits_reached", "overrun"]

_reached: Counter[str] = Counter()
_lock = threading.Lock()


def limits_reached() -> dict[str, int]:
    """How often each of `Limits` was reached since this process began, by name.

    Those that never were are not in it. Of limits that clients keep by waiting, such as
    `events_queued`, each wait counts. May be called from any thread.
    """
    with _lock:
        return dict(_reached)


def count_overrun(limit: str) -> None:
    """Count that a limit was reached. From any thread."""
    with _lock:
        _reached[limit] += 1


def overrun(
    logger: logging.Logger, limit: str, text: str, *args: object, level: int = logging.WARNING
) -> None:
    """Count that a limit was reached, and log it; the line names the limit. From any thread."""
    count_overrun(limit)
    logger.log(level, "%s (Limits.%s)", text % args, limit)
