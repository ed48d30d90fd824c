"""What failed in an app: all of it to the log, and no more than is theirs to visitors."""

from __future__ import annotations

import logging
import traceback

from ..compat.advice import explain

__all__ = ["describe", "log_failure"]

logger = logging.getLogger(__name__)

_CRASHED = "Something went wrong in this app. Its developers find the details in the server's log."


def log_failure(label: str, name: str, error: Exception) -> None:
    """Log what `name` raised in the session `label`, with the traceback that matters."""
    cause = explain(error)
    logger.error("session %s: %s failed: %s", label, name, cause, exc_info=cause)


def describe(error: Exception, *, debug: bool) -> str:
    """What a visitor is told: that something failed, and only when debugging, what."""
    if not debug:
        return _CRASHED
    cause = explain(error)
    return f"{cause}\n{''.join(traceback.format_exception(cause))}"
