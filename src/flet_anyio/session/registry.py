"""The sessions of one app at one place: found by id, with the hub that joins them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ..pubsub import Hub
from ..wire.tokens import TokenSigner
from .threads import HandlerThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..compat.door import Door
    from ..limits import Limits
    from .session import Session

__all__ = ["Registry"]


class Registry:
    """What the sessions of one app share. Owned by a server; one for each mount and `main`."""

    def __init__(
        self,
        *,
        limits: Limits,
        door: Door,
        debug: bool = False,
        signer: TokenSigner | None = None,
        threads: HandlerThreads | None = None,
    ) -> None:
        self.limits = limits
        self.door = door
        self.debug = debug
        self.hub = Hub(self._deliver, self._lives)
        self.main: Callable[..., Any] | None = None
        self.signer = signer or TokenSigner()
        self.lock = threading.Lock()
        self.threads = threads or HandlerThreads(limits.handler_threads)
        self._sessions: dict[str, Session] = {}
        self._by_key: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def add(self, session: Session) -> None:
        """Let clients find a session."""
        self._sessions[session.id] = session
        self._by_key[session.token.session_key] = session

    def find(self, token: str | None) -> Session | None:
        """Return the session that a client may have for its token, or None.

        None also when the session takes no connection any more.
        """
        key = self.signer.session_key(token) if token else None
        session = self._by_key.get(key) if key else None
        if session is None or not session.open or not session.token.accepts(token):
            return None
        return session

    def forget(self, session: Session) -> None:
        """The session is over."""
        self._sessions.pop(session.id, None)
        self._by_key.pop(session.token.session_key, None)

    def _lives(self, session_id: str) -> bool:
        return session_id in self._sessions

    def _deliver(self, session_id: str, handler: Callable[..., Any], args: tuple[Any, ...]) -> None:
        session = self._sessions.get(session_id)
        if session is not None:
            session.deliver(handler, *args)
