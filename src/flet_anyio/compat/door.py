"""The one way from other threads into an event loop."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Door", "on_trio"]

logger = logging.getLogger(__name__)


def on_trio() -> bool:
    """Whether the running event loop is trio's; else it is asyncio's."""
    return current_token().backend_class.__module__.endswith("_trio")


class Door:
    """Leads into the event loop that made it. `post` may be called from any thread."""

    __slots__ = ("_post", "_thread")

    def __init__(self) -> None:
        token = current_token()
        native: Any = token.native_token
        self._post = native.run_sync_soon if on_trio() else native.call_soon_threadsafe
        self._thread = threading.get_ident()

    def here(self) -> bool:
        """Whether the caller is in the loop's own thread."""
        return threading.get_ident() == self._thread

    def post(self, func: Callable[..., Any], *args: Any) -> bool:
        """Have the loop call `func(*args)` soon. Return False when the loop has ended.

        What it raises is logged: on trio it would end the whole program.
        """
        try:
            self._post(_call, func, args)
        except RuntimeError:
            # asyncio: the loop is closed. trio: RunFinishedError, which is one too.
            return False
        return True


def _call(func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        func(*args)
    except KeyboardInterrupt:
        raise
    except BaseException:
        logger.exception("a callback from another thread failed: %r", func)
