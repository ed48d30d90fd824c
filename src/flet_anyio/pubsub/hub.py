"""Who subscribed to what. Each message runs its subscribers as events of their own sessions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from flet.pubsub.pubsub_hub import PubSubHub

__all__ = ["Hub"]

Handler: TypeAlias = Callable[..., Any]
Deliver: TypeAlias = Callable[[str, Handler, tuple[Any, ...]], None]


class Hub(PubSubHub):
    """The in-memory hub of one app. Every method may be called from any thread.

    The public names are those of `flet.pubsub.PubSubHub`. A session's subscribers are called
    in the order in which they subscribed, one message after the other; what they raise is
    reported in their session. `deliver(session_id, handler, args)` brings a message there and
    must neither block nor raise. `lives(session_id)` says whether there is such a session;
    others cannot subscribe.
    """

    def __init__(self, deliver: Deliver, lives: Callable[[str], bool]) -> None:
        super().__init__()
        self._deliver = deliver
        self._lives = lives
        self._lock = threading.Lock()
        # Topic → session id → handlers. None is the topic of messages without one. Dicts, for
        # their order; a handler subscribes once, however often it asks.
        self._topics: dict[str | None, dict[str, dict[Handler, None]]] = {}

    def send_all(self, message: Any) -> None:
        """Send to every session's global subscribers."""
        self._send(None, (message,))

    def send_all_on_topic(self, topic: str, message: Any) -> None:
        """Send to every session's subscribers of `topic`."""
        self._send(topic, (topic, message))

    def send_others(self, except_session_id: str, message: Any) -> None:
        """Send to the global subscribers of all sessions but one."""
        self._send(None, (message,), except_session_id)

    def send_others_on_topic(self, except_session_id: str, topic: str, message: Any) -> None:
        """Send to the subscribers of `topic` of all sessions but one."""
        self._send(topic, (topic, message), except_session_id)

    def subscribe(self, session_id: str, handler: Handler) -> None:
        """Call `handler(message)`, sync or async, for each global message."""
        self._subscribe(session_id, None, handler)

    def subscribe_topic(self, session_id: str, topic: str, handler: Handler) -> None:
        """Call `handler(topic, message)`, sync or async, for each message of `topic`."""
        self._subscribe(session_id, topic, handler)

    def unsubscribe(self, session_id: str) -> None:
        """Drop a session's global subscribers."""
        with self._lock:
            self._drop(session_id, None)

    def unsubscribe_topic(self, session_id: str, topic: str) -> None:
        """Drop a session's subscribers of `topic`."""
        with self._lock:
            self._drop(session_id, topic)

    def unsubscribe_all(self, session_id: str) -> None:
        """Drop all subscribers of a session."""
        with self._lock:
            for topic in list(self._topics):
                self._drop(session_id, topic)

    def _subscribe(self, session_id: str, topic: str | None, handler: Handler) -> None:
        with self._lock:
            if not self._lives(session_id):
                return
            sessions = self._topics.setdefault(topic, {})
            sessions.setdefault(session_id, {})[handler] = None

    def _drop(self, session_id: str, topic: str | None) -> None:
        sessions = self._topics.get(topic, {})
        sessions.pop(session_id, None)
        if not sessions:
            self._topics.pop(topic, None)

    def _send(self, topic: str | None, args: tuple[Any, ...], but: str | None = None) -> None:
        with self._lock:
            receivers = [
                (session_id, handler)
                for session_id, handlers in self._topics.get(topic, {}).items()
                if session_id != but
                for handler in handlers
            ]
        # Outside the lock: a delivery may run code that subscribes.
        for session_id, handler in receivers:
            self._deliver(session_id, handler, args)
