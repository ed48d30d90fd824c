"""The sessions of one app at one place: found by id, with the hub that joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..pubsub import Hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..compat.door import Door
    from ..limits import Limits
    from .session import Session

__all__ = ["Registry"]


class Registry:
    """What the sessions of one app share. Owned by a server; one for each mount and `main`."""

    def __init__(self, *, limits: Limits, door: Door, debug: bool = False) -> None:
        self.limits = limits
        self.door = door
        self.debug = debug
        self.hub = Hub(self._deliver, self._lives)
        self.main: Callable[..., Any] | None = None
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def add(self, session: Session) -> None:
        """Let clients find a session."""
        self._sessions[session.id] = session

    def find(self, session_id: str) -> Session | None:
        """Return the session with this id, or None."""
        return self._sessions.get(session_id)

    def forget(self, session: Session) -> None:
        """The session is over."""
        self._sessions.pop(session.id, None)

    def _lives(self, session_id: str) -> bool:
        return session_id in self._sessions

    def _deliver(self, session_id: str, handler: Callable[..., Any], args: tuple[Any, ...]) -> None:
        session = self._sessions.get(session_id)
        if session is not None:
            session.deliver(handler, *args)
