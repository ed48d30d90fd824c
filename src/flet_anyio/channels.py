"""Data channels: bytes between a control and its widget, on the connection's socket."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from flet.data_channel import DataChannel

if TYPE_CHECKING:
    from collections.abc import Callable

    from .session.session import Session
    from .wire.packets import DataPacket

__all__ = ["Channels", "MuxedChannel"]

logger = logging.getLogger(__name__)


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


class Channels:
    """The data channels of one connection, by id."""

    __slots__ = ("_early", "_open")

    def __init__(self) -> None:
        self._open: dict[int, MuxedChannel] = {}
        self._early: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def find(self, channel_id: int) -> MuxedChannel | None:
        """Return the channel with this id, if it is open."""
        return self._open.get(channel_id)

    def open(self, channel_id: int, send: Callable[[int, bytes], None]) -> MuxedChannel:
        """Open the channel with this id."""
        channel = self._open[channel_id] = MuxedChannel(channel_id, send, self.forget)
        return channel

    def forget(self, channel_id: int) -> None:
        """Drop what comes for a channel from now on."""
        self._open.pop(channel_id, None)

    def continue_those_of(self, before: Channels, send: Callable[[int, bytes], None]) -> None:
        """Go on with the channels of an earlier connection of the same client."""
        for channel_id, channel in before._open.items():
            channel.carry(send, self.forget)
            self._open[channel_id] = channel
        before._open = {}

    async def receive(self, session: Session, packet: DataPacket) -> None:
        """Hand over bytes at once, or, for a channel that is yet to be opened, in their turn.

        The client may write as soon as it has opened a channel, while the event that says so
        still waits for its handler. Later bytes must not overtake those.
        """
        channel_id = packet.channel_id
        if channel_id in self._open and channel_id not in self._early:
            self._deliver(session, packet)
            return
        self._early[channel_id] = self._early.get(channel_id, 0) + 1
        deliver = partial(self._deliver_early, session, packet)
        await session.receive_in_turn(deliver, len(packet.payload))

    def _deliver_early(self, session: Session, packet: DataPacket) -> None:
        self._early[packet.channel_id] -= 1
        if not self._early[packet.channel_id]:
            del self._early[packet.channel_id]
        self._deliver(session, packet)

    def _deliver(self, session: Session, packet: DataPacket) -> None:
        channel = self._open.get(packet.channel_id)
        if channel is None:
            logger.debug("session %s: no data channel %d", session.label, packet.channel_id)
            return
        # Its handler is user code, and belongs to the session.
        receive = session.tasks.fresh_context().run
        session.tasks.guard("a data channel", receive, channel.receive, packet.payload)
