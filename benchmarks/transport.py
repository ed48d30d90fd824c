"""The least that any server of this kind could do: a canned frame for each message."""

from __future__ import annotations

from typing import Any

import msgpack

__all__ = ["app"]


def _packed(action: int, body: Any) -> bytes:
    packed: bytes = msgpack.packb([action, body])
    return b"\0" + packed


_CONTROLS = [
    {"_c": "Text", "_i": 9, "key": "count"},
    {"_c": "Button", "_i": 10, "key": "plus"},
    {"_c": "Text", "_i": 11, "key": "done"},
]
_REPLY = _packed(1, {"session_id": "x", "page_patch": {"_i": 1}, "error": ""})
_PAGE = _packed(2, {"id": 1, "patch": [[0], [0, 0, "controls", _CONTROLS]]})


async def app(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await receive()
    await send({"type": "websocket.accept"})
    count = 0
    while (await receive())["type"] != "websocket.disconnect":
        patch = _packed(2, {"id": 9, "patch": [[0], [0, 0, "value", str(count)]]})
        for frame in (patch,) if count else (_REPLY, _PAGE):
            await send({"type": "websocket.send", "bytes": frame})
        count += 1
