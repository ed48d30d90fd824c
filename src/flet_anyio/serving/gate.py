"""The way in: shut for WebSockets when a server begins to shut down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.websockets import WebSocket

from ..web.app import refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Gate"]


class Gate:
    """An ASGI app around another one. Once shut, it takes no more WebSockets.

    Requests still pass, until the listening socket is closed: those who ask whether this server
    is ready are to hear that it is not, and uploads to be finished.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._shut = False

    def shut(self) -> None:
        """From now on, answer WebSockets with 503."""
        self._shut = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._shut and scope["type"] == "websocket":
            await refuse(WebSocket(scope, receive, send))
        else:
            await self._app(scope, receive, send)
