"""A real WebSocket on any backend, as a client of Flet opens it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import msgpack
from flet.messaging.protocol import MessageAction, decode_ext_from_msgpack
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Origin
from websockets.uri import parse_uri

from flet_anyio.wire.packets import decode_packet, message_packet
from waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from anyio.abc import ByteStream

__all__ = ["Socket", "open_socket"]


@asynccontextmanager
async def open_socket(
    url: str, origin: str | None = None, headers: dict[str, str] | None = None
) -> AsyncIterator[Socket]:
    page = Origin(origin) if origin is not None else None
    protocol = ClientProtocol(parse_uri(url), origin=page, max_size=None)
    host, port = protocol.uri.host, protocol.uri.port
    with anyio.fail_after(PATIENCE):
        async with await anyio.connect_tcp(host, port) as stream:
            socket = Socket(protocol, stream)
            await socket.shake_hands(headers)
            yield socket


class Socket:
    """A WebSocket client: the protocol of `websockets`, over a stream of anyio.

    `headers` are those of the server's answer to the handshake.
    """

    def __init__(self, protocol: ClientProtocol, stream: ByteStream) -> None:
        self._protocol = protocol
        self._stream = stream
        self._events: list[Any] = []
        self.headers: dict[str, str] = {}

    async def shake_hands(self, headers: dict[str, str] | None = None) -> None:
        request = self._protocol.connect()
        request.headers.update(headers or {})
        self._protocol.send_request(request)
        await self._flush()
        response = await self._next()
        self.headers.update(response.headers)
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc

    async def register(self) -> None:
        """Ask for a session."""
        await self.send(
            MessageAction.REGISTER_CLIENT,
            {"session_id": None, "page_name": "", "page": {"route": "/", "web": True}},
        )

    async def send(self, action: MessageAction, body: Any) -> None:
        await self.send_frame(message_packet(msgpack.packb([action.value, body])))

    async def send_frame(self, frame: bytes) -> None:
        self._protocol.send_binary(frame)
        await self._flush()

    async def send_text(self, text: str) -> None:
        """Send a frame that the protocol has no place for."""
        self._protocol.send_text(text.encode())
        await self._flush()

    async def hang_up(self) -> None:
        """Close the connection below the WebSocket, with no goodbye."""
        await self._stream.aclose()

    async def receive_frame(self) -> bytes | None:
        """Wait for the next binary frame; None when the server has closed the connection."""
        while not self._events and self._protocol.state is not State.CLOSED:
            await self._read()
        event = self._events.pop(0) if self._events else None
        return bytes(event.data) if event is not None and event.opcode is Opcode.BINARY else None

    @property
    def goodbye(self) -> int | None:
        """The code with which the server closed the connection."""
        closing = self._protocol.close_rcvd
        return closing.code if closing is not None else None

    async def receive(self) -> tuple[MessageAction, Any]:
        """Wait for the next message."""
        event = await self._next()
        assert isinstance(event, Frame)
        assert event.opcode is Opcode.BINARY, event
        packet = decode_packet(bytes(event.data))
        action, body = msgpack.unpackb(
            packet.body,  # type: ignore[union-attr]
            ext_hook=decode_ext_from_msgpack,
            strict_map_key=False,
        )
        return MessageAction(action), body

    async def receive_until(self, condition: Callable[[Any], bool]) -> Any:
        """Wait for a message of which this is true, and return its body."""
        while True:
            _, body = await self.receive()
            if condition(body):
                return body

    async def wait_goodbye(self) -> int:
        """Wait until the server says that it closes, and return its code."""
        while self._protocol.close_rcvd is None:
            assert self._protocol.state is not State.CLOSED, "closed without a goodbye"
            await self._read()
        return self._protocol.close_rcvd.code

    async def _next(self) -> Any:
        while not self._events:
            assert self._protocol.state is not State.CLOSED, self._protocol.close_exc
            await self._read()
        return self._events.pop(0)

    async def _read(self) -> None:
        try:
            self._protocol.receive_data(await self._stream.receive())
        except anyio.EndOfStream:
            self._protocol.receive_eof()
        self._events += self._protocol.events_received()
        await self._flush()

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                await self._stream.send(data)
