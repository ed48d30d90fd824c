"""Where a suspended coroutine stands."""

from __future__ import annotations

import traceback
from typing import Any

__all__ = ["stack_of"]


def stack_of(coroutine: Any) -> traceback.StackSummary:
    """The frames of a coroutine and of what it awaits, the outermost first."""
    frames = []
    while coroutine is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(coroutine, f"{kind}_frame", None)
            if frame is not None:
                frames.append((frame, frame.f_lineno))
                coroutine = getattr(coroutine, f"{kind}_await", None) or getattr(
                    coroutine, f"{kind}_yieldfrom", None
                )
                break
        else:
            break
    return traceback.StackSummary.extract(iter(frames))
