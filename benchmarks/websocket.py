"""The WebSocket of a client that costs little: frames in, frames out, and nothing in between."""

from __future__ import annotations

import base64
import os
import socket
import struct
import zlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BINARY", "TEXT", "WebSocket", "frame"]

TEXT, BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_CONTENT = (0, TEXT, BINARY)


class WebSocket:
    """One connection. Those who inherit from it know what is an update among what comes."""

    def __init__(self, url: str, *, deflate: bool = False) -> None:
        self.sock = _connect(url, deflate=deflate)
        head, _, self._buffer = _read_head(self.sock).partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0] + b" ":
            raise ConnectionError(head.decode(errors="replace"))
        self._inflate = zlib.decompressobj(-15) if b"permessage-deflate" in head else None

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

    def _frames(self) -> Iterator[bytes]:
        while (first := _split(self._buffer)) is not None:
            opcode, compressed, payload, self._buffer = first
            if opcode == _PING:
                self.sock.sendall(frame(payload, _PONG))
            elif opcode == _CLOSE:
                raise ConnectionError("the server said goodbye")
            elif opcode in _CONTENT:
                if compressed and self._inflate is not None:
                    payload = self._inflate.decompress(payload + b"\0\0\xff\xff")
                yield payload


def frame(payload: bytes, opcode: int = BINARY) -> bytes:
    """Pack a message, or an answer to a ping."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
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


def _connect(url: str, *, deflate: bool) -> socket.socket:
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    sock = socket.create_connection((parts.hostname, parts.port), timeout=30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    sock.sendall(
        (
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n{offer if deflate else ''}"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
            f"Origin: http://{parts.netloc}\r\n\r\n"
        ).encode()
    )
    return sock


def _read_head(sock: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        data = sock.recv(65536)
        if not data:
            raise ConnectionError(f"closed in the handshake: {received[:200]!r}")
        received += data
    return received
