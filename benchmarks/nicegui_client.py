"""A client that speaks just enough of NiceGUI, over socket.io, to click a button."""

from __future__ import annotations

import ast
import html
import json
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

from .websocket import TEXT, WebSocket, frame

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NiceGuiClient"]

# What engine.io and socket.io put in front of a message.
_PING, _PONG = b"2", b"3"
_CONNECT, _REFUSED, _EVENT = b"40", b"44", b"42"

_ELEMENTS = re.compile(r"parseElements\(String\.raw`(.*?)`\)", re.DOTALL)
_QUERY = re.compile(r"^\s*query: (\{.*\}),$", re.MULTILINE)


class NiceGuiClient(WebSocket):
    """One page, loaded and connected: what a browser does that is not prefetching.

    It does not acknowledge updates, as browsers do every three seconds.
    """

    def __init__(self, url: str, route: str = "/") -> None:
        host = urlsplit(url).netloc
        elements, query = _page(f"http://{host}{route}")
        self._client_id = query["client_id"]
        self._elements = elements
        # What counts is the first text of the page.
        self._count = next(name for name, one in elements.items() if one.get("text"))
        self._shown = elements[self._count]["text"]
        super().__init__(f"ws://{host}/_nicegui_ws/socket.io/?{_query(query)}")
        self.sock.sendall(_packet(_CONNECT))

    def ready(self) -> NiceGuiClient:
        """Wait until the server has taken the connection, and with it the handshake."""
        while not any(packet.startswith(_CONNECT) for packet in self._packets()):
            self._read()
        return self

    def click(self, key: str) -> bytes:
        """Pack a click on a button, by its label: a browser sends none of the event's details."""
        name, listener = _listener(self._elements, {"plus": "+"}.get(key, key))
        event = {"id": int(name), "client_id": self._client_id, "listener_id": listener, "args": []}
        return _packet(_EVENT, ["event", event])

    def _updates(self) -> int:
        return sum(self._shows_more(packet) for packet in self._packets())

    def _shows_more(self, packet: bytes) -> bool:
        if not packet.startswith(_EVENT):
            return False
        name, body = json.loads(packet[len(_EVENT) :])
        shown = self._shown
        if name == "update":
            self._shown = body.get(self._count, {}).get("text", shown)
        return bool(self._shown != shown)

    def _packets(self) -> Iterator[bytes]:
        for packet in self._frames():
            if packet == _PING:
                self.sock.sendall(_packet(_PONG))
            elif packet.startswith(_REFUSED):
                raise ConnectionError(packet.decode())
            else:
                yield packet


def _page(url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The elements of a page, and what it tells the browser to connect with."""
    with urlopen(url) as response:
        text = response.read().decode()
    elements, query = _ELEMENTS.search(text), _QUERY.search(text)
    if elements is None or query is None:
        raise ValueError(f"this is no page of NiceGUI that is known here: {text[:200]!r}")
    return json.loads(html.unescape(elements[1])), ast.literal_eval(query[1])


def _query(query: dict[str, Any]) -> str:
    """What the page says, and what a browser adds."""
    added = {"document_id": uuid.uuid4(), "tab_id": uuid.uuid4(), "EIO": 4}
    # As JavaScript writes them: true, and not True.
    said = {name: str(v).lower() if isinstance(v, bool) else v for name, v in query.items()}
    return urlencode({**said, **added, "transport": "websocket"})


def _listener(elements: dict[str, Any], label: str) -> tuple[str, str]:
    for name, element in elements.items():
        if element.get("props", {}).get("label") == label:
            return name, element["events"][0]["listener_id"]
    raise KeyError(label)


def _packet(kind: bytes, body: Any = None) -> bytes:
    packed = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    return frame(kind + packed, TEXT)
