"""Which library runs the event loop, where sniffio is installed: then anyio asks it.

It is noted in a context variable, and contexts travel: into threads, which run no loop, and back
with the tasks that those begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

try:
    import sniffio
except ImportError:
    sniffio = None  # type: ignore[assignment]

__all__ = ["back_on_the_loop", "name_library", "off_the_loop"]


def name_library() -> None:
    """Note in the current context which library runs the loop. Only from a task.

    sniffio looks for a running task. A callback that comes from another thread has none; it
    begins tasks all the same.
    """
    if sniffio is not None:
        sniffio.current_async_library_cvar.set(sniffio.current_async_library())


def off_the_loop(func: Callable[..., Any], *args: Any) -> Any:
    """Call `func(*args)` in a thread whose context was copied from a task's.

    anyio would else take the thread for the task's event loop.
    """
    if sniffio is None:
        return func(*args)
    token = sniffio.current_async_library_cvar.set(None)
    try:
        return func(*args)
    finally:
        sniffio.current_async_library_cvar.reset(token)


def back_on_the_loop(where: Context, like: Context) -> None:
    """Make a context that was copied in a thread fit for a task, as `like` is."""
    if sniffio is not None:
        library = sniffio.current_async_library_cvar
        where.run(library.set, like.get(library))
