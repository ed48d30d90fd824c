"""A client that speaks just enough Flet to drive a server, and costs little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import msgpack

from .websocket import WebSocket, frame

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

__all__ = ["REGISTER", "REPLY", "Client", "event", "message", "property_update", "registration"]

REGISTER, _PATCH, _EVENT, _PROPS, REPLY, _CRASH = range(1, 7)
_MARKS = ("n", "m")
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
}


class Client(WebSocket):
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
        super().__init__(url, deflate=deflate, source=source)
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
        super()._begin(sock, head)

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

    def click(self, key: str) -> bytes:
        """Pack a click on the control of this key."""
        return event(self.ids[key])

    def _updates(self) -> int:
        return sum(self._is_update(action, body) for action, body in self._messages())

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
            self._read()

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
        self._reply(message(REPLY, {**ids, "result": None, "error": error}))

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


def message(action: int, body: Any) -> bytes:
    """Pack a message of the protocol."""
    return frame(b"\0" + msgpack.packb([action, body]))
