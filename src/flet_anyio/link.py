"""A transport with its outbox: what one connection sends and receives, whoever it is for."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint

from .errors import OutboxFull, PeerError, TransportClosed
from .limits.overruns import overrun
from .transports import Close, Outbox
from .wire.codes import CloseCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .compat.door import Door
    from .limits import Limits
    from .transports import Transport

__all__ = ["Link"]

logger = logging.getLogger(__name__)

_REASON_BYTES = 123
_IN_A_ROW = 8
"""How many messages of one client may be dealt with before others have their turn, at the most."""
_AT_ONCE = 50e-6
"""Seconds within which a message comes that was there already, so that nobody else ran."""
_GOODBYE = 2
"""Seconds that the closing handshake may take."""


class Link:
    """The running side of a connection. `send`, `update` and `close` work from any thread.

    Its owner runs `write` in a task group in which it reads itself, and gives the group's scope as
    `scope`: whichever of the two ends the connection, ends the other.
    """

    __slots__ = (
        "_at_once",
        "_door",
        "_end",
        "_failed",
        "_outbox",
        "_received",
        "_receiving",
        "_sending",
        "_system_bounds",
        "_transport",
        "_write_timeout",
        "info",
        "label",
        "limits",
        "scope",
    )

    def __init__(self, transport: Transport, limits: Limits, door: Door, label: str) -> None:
        self.info = transport.info
        self.label = label
        self.scope: anyio.CancelScope | None = None
        self._transport = transport
        self.limits = limits
        self._door = door
        self._outbox = Outbox(limits.outbox_bytes, door)
        self._received = 0
        self._at_once = False
        self._receiving = False
        self._failed = False
        # Unless something says why: whoever ran the connection was cancelled.
        self._end = Close(CloseCode.SERVICE_RESTART, "the server shuts down")
        self._write_timeout = limits.write_timeout
        self._system_bounds = False
        self._sending = False

    async def accept(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Finish the handshake, with these header fields in the answer."""
        await self._transport.accept(headers)
        timeout = self.limits.write_timeout
        if timeout is not None and self._transport.bound_writes(timeout):
            # The system counts from the last progress, and a frame may take as long as it likes.
            self._write_timeout = None
            self._system_bounds = True

    async def receive(self) -> bytes | str:
        """Wait for a frame of acceptable size.

        Raises:
            PeerError: It is larger than `Limits.message_bytes`.
            TransportClosed: The connection is over.
        """
        if self._at_once or self._received % _IN_A_ROW == 0:
            # Servers hand over what has come already without letting anybody else run, and one that
            # floods the server is to have no more turns than those who click. Where a machine is
            # too slow to tell by the time, others have a turn all the same.
            await checkpoint()
        self._receiving = True
        before = perf_counter()
        frame = await self._transport.receive()
        self._at_once = perf_counter() - before < _AT_ONCE
        self._receiving = False
        self._received += 1
        if self._failed:
            raise TransportClosed
        limit = self.limits.message_bytes
        if limit is not None and len(frame) > limit:
            reason = f"a frame of more than {limit} bytes"
            raise PeerError(CloseCode.MESSAGE_TOO_BIG, reason, limit="message_bytes")
        return frame

    async def write(self) -> None:
        """Send what waits in the outbox, each frame in its time, until the end."""
        while isinstance(item := await self._outbox.get(), bytes):
            try:
                in_time = await self._send(item)
            except TransportClosed:
                break
            if not in_time:
                self.drop(f"a frame was not taken in {self._write_timeout} s", "write_timeout")
                break
            item = b""  # nothing of a frame is kept while the next one is waited for
        else:
            self._end = item
        self.cut()

    async def _send(self, frame: bytes) -> bool:
        """Send a frame; return False if it was not taken in time."""
        self._sending = True
        if self._write_timeout is None:
            await self._transport.send(frame)
        else:
            with anyio.move_on_after(self._write_timeout) as scope:
                await self._transport.send(frame)
            if scope.cancelled_caught:
                return False
        self._sending = False
        return True

    @property
    def reading(self) -> bool:
        """Whether the next message is waited for. Else the last one waits to be dealt with."""
        return self._receiving

    @property
    def activity(self) -> tuple[int, bool]:
        """What differs when something has come since, or has been dealt with."""
        return self._received, self._receiving

    @property
    def writing(self) -> bool:
        """Whether the client is still to take something, in a time that is bounded.

        Its silence means nothing then.
        """
        if self._system_bounds:
            return self._transport.unconfirmed() > 0
        return self._sending and self._write_timeout is not None

    def fail(self, error: PeerError) -> None:
        """End the connection for what the peer did: nothing more is received, nor sent.

        A frame that is being sent is finished, if that takes no longer than a goodbye: nothing
        could follow on half of it, and the peer is to be told why.
        """
        if self._failed:
            return
        self._failed = True
        _log(error.limit, "connection %s: closed, %s", self.label, error)
        self._end = Close(error.close_code, error.reason)
        self._outbox.discard(self._end)
        if self.scope is not None:
            self.scope.deadline = anyio.current_time() + _GOODBYE

    def drop(self, reason: str, limit: str = "") -> None:
        """End the connection, as the network would: the client may come back.

        `limit` is the one of `Limits` that was passed, if it was one.
        """
        _log(limit, "connection %s: dropped, %s", self.label, reason)
        self._end = Close(CloseCode.TRY_AGAIN_LATER, reason)
        self.cut()

    def cut(self) -> None:
        """End the connection now, whatever waits to be sent."""
        if self.scope is not None:
            self.scope.cancel()

    def send(self, frame: bytes, *, urgent: bool = False) -> None:
        """Put a frame on its way. Urgent ones are not held back.

        Raises:
            OutboxFull: Too much waits already.
        """
        self._outbox.put(frame, urgent=urgent)

    def welcome(self, frames: list[bytes]) -> None:
        """Put on its way what answers a registration, however much it is."""
        self._outbox.put(*frames, bounded=False)

    def update(self, frames: list[bytes]) -> None:
        """Put an update on its way. When too much waits, drop the connection.

        The client comes back then, and gets what it missed.
        """
        try:
            self._outbox.put(*frames)
        except OutboxFull as error:
            # Nothing may follow: what came after would say that this one had come.
            self._outbox.discard()
            if self._door.here():
                self.drop(str(error))
            else:
                self._door.post(self.drop, str(error))

    def hold(self) -> None:
        """Keep back what is sent from now on."""
        self._outbox.hold()

    def release(self) -> None:
        """Send what was held back, and hold back no more."""
        self._outbox.release()

    def close(self, code: CloseCode, reason: str) -> None:
        """Send what waits, then close."""
        self._outbox.end(Close(code, reason))

    async def goodbye(self) -> None:
        """Close the transport. Shielded and bounded: it is part of every ending."""
        if not self._sending:
            # Servers wait on, when `close` has returned, for a peer that does not read.
            self._transport.bound_writes(_GOODBYE)
            with anyio.move_on_after(_GOODBYE, shield=True) as in_time:
                await self._transport.close(self._end.code, _short(self._end.reason))
        if self._sending or in_time.cancelled_caught or self._failed:
            # Nothing can follow on a frame that was cut. And who broke the protocol may send on
            # and on: servers would read all of it, to wait for a goodbye (RFC 6455, section 7.1.7).
            self._transport.abort()
        # Nobody takes what still waits.
        self._outbox.discard()
        # A session that waits for its client knows this object. It is not to keep what the server
        # holds of the connection: half a message may be as large as a message can be.
        del self._transport


def _log(limit: str, text: str, *args: object) -> None:
    if limit:
        overrun(logger, limit, text, *args)
    else:
        logger.warning(text, *args)


def _short(reason: str) -> str:
    """As much of a reason as fits into a close frame: 123 bytes (RFC 6455, section 5.5)."""
    return reason.encode()[:_REASON_BYTES].decode("utf-8", "ignore")
