"""A client that speaks just enough Flet to drive a server, and costs little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack

from .websocket import WebSocket, frame

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Client", "event", "property_update"]

_REGISTER, _PATCH, _EVENT, _PROPS, _CALL, _CRASH = range(1, 7)
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


class Client(WebSocket):
    """One connection, registered."""

    def __init__(self, url: str, route: str = "/", *, deflate: bool = False) -> None:
        self.ids: dict[str, int] = {}
        super().__init__(url, deflate=deflate)
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

    def click(self, key: str) -> bytes:
        """Pack a click on the control of this key."""
        return event(self.ids[key])

    def _updates(self) -> int:
        return sum(self._is_update(action, body) for action, body in self._messages())

    def _is_update(self, action: int, body: Any) -> bool:
        if action == _CRASH:
            raise RuntimeError(str(body))
        # Marks, by which a server counts, are none.
        return action == _PATCH and any(op[2] not in _MARKS for op in body["patch"][1:])

    def _next(self) -> tuple[int, Any]:
        while True:
            for message in self._messages():
                return message
            self._read()

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


def _message(action: int, body: Any) -> bytes:
    return frame(b"\0" + msgpack.packb([action, body]))
