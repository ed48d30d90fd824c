"""The end of a Python program that threads hold up.

When a program has come to its end, Python waits for its threads, first for those of executors.
Nothing public is called before that wait; `threading._register_atexit` is, and it is what the
executors themselves use. `tests/compat/test_exit.py` fails when it is gone.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["leave_at_exit"]


def leave_at_exit(patience: float, leave: Callable[[], None]) -> None:
    """Call `leave` in a thread if the program still waits so many seconds after its end.

    Until then this has no effect: a program may go on for as long as it likes.
    """
    ended = threading.Event()

    def watch() -> None:
        ended.wait()
        # A program without such threads is gone before this is over, and this thread with it.
        threading.Event().wait(patience)
        leave()

    threading.Thread(target=watch, name="flet-anyio exit", daemon=True).start()
    threading._register_atexit(ended.set)  # type: ignore[attr-defined]
