"""Data channels: bytes between a control and its widget, on the connection's socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flet.data_channel import DataChannel

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MuxedChannel"]


class MuxedChannel(DataChannel):
    """One channel between a control and its widget. `send` may be called from any thread.

    It outlives a connection when the client comes back with its page. What is sent while the
    client is away is dropped.
    """

    def __init__(
        self, channel_id: int, send: Callable[[int, bytes], None], forget: Callable[[int], None]
    ) -> None:
        self._id = channel_id
        self._send = send
        self._forget = forget
        self._handler: Callable[[bytes], None] | None = None
        self._closed = False

    def carry(self, send: Callable[[int, bytes], None], forget: Callable[[int], None]) -> None:
        """Go on over another connection of the same client."""
        self._send = send
        self._forget = forget

    def on_bytes(self, handler: Callable[[bytes], None] | None) -> None:
        """Call `handler(payload)` for what the client sends; None for nobody."""
        self._handler = handler

    def send(self, payload: bytes) -> None:
        """Send bytes to the client. Once the channel is closed they are dropped.

        Raises:
            OutboxFull: Too much waits for a client that does not read.
        """
        if not self._closed:
            self._send(self._id, payload)

    def close(self) -> None:
        """Release the channel. May be called twice."""
        if not self._closed:
            self._closed = True
            self._handler = None
            self._forget(self._id)

    def receive(self, payload: bytes) -> None:
        """Hand over what came from the client. Raises what the handler raises."""
        if self._handler is not None:
            self._handler(payload)
