"""The way in: shut for WebSockets when a server begins to shut down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.websockets import WebSocket

from ..server import noting_use, shut_down
from ..web.app import refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ..server import Server

__all__ = ["Gate"]


class Gate:
    """An ASGI app around another one. Once shut, it takes no more WebSockets.

    Requests still pass, until the listening socket is closed: those who ask whether this server
    is ready are to hear that it is not, and uploads to be finished.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._shut = False
        self._servers: set[Server] = set()

    def shut(self) -> None:
        """From now on, answer WebSockets with 503."""
        self._shut = True

    async def shut_down(self) -> None:
        """Shut down the servers behind this gate, whoever opened them.

        An app may be wrapped, mounted or in a route of another one; other programs in this
        event loop may run apps beside it.
        """
        # A socket that came through in the last moment may have opened one more.
        while servers := [server for server in self._servers if not server.closed]:
            await shut_down(servers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._shut and scope["type"] == "websocket":
            await refuse(WebSocket(scope, receive, send))
        else:
            with noting_use(self._servers):
                await self._app(scope, receive, send)
