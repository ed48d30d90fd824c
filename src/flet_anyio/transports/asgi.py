"""ASGI WebSockets, as Starlette and FastAPI hand them to a route."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
from starlette.datastructures import URL
from starlette.responses import Response
from starlette.websockets import WebSocketState

from ..compat.servers import forget_failure, stopping, websocket_connection
from ..errors import TransportClosed
from ..wire.codes import CloseCode
from .base import PeerInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope
    from starlette.websockets import WebSocket

__all__ = ["AsgiTransport", "full_path", "refuse"]

logger = logging.getLogger(__name__)

_SCHEMES = {"http": "ws", "https": "wss"}

# Starlette and the servers say with RuntimeError that the connection is over already.
_OVER = (RuntimeError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError)


class AsgiTransport:
    """One WebSocket of any ASGI server."""

    __slots__ = ("_connection", "_websocket", "info", "stopping")

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._connection = websocket_connection(websocket)
        self.stopping = stopping(websocket)
        client = websocket.client
        self.info = PeerInfo(
            url=_url(websocket.scope),
            path=full_path(websocket.scope),
            client_ip=client.host if client else "",
            headers=websocket.headers,
        )

    async def accept(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        # A route may have accepted already, to look at the headers or to add some.
        if self._websocket.application_state is WebSocketState.CONNECTING:
            try:
                await self._websocket.accept(
                    headers=[(name.lower().encode(), text.encode()) for name, text in headers]
                )
            except Exception as error:
                # Servers say in many ways that the handshake failed, or that the peer is gone.
                raise TransportClosed from error

    async def refuse(self, status: int) -> None:
        try:
            await refuse(self._websocket, status)
        except Exception as error:
            # As when closing: who is gone need not be told.
            logger.debug("refusing a WebSocket: %r", error)

    async def receive(self) -> bytes | str:
        try:
            message = await self._websocket.receive()
        except _OVER as error:
            raise TransportClosed from error
        if message["type"] == "websocket.disconnect":
            raise TransportClosed(message.get("code"))
        # Servers leave out the kind that is not there, or set it to None.
        frame: bytes | str | None = message.get("bytes")
        return frame if frame is not None else message.get("text") or ""

    async def send(self, frame: bytes) -> None:
        try:
            await self._websocket.send_bytes(frame)
        except Exception as error:
            # Servers say in many ways that the connection is over, or about to be: hypercorn on
            # trio that its reader is about to answer the peer, while this waits for it.
            raise TransportClosed from error

    async def close(self, code: int, reason: str) -> None:
        try:
            await self._websocket.close(code, reason)
        except Exception as error:
            # Servers say in many ways that the connection is over already.
            logger.debug("closing a WebSocket: %r", error)
        finally:
            forget_failure(self._websocket)

    def bound_writes(self, seconds: float) -> bool:
        return self._connection is not None and self._connection.bound_writes(seconds)

    def unconfirmed(self) -> int:
        return self._connection.unconfirmed() if self._connection is not None else 0

    def abort(self) -> None:
        if self._connection is not None:
            self._connection.abort()


async def refuse(
    websocket: WebSocket,
    status: int,
    code: CloseCode = CloseCode.POLICY_VIOLATION,
    headers: dict[str, str] | None = None,
) -> None:
    """Turn a WebSocket away with an HTTP status, or `code` where that cannot be answered."""
    if websocket.application_state is not WebSocketState.CONNECTING:
        await websocket.close(code)
        return
    if websocket.client_state is WebSocketState.CONNECTING:
        await websocket.receive()  # its request: ASGI has no answer before that
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(Response(status_code=status, headers=headers))
    else:
        await websocket.close(code)  # servers make a 403 of it


def _url(scope: Scope) -> str:
    url = URL(scope=scope)
    try:
        scheme = url.scheme
    except ValueError:
        # The peer's Host is none, which older versions of Starlette stumble over.
        url = URL(scope={**scope, "headers": []})
        scheme = url.scheme
    # Of the page behind a proxy, a middleware knows http or https, and notes that.
    return str(url.replace(scheme=_SCHEMES.get(scheme, scheme)))


def full_path(scope: Scope) -> str:
    """The path of a request, percent-decoded, from the root that the server was told of.

    uvicorn puts its `--root-path` in front of the path, hypercorn does not.
    """
    path, root = scope["path"], scope.get("root_path", "").rstrip("/")
    return path if path == root or path.startswith(f"{root}/") else f"{root}{path}"
