"""A client that speaks just enough WebSocket and Flet to drive a server, and costs little."""

from __future__ import annotations

import base64
import os
import socket
import struct
import zlib
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import msgpack

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PONG",
    "REGISTER",
    "REPLY",
    "Client",
    "Goodbye",
    "dial",
    "event",
    "frame",
    "handshake",
    "message",
    "property_update",
    "read_head",
    "registration",
]

REGISTER, _PATCH, _EVENT, _PROPS, REPLY, _CRASH = range(1, 7)
_TEXT_OR_BINARY, _CLOSE, _PING, PONG = (0, 1, 2), 8, 9, 10
_MARKS = ("n", "m")
_BIND_ADDRESS_NO_PORT = 24  # of ip(7); the module socket has no name for it
_KEPT = ("e", "n")
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


class Goodbye(ConnectionError):  # noqa: N818 - an outcome like any other here
    """The server closed the connection, and said why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the server said goodbye: {code}")
        self.code = code


class Client:
    """One connection, registered.

    Attributes:
        ids: The controls of the page that have keys.
        token: What it may have its session back for.
        marks: What it shows of which drawing, for the same.
        shown: The value that was set last in any control.
    """

    def __init__(
        self, url: str, route: str = "/", *, deflate: bool = False, source: str = ""
    ) -> None:
        sock = dial(url, source=source)
        sock.sendall(handshake(url, deflate=deflate))
        self._begin(sock, read_head(sock))
        self.sock.sendall(registration(route))

    @classmethod
    def on(cls, sock: socket.socket, head: bytes, request: bytes) -> Self:
        """One whose handshake was answered by `head`, and that registers by `request`."""
        client = cls.__new__(cls)
        client._begin(sock, head)
        sock.sendall(request)
        return client

    def _begin(self, sock: socket.socket, head: bytes) -> None:
        self.ids: dict[str, int] = {}
        self.token = ""
        self.marks: dict[str, Any] = {}
        self.shown: Any = None
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

    def ready(self) -> Self:
        """Read until the whole page has come; remember its controls by their keys."""
        while "done" not in self.ids:
            action, body = self.next()
            if action == _CRASH or (action == REGISTER and body.get("error")):
                raise RuntimeError(str(body))
            if action == REGISTER:
                self.token = body["session_id"]
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
        if action != _PATCH:
            return False
        update = False
        for op in body["patch"][1:]:
            # Marks, by which a server counts, are no update.
            update |= op[2] not in _MARKS
            if op[2] == "value":
                self.shown = op[3]
        return update

    def next(self) -> tuple[int, Any]:
        """Read the next message that is no call."""
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
            if action == REPLY:
                self.refuse(body)
            else:
                yield action, body

    def refuse(self, call: dict[str, Any]) -> None:
        """Answer a call as the client does when there is no such control."""
        error = f"Calling {call['name']} method of inexistent control: {call['control_id']}"
        ids = {name: call[name] for name in ("control_id", "call_id")}
        self.send(message(REPLY, {**ids, "result": None, "error": error}))

    def _frames(self) -> Iterator[bytes]:
        while (found := _split(self._buffer)) is not None:
            opcode, compressed, payload, self._buffer = found
            if opcode == _PING:
                self.send(frame(payload, PONG))
            elif opcode == _CLOSE:
                raise Goodbye(int.from_bytes(payload[:2], "big"))
            elif opcode in _TEXT_OR_BINARY:
                if compressed and self._inflate is not None:
                    payload = self._inflate.decompress(payload + b"\0\0\xff\xff")
                yield payload

    def _find(self, value: Any) -> None:
        if isinstance(value, dict):
            if "_c" in value and "key" in value:
                self.ids[value["key"]] = value["_i"]
            if value.get("_c") == "Window":
                self.marks = {name: value[name] for name in _KEPT if name in value}
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                self._find(item)


def event(target: int, name: str = "click", data: Any = None) -> bytes:
    """Pack an event of a control."""
    return message(_EVENT, {"target": target, "name": name, "data": data})


def property_update(target: int, **props: Any) -> bytes:
    """Pack what the user changed in a control."""
    return message(_PROPS, {"id": target, "props": props})


def registration(
    route: str = "/", *, token: str = "", marks: dict[str, Any] | None = None
) -> bytes:
    """Pack what a client says first. With a token, it asks for the session that it had."""
    page = {**_PAGE, "route": route, "window": marks or {}}
    return message(REGISTER, {"session_id": token, "page_name": "", "page": page})


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
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    return (
        f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
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


def message(action: int, body: Any) -> bytes:
    """Pack a message of the protocol."""
    return frame(b"\0" + msgpack.packb([action, body]))


def frame(payload: bytes, opcode: int = 2, *, bits: int = 0x80) -> bytes:
    """Pack a WebSocket frame; `bits` are those before the opcode."""
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
