"""Serving as a program of its own."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import anyio

from ..compat.exit import leave_at_exit
from ..settings import log_level, setting
from .apps import limits_for
from .collecting import collecting_rarely
from .open_files import allow_all_files
from .serve import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["run"]

logger = logging.getLogger(__name__)

_MARGIN = 2.0
"""Seconds after the grace for what is left to do when all sessions have ended."""


def run(
    main: Any,
    *,
    backend: Literal["asyncio", "trio"] = "asyncio",
    uvloop: bool = False,
    host: str | None = None,
    port: int | None = None,
    on_start: Callable[[str], None] | None = None,
    **settings: Any,
) -> None:
    """Serve an app until SIGINT or SIGTERM.

    `FLET_LOG_LEVEL` sets up logging, if the program did not.

    The first signal shuts down in order, as cancelling `flet_anyio.serve` does; a second one
    ends the program at once. Code that goes on although it was cancelled is named in the log
    after the grace, and the program ends without it, with status 1. So it does with threads that
    go on when the program has come to its end.

    The process is the server's: between two full garbage collections there are ten seconds at
    least, however many clients come, and it may open as many files as the system allows, as each
    client takes one.

    Args:
        main: A Flet app, or an ASGI app.
        backend: What to run on.
        uvloop: Whether asyncio is to run on uvloop.
        host: Address to listen on. Default: `FLET_SERVER_IP`, else 127.0.0.1.
        port: Port to listen on; 0 takes a free one. Default: `FLET_SERVER_PORT`, else 8000.
        on_start: Called with the URL when clients may connect. By default it is printed, after
            `FLET_DISPLAY_URL_PREFIX` if that is set.
        **settings: As for `flet_anyio.serve`.

    Raises:
        OSError: The address cannot be listened on.
        RuntimeError: trio or uvloop is not installed; the message names the extra.
        ValueError: A setting or variable is not of its kind; the message names it.
    """
    if (level := log_level()) is not None:
        logging.basicConfig(level=level)
    _require("trio" if backend == "trio" else "uvloop" if uvloop else None)
    limits = limits_for(main, settings.get("limits"))
    program = _Program(
        partial(serve, main, host=host, port=port, **settings),
        on_start or _announce,
        limits.shutdown_grace + _MARGIN,
    )
    options: dict[str, Any] = {"use_uvloop": True} if uvloop and backend == "asyncio" else {}
    allow_all_files()
    with _handlers_kept(), collecting_rarely():
        try:
            anyio.run(program.run, backend=backend, backend_options=options)
        finally:
            program.ended()


class _Program:
    """A server that ends by signals, whatever the code in it does."""

    def __init__(
        self, serving: Callable[..., Any], on_start: Callable[[str], None], patience: float
    ) -> None:
        self._serving = serving
        self._on_start = on_start
        self._patience = patience
        self._last_resort: threading.Timer | None = None

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._cancel_on_signal, tasks.cancel_scope)
            self._on_start(await tasks.start(self._serving))

    def ended(self) -> None:
        if self._last_resort is not None:
            self._last_resort.cancel()
            leave_at_exit(_MARGIN, _leave)

    async def _cancel_on_signal(self, scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                break
        # The next signal ends the program at once. Without the receiver it would do what it did
        # before, and with trio that is to wait for a task that can be told.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        # A thread counts, as the loop may be what is held up.
        self._last_resort = threading.Timer(self._patience, _leave)
        self._last_resort.daemon = True
        self._last_resort.start()
        scope.cancel()


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Leave the program's handlers of signals as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: it was not set by Python
                signal.signal(number, handler)


def _leave() -> None:
    logger.error("shutting down took too long: leaving with what still runs")
    logging.shutdown()
    os._exit(1)


def _announce(url: str) -> None:
    prefix = setting(None, "FLET_DISPLAY_URL_PREFIX", str)
    if prefix is not None:
        # For the program that set it, which reads the output.
        print(prefix, url, flush=True)
    else:
        print(f"Serving on {url}", file=sys.stderr, flush=True)


def _require(module: str | None) -> None:
    if module is None:
        return
    try:
        __import__(module)
    except ImportError as error:
        hint = 'pip install "flet-anyio[trio]"' if module == "trio" else "pip install uvloop"
        raise RuntimeError(f"{module} is not installed: {hint}") from error
