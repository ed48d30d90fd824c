"""Every error this package raises, as one tree.

FletAnyioError
├── PeerError              the client sent what the protocol does not allow
├── TransportClosed        the connection is over, whoever ended it
├── OutboxFull             more is waiting for the client than it may be owed
├── TooManyCalls           more calls wait for the client than may
├── SessionClosed          the session is over; nothing more runs in it
└── AsyncioNeeded          asyncio was asked for where trio runs
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from .wire.codes import CloseCode

__all__ = [
    "AsyncioNeeded",
    "FletAnyioError",
    "OutboxFull",
    "PeerError",
    "SessionClosed",
    "TooManyCalls",
    "TransportClosed",
]


class FletAnyioError(Exception):
    """The root of this package's errors."""


@final
class PeerError(FletAnyioError):
    """The client broke the protocol; its connection is closed with `close_code`.

    The text is for the log and the close frame: it names what was wrong and never repeats what
    the client sent. `limit` is the one of `Limits` that was passed, if it was one.
    """

    def __init__(self, close_code: CloseCode, reason: str, *, limit: str = "") -> None:
        self.close_code = close_code
        self.reason = reason
        self.limit = limit
        super().__init__(f"{reason} (close code {int(close_code)})")


@final
class TransportClosed(FletAnyioError):  # noqa: N818 - a state that was reached, not a fault
    """The transport carries nothing more, in either direction."""

    def __init__(self, code: int | None = None) -> None:
        self.code = code
        super().__init__(f"the connection is closed (code {code})")


@final
class OutboxFull(FletAnyioError):  # noqa: N818 - named for the state, like `queue.Full`
    """What waits to be sent to one client, or to be confirmed by it, has reached a limit."""

    def __init__(self, waiting: int, limit: int, name: str = "outbox_bytes") -> None:
        self.waiting = waiting
        self.limit = limit
        super().__init__(
            f"{waiting} bytes wait for a client that does not read; the limit is {limit} "
            f"(Limits.{name})"
        )


@final
class TooManyCalls(FletAnyioError):  # noqa: N818 - named for the state, as the one above
    """So many calls wait for an answer of one client that no more are sent to it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            f"{limit} calls wait for the client to answer; no more are made "
            f"(Limits.calls_in_flight)"
        )


@final
class SessionClosed(FletAnyioError):  # noqa: N818 - a state that was reached, not a fault
    """The session has ended, or is ending, and takes no new work."""

    def __init__(self, what: str) -> None:
        super().__init__(f"cannot {what}: the session is closed")


@final
class AsyncioNeeded(FletAnyioError, NotImplementedError):  # noqa: N818 - says what is missing
    """Something only an asyncio event loop can do was asked for on trio."""

    def __init__(self, what: str, instead: str) -> None:
        self.what = what
        self.instead = instead
        super().__init__(f"{what} needs asyncio, but this app runs on trio; use {instead}")
