"""Compressed copies of files, made once for each content."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.lowlevel import RunVar

from ...compat.hosting import host
from .cache import CacheFolder

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

    from .encodings import Encoding

    _Checkpoint = Callable[[], None]
    _Job = Callable[[_Checkpoint], None]

__all__ = ["CompressedFiles", "Copy"]

logger = logging.getLogger(__name__)

_THREADS = 2
_MAX_WAITING = 256
_CHUNK = 1 << 17
_MAX_FAILED = 256
_PAUSE = 600.0


@dataclass(frozen=True)
class Copy:
    """A compressed copy of a file.

    Attributes:
        level: At which it was compressed.
    """

    path: Path
    stat_result: os.stat_result
    level: int


@dataclass(frozen=True)
class _Order:
    """A copy that is to be made."""

    source: Path
    content: str
    encoding: Encoding
    level: int

    @property
    def name(self) -> str:
        return f"{self.content}.{self.encoding.name}{self.level}"


class CompressedFiles:
    """Compressed copies of files, by their content, in a `CacheFolder`.

    The first who asks waits for a quick copy, made in a worker thread: two are made at a time,
    and each once. Then the event loop makes the best one, in the background and one after the
    other, and all who come later get that.

    One object may serve several event loops.
    """

    def __init__(self) -> None:
        self._folder = CacheFolder("compressed")
        self._lock = threading.Lock()
        self._making: WeakValueDictionary[str, _Making] = WeakValueDictionary()
        self._failed: dict[str, float] = {}

    async def get(self, source: Path, content: str, encoding: Encoding) -> Copy | None:
        """A copy of `source`, whose fingerprint is `content`; None if it would not be smaller.

        None too where it cannot be made: the file has changed, or there is no space for it.

        Cancelled while a copy is made, this ends when that is done, and the next request has it.
        """
        quick = _Order(source, content, encoding, encoding.quick)
        best = _Order(source, content, encoding, encoding.best)
        found = await anyio.to_thread.run_sync(self._find, best, quick)
        if found is None:
            await anyio.to_thread.run_sync(self._make, quick, limiter=_limiter())
            found = await anyio.to_thread.run_sync(self._find, quick)
        if found is None or not found.stat_result.st_size:
            return None
        if found.level != encoding.best:
            await _improver().add(best.name, partial(self._improve, best))
        return found

    def _find(self, *orders: _Order) -> Copy | None:
        for order in orders:
            if (found := self._folder.find(order.name)) is not None:
                return Copy(*found, order.level)
        return None

    def _make(self, order: _Order) -> None:
        with self._alone(order), self._tolerating(order):
            if self._wanted(order):
                self._write(order, lambda: None)

    def _improve(self, order: _Order, checkpoint: _Checkpoint) -> None:
        """Make the best copy, unless another process is at it."""
        if self._wanted(order):
            with self._tolerating(order), self._folder.claiming(order.name) as ours:
                if ours:
                    self._write(order, checkpoint)

    def _wanted(self, order: _Order) -> bool:
        return (
            self._folder.path is not None
            and time.monotonic() >= self._failed.get(order.name, 0.0)
            and self._folder.find(order.name) is None
        )

    def _write(self, order: _Order, checkpoint: _Checkpoint) -> None:
        with self._folder.writing(order.name) as file:
            _compress(order, file, checkpoint)

    @contextlib.contextmanager
    def _tolerating(self, order: _Order) -> Iterator[None]:
        """Do without a copy that cannot be made, and do not try again with each request."""
        try:
            yield
        except _ChangedError:
            pass  # the next request finds what is there now
        except _LeftAloneError:
            raise
        except Exception as error:
            # A full disk, or no memory for the best level. The visitor gets what there is.
            logger.warning("no compressed copy of %s: %s", order.source, error)
            with self._lock:
                while len(self._failed) >= _MAX_FAILED:
                    del self._failed[next(iter(self._failed))]
                self._failed[order.name] = time.monotonic() + _PAUSE

    @contextlib.contextmanager
    def _alone(self, order: _Order) -> Iterator[None]:
        with self._lock:
            making = self._making.setdefault(order.name, _Making())
        with making.lock:
            yield


class _Making:
    """A copy that is being made, for as long as anyone waits for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class _ChangedError(Exception):
    """A file is not what it was when it was looked at."""


class _LeftAloneError(Exception):
    """Nobody waits any longer for what is being made."""


class _Improver:
    """Makes the best copies of one event loop, one after the other.

    Nothing of a page's life could own that work: requests end, and servers wait for them when
    they shut down; and an app may be mounted where no lifespan reaches it. So the loop hosts it,
    as it does the server of such apps: it runs as long as there is work, and is cancelled when
    the loop ends.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, _Job] = {}
        self._running = False
        self._task: object = None

    async def add(self, name: str, job: _Job) -> None:
        """Run `job` in a worker thread some time later, unless one of that name waits already.

        It keeps its errors in. With too many waiting this one does not; the next request for its
        file asks again.
        """
        if name in self._waiting or len(self._waiting) >= _MAX_WAITING:
            return
        self._waiting[name] = job
        if not self._running:
            self._running = True
            # Cancelled in between, the task would be held by nobody.
            with anyio.CancelScope(shield=True):
                self._task = await host(self._run)

    async def _run(self, started: Callable[[], None]) -> None:
        started()
        try:
            while self._waiting:
                name = next(iter(self._waiting))
                try:
                    await _run_in_thread(self._waiting[name])
                finally:
                    del self._waiting[name]
        finally:
            self._running = False


async def _run_in_thread(job: _Job) -> None:
    """Run `job` with a checkpoint to call now and then, which ends it when this is cancelled."""
    left = threading.Event()

    def checkpoint() -> None:
        anyio.from_thread.check_cancelled()
        if left.is_set():
            raise _LeftAloneError

    try:
        await anyio.to_thread.run_sync(job, checkpoint)
    finally:
        # When its loop ends, asyncio cancels with no regard to scopes: this does not wait for the
        # thread then, and the thread sees no scope cancelled. It ends at its next checkpoint.
        left.set()


_limiters: RunVar[anyio.CapacityLimiter] = RunVar("flet_anyio_compressing")
_improvers: RunVar[_Improver] = RunVar("flet_anyio_improving")


def _limiter() -> anyio.CapacityLimiter:
    """Of the threads that compress for visitors: they take none from what else runs in some."""
    limiter = _limiters.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(_THREADS)
        _limiters.set(limiter)
    return limiter


def _improver() -> _Improver:
    improver = _improvers.get(None)
    if improver is None:
        improver = _Improver()
        _improvers.set(improver)
    return improver


def _compress(order: _Order, target: IO[bytes], checkpoint: _Checkpoint) -> None:
    """Write the copy; leave it empty if it is not smaller, as a note that it was tried.

    `checkpoint` is called now and then, and may raise.

    Raises:
        OSError: The file cannot be read, or the copy not be written.
        _ChangedError: The file holds something else by now.
    """
    step, end = order.encoding.compressor(order.level)
    digest, size = hashlib.sha256(), 0
    with order.source.open("rb") as plain:
        while chunk := plain.read(_CHUNK):
            checkpoint()
            digest.update(chunk)
            size += len(chunk)
            target.write(step(chunk))
    target.write(end())
    if not digest.hexdigest().startswith(order.content):
        raise _ChangedError
    if target.tell() >= size:
        target.seek(0)
        target.truncate()
