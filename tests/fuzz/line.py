"""One connection of a fuzzer: bytes, until it is over."""

from __future__ import annotations

import socket
import struct
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import msgpack
from anyio.abc import SocketAttribute
from flet.messaging.protocol import MessageAction, decode_ext_from_msgpack
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from flet_anyio.wire.packets import MessagePacket, decode_packet

from .frames import BINARY, CLOSE, frame
from .messages import packed

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream, TaskGroup

    from .messages import Tab

__all__ = ["Line", "Stuck"]

_PATIENCE = 20
"""Seconds until a server that says nothing has failed. Much, as the machine may be busy."""
_URL = "ws://localhost/ws"
_ABORT = struct.pack("ii", 1, 0)
_OVER = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


class Stuck(Exception):  # noqa: N818 - a promise that was broken
    """The server did not do what it must, in time."""


class Line:
    """A TCP connection that takes any bytes, and a WebSocket when it is asked to be one."""

    def __init__(self, stream: SocketStream, tasks: TaskGroup) -> None:
        self._stream = stream
        self._tasks = tasks
        self._ended = anyio.Event()
        self._reads = False

    @classmethod
    @asynccontextmanager
    async def open(cls, address: tuple[str, int]) -> AsyncIterator[Line]:
        """Connect; leaving the block closes the connection."""
        with anyio.fail_after(_PATIENCE):
            stream = await anyio.connect_tcp(*address)
        async with stream, anyio.create_task_group() as tasks:
            yield cls(stream, tasks)
            tasks.cancel_scope.cancel()

    async def register(self, tab: Tab, registration: Any, *, deflate: bool) -> bool:
        """Become a WebSocket and show the app. Return False when the server ended it before.

        Raises:
            Stuck: It did neither in time.
        """
        factories = [ClientPerMessageDeflateFactory()] if deflate else None
        protocol = ClientProtocol(parse_uri(_URL), extensions=factories, max_size=None)
        protocol.send_request(protocol.connect())
        try:
            with anyio.fail_after(_PATIENCE):
                if not await self._until_open(protocol):
                    return False
                await self.send(frame(BINARY, packed(registration)))
                while not await self._take(protocol, tab):
                    pass
        except TimeoutError:
            raise Stuck("no page for a client that registered") from None
        except _OVER:
            return False
        return True

    async def shake_hands(self) -> bool:
        """Become a WebSocket."""
        protocol = ClientProtocol(parse_uri(_URL))
        protocol.send_request(protocol.connect())
        try:
            with anyio.fail_after(_PATIENCE):
                return await self._until_open(protocol)
        except TimeoutError:
            raise Stuck("no answer to a handshake") from None
        except _OVER:
            return False

    async def _until_open(self, protocol: ClientProtocol) -> bool:
        await self.send(b"".join(protocol.data_to_send()))
        while protocol.state is State.CONNECTING:
            protocol.receive_data(await self._stream.receive())
        protocol.events_received()
        return protocol.state is State.OPEN

    async def _take(self, protocol: ClientProtocol, tab: Tab) -> bool:
        """Take what comes. Return whether it completes the page."""
        protocol.receive_data(await self._stream.receive())
        for event in protocol.events_received():
            if isinstance(event, Frame) and event.opcode == BINARY:
                await self._show(bytes(event.data), tab)
        if protocol.state is not State.OPEN:
            raise anyio.EndOfStream
        return tab.learn()

    async def _show(self, data: bytes, tab: Tab) -> None:
        packet = decode_packet(data)
        if isinstance(packet, MessagePacket):
            action, body = msgpack.unpackb(
                packet.body, ext_hook=decode_ext_from_msgpack, strict_map_key=False
            )
            reply = tab.take(MessageAction(action), body)
            if reply is not None:
                await self.send(frame(BINARY, packed(reply)))

    async def send(self, data: bytes) -> bool:
        """Send bytes. Return False when the server has ended the connection."""
        try:
            with anyio.fail_after(_PATIENCE):
                await self._stream.send(data)
        except TimeoutError:
            raise Stuck("bytes were not taken") from None
        except _OVER:
            return False
        return True

    def read_on(self) -> None:
        """Read from now on, and forget what comes: a peer that does not is another test's."""
        if not self._reads:
            self._reads = True
            self._tasks.start_soon(self._drain)

    async def _drain(self) -> None:
        with suppress(*_OVER):
            while True:
                await self._stream.receive()
        self._ended.set()

    async def finish(self, rng: random.Random) -> None:
        """End the connection in some way.

        Raises:
            Stuck: The server did not end it in time, though it was told.
        """
        if rng.random() < 0.2:
            raw = self._stream.extra(SocketAttribute.raw_socket)
            with suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            return
        self.read_on()
        if rng.random() < 0.2:
            await self.send(frame(CLOSE, struct.pack(">H", 1001)))
        with suppress(*_OVER, OSError):
            await self._stream.send_eof()
        try:
            with anyio.fail_after(_PATIENCE):
                await self._ended.wait()
        except TimeoutError:
            raise Stuck("a connection that the client had ended was kept") from None
