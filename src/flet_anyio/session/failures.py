"""What failed in an app: all of it to the log, and no more than is theirs to visitors."""

from __future__ import annotations

import logging
import traceback

from ..compat.advice import explain

__all__ = ["describe", "log_failure", "text_of"]

logger = logging.getLogger(__name__)

_CRASHED = "Something went wrong in this app. Its developers find the details in the server's log."


def log_failure(label: str, name: str, error: BaseException) -> None:
    """Log what `name` raised in the session `label`, with the traceback that matters."""
    cause = explain(error)
    logger.error("session %s: %s failed: %s", label, name, text_of(cause), exc_info=cause)


def text_of(error: BaseException) -> str:
    """What the error says, as text that can be sent, whatever the error's class makes of it."""
    try:
        text = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:
        text = type(error).__name__
    return text.encode("utf-8", "replace").decode("utf-8")


def describe(error: BaseException, *, debug: bool) -> str:
    """What a visitor is told: that something failed, and only when debugging, what."""
    if not debug:
        return _CRASHED
    cause = explain(error)
    details = "".join(traceback.format_exception(cause)).encode("utf-8", "replace").decode()
    return f"{text_of(cause)}\n{details}"
