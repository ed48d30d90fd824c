from __future__ import annotations

import pytest

from flet_anyio import PeerError
from flet_anyio.wire.codes import CloseCode
from flet_anyio.wire.packets import (
    DataPacket,
    MessagePacket,
    data_packet,
    decode_packet,
    message_packet,
)


def test_a_message_packet_survives_both_ways() -> None:
    assert decode_packet(message_packet(b"abc")) == MessagePacket(b"abc")


def test_a_data_packet_survives_both_ways() -> None:
    frame = data_packet(0x01020304, b"\x00\xff")
    assert frame == b"\x01\x04\x03\x02\x01\x00\xff"
    assert decode_packet(frame) == DataPacket(0x01020304, b"\x00\xff")


def test_a_data_packet_may_be_empty() -> None:
    assert decode_packet(data_packet(7, b"")) == DataPacket(7, b"")


@pytest.mark.parametrize("channel_id", [-1, 1 << 32])
def test_a_channel_id_fits_into_32_bits(channel_id: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        data_packet(channel_id, b"")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("text", CloseCode.UNSUPPORTED_DATA),
        ("", CloseCode.UNSUPPORTED_DATA),
        (b"", CloseCode.INVALID_PAYLOAD),
        (b"\x01", CloseCode.INVALID_PAYLOAD),
        (b"\x01\x01\x00\x00", CloseCode.INVALID_PAYLOAD),
        (b"\x02", CloseCode.UNSUPPORTED_DATA),
        (b"\xffabc", CloseCode.UNSUPPORTED_DATA),
    ],
)
def test_other_frames_are_refused_with_a_close_code(frame: bytes | str, code: CloseCode) -> None:
    with pytest.raises(PeerError) as caught:
        decode_packet(frame)
    assert caught.value.close_code is code
