"""The life of a session as a table.

    NEW ──attach──▶ ATTACHED ◀──attach──┐
                       │  └───detach──▶ DETACHED
                       │                   │
                       └──close──▶ CLOSING ◀┘
                                     │ finish
                                     ▼
                                   CLOSED

- Attached, a session lives for ever; detached, until its timeout.
- A second attach replaces the connection: the newer one always wins.
- Closing takes no new work and no connection, and cannot be undone.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["TRANSITIONS", "Lifecycle", "Reason", "Signal", "State"]


class State(Enum):
    """Where a session stands."""

    NEW = "new"
    ATTACHED = "attached"
    DETACHED = "detached"
    CLOSING = "closing"
    CLOSED = "closed"


class Signal(Enum):
    """What moves a session."""

    ATTACH = "attach"
    DETACH = "detach"
    CLOSE = "close"
    FINISH = "finish"


class Reason(Enum):
    """Why a session ended."""

    EXPIRED = "expired"
    """No client came back in time."""

    IDLE = "idle"
    """Its user did nothing for too long."""

    TOO_OLD = "too old"
    """It had lived for as long as a session may."""

    CLOSED_BY_APP = "closed by app"
    """The app closed it, or left with SystemExit."""

    REPLACED = "replaced"
    """Its `main` had failed, and the user loaded the page anew."""

    CRASHED = "crashed"
    """Something failed that nothing in the session could answer for."""

    SERVER_SHUTDOWN = "server shutdown"
    """The server ends, or was cancelled."""


TRANSITIONS: Final[dict[tuple[State, Signal], State]] = {
    (State.NEW, Signal.ATTACH): State.ATTACHED,
    (State.NEW, Signal.CLOSE): State.CLOSING,
    (State.ATTACHED, Signal.ATTACH): State.ATTACHED,
    (State.ATTACHED, Signal.DETACH): State.DETACHED,
    (State.ATTACHED, Signal.CLOSE): State.CLOSING,
    (State.DETACHED, Signal.ATTACH): State.ATTACHED,
    (State.DETACHED, Signal.CLOSE): State.CLOSING,
    (State.CLOSING, Signal.FINISH): State.CLOSED,
}


class Lifecycle:
    """Where one session stands, and why it ended."""

    __slots__ = ("reason", "state")

    def __init__(self) -> None:
        self.state = State.NEW
        self.reason: Reason | None = None

    @property
    def open(self) -> bool:
        """Whether the session takes work and connections."""
        return self.state not in (State.CLOSING, State.CLOSED)

    def fire(self, signal: Signal, reason: Reason | None = None) -> bool:
        """Move along the table. Return False, and stay, where it has no such way."""
        state = TRANSITIONS.get((self.state, signal))
        if state is None:
            return False
        self.state = state
        if signal is Signal.CLOSE:
            self.reason = reason
        return True
