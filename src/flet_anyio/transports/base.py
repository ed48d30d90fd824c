"""The interface of a transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

__all__ = ["PeerInfo", "Transport"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PeerInfo:
    """Who connects, and to where."""

    url: str
    path: str
    client_ip: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def user_agent(self) -> str:
        """What the browser calls itself."""
        return self.headers.get("user-agent", "")

    @property
    def scheme(self) -> str:
        """The scheme of the URL, such as `wss`."""
        return self.url.partition(":")[0]

    @property
    def page_url(self) -> str:
        """The address of the page that the socket belongs to."""
        return self.url.rsplit("/", 1)[0]

    @property
    def page_name(self) -> str:
        """The path of that page, without slashes at the ends."""
        return self.path.rsplit("/", 1)[0].strip("/")


class Transport(Protocol):
    """Carries frames, and knows nothing of sessions.

    One task receives and one sends. `accept`, `receive` and `send` raise `TransportClosed` when
    the connection is over, and nothing else for what the peer or the network did.
    """

    info: PeerInfo
    stopping: Callable[[], Awaitable[None]] | None
    """Waits until what carries the connection stops, where that is not told otherwise."""

    async def accept(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Finish the handshake, with these header fields in the answer.

        They are left out where somebody else has answered already.
        """

    async def refuse(self, status: int) -> None:
        """Answer the handshake with an HTTP error instead; once accepted, close with 1008.

        Raises nothing.
        """

    async def receive(self) -> bytes | str:
        """Wait for the next frame."""

    async def send(self, frame: bytes) -> None:
        """Write one binary frame, waiting while the peer does not read."""

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye. Raises nothing, and may be called when the connection is over."""

    def bound_writes(self, seconds: float) -> bool:
        """Have the connection dropped when the peer takes nothing of what was sent for so long.

        Call it once accepted. Return False where that cannot be had: then `send` needs a bound.
        """

    def unconfirmed(self) -> int:
        """How many bytes of what was sent the peer's system has not confirmed; 0 if unknown."""

    def abort(self) -> None:
        """Drop the connection, with what was not sent, where it can be reached.

        It ends a `send` or `close` that waits for the peer. Raises nothing.
        """
