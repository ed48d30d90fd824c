"""A WebSocket on a real socket that can be broken in every way."""

from __future__ import annotations

import socket
import struct
from typing import Any

import anyio
import msgpack
from anyio.abc import SocketAttribute, SocketStream
from flet.messaging.protocol import MessageAction, decode_ext_from_msgpack
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from flet_anyio.wire.packets import MessagePacket, decode_packet, message_packet

__all__ = ["Gone", "Wire"]

_SMALL = 4096
_MOMENT = 0.2
_ABORT = struct.pack("ii", 1, 0)


class Gone(Exception):  # noqa: N818 - an outcome like any other here
    """The connection is over."""


class Wire:
    """The client's end of one connection."""

    def __init__(self, protocol: ClientProtocol, stream: SocketStream) -> None:
        self._protocol = protocol
        self._stream = stream
        self._frames: list[Frame] = []

    @classmethod
    async def open(cls, url: str) -> Wire:
        """Connect, and send nothing yet."""
        protocol = ClientProtocol(parse_uri(url), max_size=None)
        # With a small window a server notices soon that nobody reads.
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        raw.settimeout(5)
        raw.connect((protocol.uri.host, protocol.uri.port))
        raw.setblocking(False)
        return cls(protocol, await SocketStream.from_socket(raw))

    async def shake_hands(self) -> None:
        """Become a WebSocket."""
        self._protocol.send_request(self._protocol.connect())
        await self._flush()
        while self._protocol.state is State.CONNECTING:
            await self._read()
        if self._protocol.state is not State.OPEN:
            raise Gone

    async def send(self, action: MessageAction, body: Any) -> None:
        self._must_be_open()
        self._protocol.send_binary(_packed(action, body))
        await self._flush()

    async def send_part(self, action: MessageAction, body: Any, part: float) -> None:
        """Send the beginning of a frame."""
        self._must_be_open()
        self._protocol.send_binary(_packed(action, body))
        data = b"".join(self._protocol.data_to_send())
        await self._send(data[: max(1, int(len(data) * part))])

    async def send_packet(self, packet: bytes) -> None:
        """Send a frame, whatever is in it."""
        self._must_be_open()
        self._protocol.send_binary(packet)
        await self._flush()

    async def send_text(self, text: str) -> None:
        self._must_be_open()
        self._protocol.send_text(text.encode())
        await self._flush()

    async def send_bytes(self, data: bytes) -> None:
        """Send what may be no frame at all."""
        await self._send(data)

    async def receive(self) -> tuple[MessageAction, Any]:
        """Wait for the next message."""
        while not self._frames:
            await self._read()
        packet = decode_packet(bytes(self._frames.pop(0).data))
        assert isinstance(packet, MessagePacket)
        action, body = msgpack.unpackb(
            packet.body, ext_hook=decode_ext_from_msgpack, strict_map_key=False
        )
        return MessageAction(action), body

    async def receive_bytes(self) -> None:
        """Take a little of what comes, if anything does, so that a frame is cut short."""
        try:
            with anyio.move_on_after(_MOMENT):
                await self._stream.receive(_SMALL // 4)
        except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise Gone from error

    async def say_goodbye(self) -> None:
        """Close as a browser does."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1001)
            await self._flush()
        await self.finish()

    async def finish(self) -> None:
        """Close with FIN."""
        await self._stream.aclose()

    async def reset(self) -> None:
        """Close with RST."""
        raw = self._stream.extra(SocketAttribute.raw_socket)
        if raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        await self._stream.aclose()

    def _must_be_open(self) -> None:
        if self._protocol.state is not State.OPEN:
            raise Gone

    async def _read(self) -> None:
        try:
            self._protocol.receive_data(await self._stream.receive())
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise Gone from error
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                self._frames.append(event)
        await self._flush()
        if self._protocol.state not in (State.OPEN, State.CONNECTING) and not self._frames:
            raise Gone

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                await self._send(data)

    async def _send(self, data: bytes) -> None:
        try:
            await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise Gone from error


def _packed(action: MessageAction, body: Any) -> bytes:
    return message_packet(msgpack.packb([action.value, body]))
