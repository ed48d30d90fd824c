"""Who may come in: how many connections and sessions there may be, in all and from one address."""

from __future__ import annotations

import logging
from collections import Counter
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from ..errors import PeerError
from ..wire.codes import CloseCode
from .overruns import count_overrun, overrun

if TYPE_CHECKING:
    from collections.abc import Sized
    from typing import Self

    from .limits import Limits

__all__ = ["Admission", "Refused", "Visit"]

logger = logging.getLogger(__name__)


class Refused(Exception):  # noqa: N818 - an answer to the peer, and no error here
    """One connection too many. `status` is what HTTP says to it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with {status}")
        self.status = status


class Admission:
    """Refuses what would be too much for one server.

    `connections` and `sessions` are what the server holds, whoever adds to them.
    """

    def __init__(self, limits: Limits, connections: Sized, sessions: Sized) -> None:
        self._connections = _Room("connections", limits.connections, connections)
        self._connections_of = _RoomByAddress("address_connections", limits.address_connections)
        self._shaking_hands: set[object] = set()
        self._handshakes = _Room("handshakes", limits.handshakes, self._shaking_hands)
        self._sessions = _Room("sessions", limits.sessions, sessions)
        self._sessions_of = _RoomByAddress("address_sessions", limits.address_sessions)

    def connection(self, address: str) -> Visit:
        """Let a connection in, which counts for its address until the visit is over.

        Raises:
            Refused: There are too many, in all (503) or from this address (429).
        """
        if self._connections.full() or self._handshakes.full():
            raise Refused(503)
        if self._connections_of.full(address):
            raise Refused(429)
        return Visit(address, self._connections_of, self._shaking_hands)

    def check_session(self, address: str) -> None:
        """Ask whether there is room for one more session.

        Raises:
            PeerError: There are too many, in all or for this address.
        """
        if self._sessions.full() or self._sessions_of.full(address):
            raise PeerError(CloseCode.TRY_AGAIN_LATER, "too many sessions")

    def enter(self, address: str) -> None:
        """A session begins with a client at this address."""
        self._sessions_of.add(address)

    def leave(self, address: str) -> None:
        """A session is over that had begun with a client at this address."""
        self._sessions_of.remove(address)


class Visit:
    """One connection that was let in, for as long as the block of its `with` runs."""

    # No function of contextlib's: each connection has this while it is idle, too.
    __slots__ = ("_address", "_of_address", "_shaking_hands")

    def __init__(
        self, address: str, of_address: _RoomByAddress, shaking_hands: set[object]
    ) -> None:
        self._address = address
        self._of_address = of_address
        self._shaking_hands = shaking_hands

    def __enter__(self) -> Self:
        self._of_address.add(self._address)
        self._shaking_hands.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.registered()
        self._of_address.remove(self._address)

    def registered(self) -> None:
        """The client has registered: its handshake is over."""
        self._shaking_hands.discard(self)


class _Room:
    """Room for so many."""

    def __init__(self, name: str, limit: int | None, held: Sized) -> None:
        self._name = name
        self._limit = limit
        self._held = held
        self._told = False

    def full(self) -> bool:
        """Whether one more is too many. The first time since there was room, it is logged."""
        held = len(self._held)
        full = self._limit is not None and held >= self._limit
        if full and self._told:
            count_overrun(self._name)
        elif full:
            overrun(logger, self._name, "no room for one more: there are %d", held)
        self._told = full
        return full


class _RoomByAddress:
    """Room for so many of each address. Those that proxies have are not counted."""

    def __init__(self, name: str, limit: int | None) -> None:
        self._name = name
        self._limit = limit
        self._held: Counter[str] = Counter()
        self._told: set[str] = set()

    def full(self, address: str) -> bool:
        if self._limit is None or self._held[address] < self._limit:
            return False
        if address in self._told:
            count_overrun(self._name)
        else:
            self._told.add(address)
            text = "no room for one more from %s: it has %d"
            overrun(logger, self._name, text, address, self._held[address])
        return True

    def add(self, address: str) -> None:
        if _is_one_client(address):
            self._held[address] += 1

    def remove(self, address: str) -> None:
        if not _is_one_client(address):
            return
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]
            self._told.discard(address)


@lru_cache(maxsize=1024)
def _is_one_client(address: str) -> bool:
    """Whether an address stands for a client, and not for a proxy with many behind it."""
    try:
        return ip_address(address).is_global
    except ValueError:
        return False  # a socket of this machine, or none that is known
