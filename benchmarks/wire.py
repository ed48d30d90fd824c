"""A client that speaks just enough WebSocket and Flet to drive a server, and costs little."""

from __future__ import annotations

import base64
import os
import socket
import struct
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgpack

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Client", "event", "property_update"]

_REGISTER, _PATCH, _EVENT, _PROPS, _CALL, _CRASH = range(1, 7)
_TEXT_OR_BINARY, _CLOSE, _PING, _PONG = (0, 1, 2), 8, 9, 10
_MARKS = ("n", "m")
_PAGE = {
    "web": True,
    "platform": "linux",
    "width": 800.0,
    "height": 600.0,
    "pwa": False,
    "wasm": False,
    "debug": False,
    "test": False,
    "multi_view": False,
    "pyodide": False,
    "platform_brightness": "light",
    "window": {},
}


class Client:
    """One connection, registered."""

    def __init__(self, url: str, route: str = "/", *, deflate: bool = False) -> None:
        self.ids: dict[str, int] = {}
        self.sock = _connect(url, deflate=deflate)
        head, _, self._buffer = _read_head(self.sock).partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0] + b" ":
            raise ConnectionError(head.decode(errors="replace"))
        self._inflate = zlib.decompressobj(-15) if b"permessage-deflate" in head else None
        request = {"session_id": "", "page_name": "", "page": {**_PAGE, "route": route}}
        self.sock.sendall(_message(_REGISTER, request))

    def ready(self) -> Client:
        """Read until the whole page has come; remember its controls by their keys."""
        while "done" not in self.ids:
            action, body = self._next()
            if action == _CRASH or (action == _REGISTER and body.get("error")):
                raise RuntimeError(str(body))
            self._find(body)
        return self

    def take(self) -> int:
        """Read what there is; return how many updates were among it."""
        data = self.sock.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._buffer += data
        return sum(self._is_update(action, body) for action, body in self._messages())

    def answer(self) -> None:
        """Wait for the next update."""
        while not self.take():
            pass

    def _is_update(self, action: int, body: Any) -> bool:
        if action == _CRASH:
            raise RuntimeError(str(body))
        # Marks, by which a server counts, are none.
        return action == _PATCH and any(op[2] not in _MARKS for op in body["patch"][1:])

    def _next(self) -> tuple[int, Any]:
        while True:
            for message in self._messages():
                return message
            data = self.sock.recv(1 << 18)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._buffer += data

    def _messages(self) -> Iterator[tuple[int, Any]]:
        for payload in self._frames():
            if payload[:1] != b"\0":
                continue
            action, body = msgpack.unpackb(payload[1:], strict_map_key=False)
            if action == _CALL:
                self._refuse(body)
            else:
                yield action, body

    def _refuse(self, call: dict[str, Any]) -> None:
        """Answer a call as the client does when there is no such control."""
        error = f"Calling {call['name']} method of inexistent control: {call['control_id']}"
        ids = {name: call[name] for name in ("control_id", "call_id")}
        self.sock.sendall(_message(_CALL, {**ids, "result": None, "error": error}))

    def _frames(self) -> Iterator[bytes]:
        while (frame := _split(self._buffer)) is not None:
            opcode, compressed, payload, self._buffer = frame
            if opcode == _PING:
                self.sock.sendall(_frame(payload, _PONG))
            elif opcode == _CLOSE:
                raise ConnectionError("the server said goodbye")
            elif opcode in _TEXT_OR_BINARY:
                if compressed and self._inflate is not None:
                    payload = self._inflate.decompress(payload + b"\0\0\xff\xff")
                yield payload

    def _find(self, value: Any) -> None:
        if isinstance(value, dict):
            if "_c" in value and "key" in value:
                self.ids[value["key"]] = value["_i"]
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                self._find(item)


def event(target: int, name: str = "click", data: Any = None) -> bytes:
    """Pack an event of a control."""
    return _message(_EVENT, {"target": target, "name": name, "data": data})


def property_update(target: int, **props: Any) -> bytes:
    """Pack what the user changed in a control."""
    return _message(_PROPS, {"id": target, "props": props})


def _connect(url: str, *, deflate: bool) -> socket.socket:
    parts = urlsplit(url)
    sock = socket.create_connection((parts.hostname, parts.port), timeout=30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    sock.sendall(
        (
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
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


def _message(action: int, body: Any) -> bytes:
    return _frame(b"\0" + msgpack.packb([action, body]))


def _frame(payload: bytes, opcode: int = 2) -> bytes:
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
