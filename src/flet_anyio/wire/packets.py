"""Packets: the one-byte framing inside each binary WebSocket message.

A packet is `00` and one message in MessagePack, or `01`, a channel id (u32, little endian) and
bytes for a data channel. WebSocket keeps packets apart, so there is no length.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import PeerError
from .codes import CloseCode

__all__ = ["DataPacket", "MessagePacket", "data_packet", "decode_packet", "message_packet"]

_MESSAGE = 0x00
_DATA = 0x01
_DATA_HEADER = 5


@dataclass(frozen=True, slots=True)
class MessagePacket:
    """A packed protocol message."""

    body: bytes


@dataclass(frozen=True, slots=True)
class DataPacket:
    """Bytes for one data channel."""

    channel_id: int
    payload: bytes


def decode_packet(frame: bytes | str) -> MessagePacket | DataPacket:
    """Tell what one received frame carries.

    Raises:
        PeerError: The frame is text, empty, cut short or of an unknown type.
    """
    if isinstance(frame, str):
        raise PeerError(CloseCode.UNSUPPORTED_DATA, "a text frame; this protocol is binary")
    if not frame:
        raise PeerError(CloseCode.INVALID_PAYLOAD, "an empty frame")
    if frame[0] == _MESSAGE:
        return MessagePacket(frame[1:])
    if frame[0] == _DATA:
        if len(frame) < _DATA_HEADER:
            raise PeerError(CloseCode.INVALID_PAYLOAD, "a data packet without a channel id")
        return DataPacket(int.from_bytes(frame[1:_DATA_HEADER], "little"), frame[_DATA_HEADER:])
    raise PeerError(CloseCode.UNSUPPORTED_DATA, f"a packet of unknown type {frame[0]:#04x}")


def message_packet(body: bytes) -> bytes:
    """Frame one packed message."""
    return b"\x00" + body


def data_packet(channel_id: int, payload: bytes) -> bytes:
    """Frame bytes for one data channel.

    Raises:
        ValueError: `channel_id` does not fit into 32 bits.
    """
    if not 0 <= channel_id < 1 << 32:
        raise ValueError(f"channel_id must fit into 32 bits, not {channel_id}")
    return b"\x01" + channel_id.to_bytes(4, "little") + payload
