"""Frames on their way to one client: bounded in bytes, filled from any thread.

An update that comes while one of the same control waits is sent in the same frame.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import OutboxFull
from ..limits.overruns import count_overrun
from ..wire.codes import CloseCode
from ..wire.joining import join_updates

if TYPE_CHECKING:
    from ..compat.door import Door, Wakeup

__all__ = ["Close", "Outbox"]


@dataclass(frozen=True, slots=True)
class Close:
    """The last item: the connection is to be closed."""

    code: CloseCode
    reason: str


class Outbox:
    """A queue of frames. When `limit` bytes wait, the next frame is refused with `OutboxFull`."""

    __slots__ = (
        "_arrived",
        "_bytes",
        "_door",
        "_end",
        "_frames",
        "_held",
        "_limit",
        "_lock",
        "_taken",
    )

    def __init__(self, limit: int | None, door: Door) -> None:
        self._limit = limit
        self._door = door
        self._lock = threading.Lock()
        # Taken all at once, last frame first: a deque takes a lot of memory to hold nothing.
        self._frames: list[bytes] = []
        self._taken: list[bytes] = []
        self._held: list[bytes] | None = None
        self._bytes = 0
        self._end: Close | None = None
        self._arrived: Wakeup | None = None

    def put(self, *frames: bytes, urgent: bool = False, bounded: bool = True) -> None:
        """Queue frames that belong together: all, or none. After the end they are dropped.

        Urgent ones are not held back, and always fit, as do those that are not `bounded`.

        Raises:
            OutboxFull: Too much waits already.
        """
        size = sum(map(len, frames))
        with self._lock:
            if self._end is not None:
                return
            full = self._limit is not None and self._bytes + size > self._limit
            if full and self._bytes and bounded and not urgent:
                count_overrun("outbox_bytes")
                raise OutboxFull(self._bytes, self._limit or 0)
            self._bytes += size
            if self._held is not None and not urgent:
                self._held.extend(frames)
                return
            self._add(frames)
        self._wake()

    def hold(self) -> None:
        """Keep back what is put from now on."""
        with self._lock:
            self._held = []

    def release(self) -> None:
        """Let go what was held back."""
        with self._lock:
            held, self._held = self._held or [], None
            self._frames.extend(held)
        self._wake()

    def end(self, close: Close) -> None:
        """Take no more frames, and close when those that wait are sent. The first word counts."""
        with self._lock:
            if self._end is None:
                self._end = close
        self._wake()

    def discard(self, close: Close | None = None) -> None:
        """Drop what waits, and take no more; with `close`, close at once."""
        with self._lock:
            self._end = close or self._end or Close(CloseCode.NORMAL, "")
            self._frames.clear()
            self._taken.clear()
            self._held = None
            self._bytes = 0
        if close is not None:
            self._wake()

    async def get(self) -> bytes | Close:
        """Wait for the next frame, or for the end."""
        while True:
            with self._lock:
                if not self._taken and self._frames:
                    self._taken, self._frames = self._frames[::-1], []
                if self._taken:
                    frame = self._taken.pop()
                    self._bytes -= len(frame)
                    return frame
                if self._end is not None:
                    return self._end
                arrived = self._arrived = self._door.wakeup()
            await arrived.wait()

    def _add(self, frames: tuple[bytes, ...]) -> None:
        for frame in frames:
            joined = join_updates(self._frames[-1], frame) if self._frames else None
            if joined is None:
                self._frames.append(frame)
            else:
                self._bytes += len(joined) - len(self._frames[-1]) - len(frame)
                self._frames[-1] = joined

    def _wake(self) -> None:
        if self._door.here():
            self._set_arrived()
        else:
            self._door.post(self._set_arrived)

    def _set_arrived(self) -> None:
        if self._arrived is not None:
            self._arrived.set()
