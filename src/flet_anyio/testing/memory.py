"""A transport inside one process: two ends, with frames in between."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from ..errors import TransportClosed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ..transports.base import PeerInfo

__all__ = ["MemoryTransport"]


class MemoryTransport:
    """The server's end of a connection; the test holds the other one.

    `client_send` and `client_receive` are the client's side. What the server sends waits in a
    buffer of `frames` frames: with a small one, a client that does not read blocks the server,
    as one behind a socket would. `headers` are those of the server's answer to the handshake.
    """

    stopping: Callable[[], Awaitable[None]] | None = None

    def __init__(self, info: PeerInfo, *, frames: float = math.inf) -> None:
        self.info = info
        self.accepted = anyio.Event()
        self.headers: dict[str, str] = {}
        self.closed = anyio.Event()
        self.close_code: int | None = None
        self.close_reason = ""
        self.refused: int | None = None
        self._to_client, self._at_client = anyio.create_memory_object_stream[bytes](frames)
        self._to_server, self._at_server = anyio.create_memory_object_stream[bytes | str](math.inf)

    async def accept(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.headers = dict(headers)
        self.accepted.set()

    async def refuse(self, status: int) -> None:
        self.refused = status
        self._end()

    async def receive(self) -> bytes | str:
        try:
            return await self._at_server.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError) as error:
            raise TransportClosed(1006) from error

    async def send(self, frame: bytes) -> None:
        try:
            await self._to_client.send(frame)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise TransportClosed(1006) from error

    async def close(self, code: int, reason: str) -> None:
        if not self.closed.is_set():
            self.close_code, self.close_reason = code, reason
        self._end()

    def bound_writes(self, seconds: float) -> bool:
        return False

    def unconfirmed(self) -> int:
        return 0

    def abort(self) -> None:
        if not self.closed.is_set():
            self.close_code = 1006
        self._end()

    # --- the client's side --------------------------------------------------------------------

    def client_send(self, frame: bytes | str) -> None:
        """Send a frame to the server. After the end it is lost, as on a broken network."""
        if not self.closed.is_set():
            self._to_server.send_nowait(frame)

    async def client_receive(self) -> bytes:
        """Wait for the next frame of the server.

        Raises:
            TransportClosed: The connection is over.
        """
        try:
            return await self._at_client.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError) as error:
            raise TransportClosed(self.close_code) from error

    def drop(self) -> None:
        """Break the connection, with no goodbye from either side."""
        self._end()
        self._at_client.close()

    def _end(self) -> None:
        self._to_client.close()
        self._to_server.close()
        self._at_server.close()
        self.closed.set()
