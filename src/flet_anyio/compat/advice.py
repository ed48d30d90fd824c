"""Errors as a developer needs them: the one that matters, and on trio what to write instead."""

from __future__ import annotations

import sys
import traceback

__all__ = ["explain"]

_INSTEAD = {
    "sleep": "anyio.sleep(seconds)",
    "create_task": "page.run_task(func), or an anyio task group",
    "ensure_future": "page.run_task(func), or an anyio task group",
    "gather": "an anyio task group",
    "wait": "an anyio task group",
    "wait_for": "anyio.fail_after(seconds)",
    "timeout": "anyio.fail_after(seconds)",
    "to_thread": "anyio.to_thread.run_sync(func)",
    "get_running_loop": "page.loop, or anyio's own functions",
    "get_event_loop": "page.loop, or anyio's own functions",
    "create_subprocess_exec": "anyio.run_process or anyio.open_process",
    "create_subprocess_shell": "anyio.run_process or anyio.open_process",
    "open_connection": "anyio.connect_tcp",
    "Event": "anyio.Event",
    "Lock": "anyio.Lock",
    "Queue": "anyio.create_memory_object_stream",
}
_SIGNS = ("no running event loop", "no current event loop", "some other framework like asyncio")


def explain(error: BaseException) -> BaseException:
    """Return the error inside groups of one, with advice where asyncio was used on trio."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if _wanted_asyncio(error) and not getattr(error, "__notes__", None):
        called = _asyncio_function(error)
        what = f"asyncio.{called}" if called else "asyncio"
        instead = _INSTEAD.get(called, "anyio's functions, which run on trio and asyncio")
        error.add_note(f"This app runs on trio, where {what} does not work. Use {instead}.")
    return error


def _wanted_asyncio(error: BaseException) -> bool:
    # Only where trio runs: on asyncio the same words mean another mistake.
    return (
        isinstance(error, RuntimeError | TypeError)
        and "trio" in sys.modules
        and _on_trio()
        and any(sign in str(error) for sign in _SIGNS)
    )


def _on_trio() -> bool:
    trio = sys.modules["trio"]
    return bool(trio.lowlevel.in_trio_run())


def _asyncio_function(error: BaseException) -> str:
    """The function of asyncio that user code called, by the traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    called = ""
    while frames and "asyncio" in frames[-1].filename:
        called = frames.pop().name
    if called in _INSTEAD or not frames:
        return called
    # It has another name inside, or no frame, as `get_running_loop` and what is made of C.
    line = frames[-1].line or ""
    return next((name for name in _INSTEAD if f"asyncio.{name}" in line), called)
