"""Which transport fits what a caller hands over."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket

from .asgi import AsgiTransport

if TYPE_CHECKING:
    from .base import Transport

__all__ = ["open_transport"]


def open_transport(websocket: Any) -> Transport:
    """Wrap a WebSocket of Starlette, FastAPI or trio-websocket; pass a transport through.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(websocket, WebSocket):
        return AsgiTransport(websocket)
    # An optional dependency: an object of it can only be here when it was imported.
    trio_websocket = sys.modules.get("trio_websocket")
    if trio_websocket is not None and isinstance(
        websocket, trio_websocket.WebSocketRequest | trio_websocket.WebSocketConnection
    ):
        from .trio_websocket import TrioWebSocketTransport

        return TrioWebSocketTransport(websocket)
    if all(hasattr(websocket, name) for name in ("info", "accept", "receive", "send", "close")):
        transport: Transport = websocket
        return transport
    raise TypeError(
        "handle() takes a WebSocket of Starlette or FastAPI, or a request or connection of "
        f"trio-websocket, not {type(websocket).__name__}"
    )
