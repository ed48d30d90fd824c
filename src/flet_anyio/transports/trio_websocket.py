"""trio-websocket: the same packets with no ASGI in between."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, WebSocketRequest

from ..compat.servers import trio_connection
from ..errors import TransportClosed
from ..wire.codes import CloseCode
from .base import PeerInfo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from ..compat.servers import TcpConnection

__all__ = ["TrioWebSocketTransport"]


class TrioWebSocketTransport:
    """One connection of `trio_websocket.serve_websocket`, accepted or still a request."""

    stopping: Callable[[], Awaitable[None]] | None = None

    def __init__(self, websocket: WebSocketRequest | WebSocketConnection) -> None:
        self._request: WebSocketRequest | None = None
        self._connection: WebSocketConnection | None = None
        headers: list[tuple[bytes, bytes]]
        if isinstance(websocket, WebSocketRequest):
            self._request = websocket
            headers = list(websocket.headers)
        else:
            self._connection = websocket
            headers = list(websocket.handshake_headers)
        names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        remote = websocket.remote
        host = names.get("host", "")
        path = (websocket.path or "/").partition("?")[0]
        self.info = PeerInfo(
            url=f"ws://{host}{path}",
            path=path,
            client_ip=str(getattr(remote, "address", "")),
            headers=names,
        )

    async def accept(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        if self._request is not None:
            with _translating():
                self._connection = await self._request.accept(
                    extra_headers=[(name.lower().encode(), text.encode()) for name, text in headers]
                )
            self._request = None

    async def refuse(self, status: int) -> None:
        if self._request is None:
            await self.close(CloseCode.POLICY_VIOLATION, "")
            return
        with suppress(TransportClosed), _translating():
            await self._request.reject(status)

    async def receive(self) -> bytes | str:
        with _translating():
            return await self._accepted.get_message()

    async def send(self, frame: bytes) -> None:
        with _translating():
            await self._accepted.send_message(frame)

    async def close(self, code: int, reason: str) -> None:
        if self._connection is None:
            return
        try:
            with _translating():
                await self._connection.aclose(code, reason)
        except TransportClosed:
            pass

    def bound_writes(self, seconds: float) -> bool:
        connection = self._tcp()
        return connection is not None and connection.bound_writes(seconds)

    def unconfirmed(self) -> int:
        connection = self._tcp()
        return connection.unconfirmed() if connection is not None else 0

    def abort(self) -> None:
        connection = self._tcp()
        if connection is not None:
            connection.abort()

    def _tcp(self) -> TcpConnection | None:
        return trio_connection(self._connection) if self._connection is not None else None

    @property
    def _accepted(self) -> WebSocketConnection:
        if self._connection is None:
            raise TransportClosed
        return self._connection


@contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except ConnectionClosed as error:
        raise TransportClosed(error.reason.code if error.reason else None) from error
    except (HandshakeError, OSError) as error:
        raise TransportClosed from error
