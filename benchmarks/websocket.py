"""The WebSocket of a client that costs little: frames in, frames out, and nothing in between."""

from __future__ import annotations

import base64
import os
import socket
import struct
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BINARY", "TEXT", "Goodbye", "WebSocket", "dial", "frame", "handshake", "read_head"]

TEXT, BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_CONTENT = (0, TEXT, BINARY)
_BIND_ADDRESS_NO_PORT = 24  # of ip(7); the module socket has no name for it


class Goodbye(ConnectionError):  # noqa: N818 - an outcome like any other here
    """The server closed the connection, and said why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the server said goodbye: {code}")
        self.code = code


class WebSocket:
    """One connection. Those who inherit from it know what is an update among what comes."""

    def __init__(self, url: str, *, deflate: bool = False, source: str = "") -> None:
        sock = dial(url, source=source)
        sock.sendall(handshake(url, deflate=deflate))
        self._begin(sock, read_head(sock))

    def _begin(self, sock: socket.socket, head: bytes) -> None:
        """Take a connection whose handshake was answered by `head`."""
        self.sock = sock
        head, _, self._buffer = head.partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0] + b" ":
            raise ConnectionError(head.decode(errors="replace"))
        self._inflate = zlib.decompressobj(-15) if b"permessage-deflate" in head.lower() else None

    @property
    def deflates(self) -> bool:
        """Whether messages may be compressed."""
        return self._inflate is not None

    def send(self, data: bytes) -> None:
        """Send frames."""
        self.sock.sendall(data)

    def take(self) -> int:
        """Read what there is; return how many updates were among it."""
        self._read()
        return self._updates()

    def answer(self) -> None:
        """Wait for the next update."""
        while not self.take():
            pass

    def _updates(self) -> int:
        """How many updates are among what was read."""
        raise NotImplementedError

    def _read(self) -> None:
        data = self.sock.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._buffer += data

    def _reply(self, data: bytes) -> None:
        """Send what was asked for. If the connection is over, reading tells why."""
        with suppress(ConnectionError):
            self.send(data)

    def _frames(self) -> Iterator[bytes]:
        while (first := _split(self._buffer)) is not None:
            opcode, compressed, payload, self._buffer = first
            if opcode == _PING:
                self._reply(frame(payload, _PONG))
            elif opcode == _CLOSE:
                raise Goodbye(int.from_bytes(payload[:2], "big"))
            elif opcode in _CONTENT:
                if compressed and self._inflate is not None:
                    payload = self._inflate.decompress(payload + b"\0\0\xff\xff")
                yield payload


def dial(url: str, *, source: str = "", buffer: int = 0, timeout: float = 30) -> socket.socket:
    """Connect, from an address of one's own, and with so small a buffer for what comes."""
    parts = urlsplit(url)
    sock = socket.socket()
    try:
        sock.settimeout(timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        if source:
            # The port is chosen when it connects: so many may be in use to other servers.
            sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
            sock.bind((source, 0))
        sock.connect((parts.hostname, parts.port))
    except BaseException:
        sock.close()
        raise
    return sock


def handshake(url: str, *, deflate: bool = False, origin: str = "") -> bytes:
    """Pack the request for a WebSocket."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n{offer if deflate else ''}"
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
        f"Origin: {origin or f'http://{parts.netloc}'}\r\n\r\n"
    ).encode()


def read_head(sock: socket.socket) -> bytes:
    """Read the answer to a request, and what came with it."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = sock.recv(65536)
        if not data:
            raise ConnectionError(f"closed in the handshake: {received[:200]!r}")
        received += data
    return received


def frame(payload: bytes, opcode: int = BINARY, *, bits: int = 0x80) -> bytes:
    """Pack a frame; `bits` are those before the opcode."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", bits | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", bits | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", bits | opcode, 0x80 | 127, size)
    return head + b"\0\0\0\0" + payload  # a mask of zeros is a legal one


def _split(buffer: bytes) -> tuple[int, bool, bytes, bytes] | None:
    """The first frame in a buffer, and what follows; None while it is not all there."""
    if len(buffer) < 2:
        return None
    size, start = buffer[1] & 0x7F, 2
    if size >= 126:
        kind, start = ("!H", 4) if size == 126 else ("!Q", 10)
        if len(buffer) < start:
            return None
        size = struct.unpack_from(kind, buffer, 2)[0]
    end = start + size
    if len(buffer) < end:
        return None
    return buffer[0] & 15, bool(buffer[0] & 0x40), buffer[start:end], buffer[end:]
