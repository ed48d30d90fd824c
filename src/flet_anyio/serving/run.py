"""Serving as a program of its own."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import anyio

from .serve import serve

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run"]


def run(
    main: Any,
    *,
    backend: Literal["asyncio", "trio"] = "asyncio",
    uvloop: bool = False,
    host: str = "127.0.0.1",
    port: int = 8000,
    on_start: Callable[[str], None] | None = None,
    **settings: Any,
) -> None:
    """Serve an app until SIGINT or SIGTERM.

    The first signal shuts down in order, as cancelling `flet_anyio.serve` does; a second one
    ends the program at once.

    Args:
        main: A Flet app, or an ASGI app.
        backend: What to run on.
        uvloop: Whether asyncio is to run on uvloop.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        on_start: Called with the URL when clients may connect. By default it is printed.
        **settings: As for `flet_anyio.serve`.

    Raises:
        OSError: The address cannot be listened on.
        RuntimeError: trio or uvloop is not installed; the message names the extra.
    """
    serving = partial(serve, main, host=host, port=port, **settings)
    options: dict[str, Any] = {"use_uvloop": True} if uvloop and backend == "asyncio" else {}
    _require("trio" if backend == "trio" else "uvloop" if uvloop else None)
    anyio.run(_run, serving, on_start or _announce, backend=backend, backend_options=options)


async def _run(serving: Callable[..., Any], on_start: Callable[[str], None]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_on_signal, tasks.cancel_scope)
        on_start(await tasks.start(serving))


async def _cancel_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            break
    # The receiver is gone: the next signal does what it does by default, and ends the program.
    scope.cancel()


def _announce(url: str) -> None:
    print(f"Serving on {url}", file=sys.stderr, flush=True)


def _require(module: str | None) -> None:
    if module is None:
        return
    try:
        __import__(module)
    except ImportError as error:
        hint = 'pip install "flet-anyio[trio]"' if module == "trio" else "pip install uvloop"
        raise RuntimeError(f"{module} is not installed: {hint}") from error
