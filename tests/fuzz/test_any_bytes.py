"""Whatever bytes a client sends are a packet and a message, or the peer's fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flet_anyio import PeerError
from flet_anyio.wire.codes import CloseCode
from flet_anyio.wire.messages import ClientMessage, decode_message
from flet_anyio.wire.packets import (
    DataPacket,
    MessagePacket,
    data_packet,
    decode_packet,
    message_packet,
)

from .values import packable

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

bodies = st.fixed_dictionaries(
    {},
    optional={
        name: packable
        for name in [
            *("session_id", "page_name", "page", "target", "name", "data", "id", "props"),
            *("control_id", "call_id", "result", "error"),
        ]
    },
)


def outcome(decode: Callable[[Any], Any], data: Any) -> Any:
    """What was decoded, or the peer's fault. Anything else that is raised fails the test."""
    try:
        return decode(data)
    except PeerError as error:
        return error


def message_or_fault(body: bytes) -> Any:
    """What the bytes are decoded to, or None."""
    message = outcome(decode_message, body)
    if isinstance(message, PeerError):
        assert message.close_code in (CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_PAYLOAD)
        return None
    assert isinstance(message, get_args(ClientMessage))
    return message


@given(st.binary(max_size=200) | st.text(max_size=20))
def test_any_frame_is_a_packet_or_the_peers_fault(frame: bytes | str) -> None:
    packet = outcome(decode_packet, frame)
    if isinstance(packet, PeerError):
        assert packet.close_code in (CloseCode.UNSUPPORTED_DATA, CloseCode.INVALID_PAYLOAD)
        return
    assert isinstance(packet, MessagePacket | DataPacket)
    if isinstance(packet, MessagePacket):
        assert message_packet(packet.body) == frame
    else:
        assert data_packet(packet.channel_id, packet.payload) == frame


@given(st.integers(0, (1 << 32) - 1), st.binary(max_size=100))
def test_any_data_survives_both_ways(channel_id: int, payload: bytes) -> None:
    assert decode_packet(data_packet(channel_id, payload)) == DataPacket(channel_id, payload)
    assert decode_packet(message_packet(payload)) == MessagePacket(payload)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_the_peers_fault(body: bytes) -> None:
    message_or_fault(body)


@given(packable)
def test_any_value_is_a_message_or_the_peers_fault(value: Any) -> None:
    message_or_fault(msgpack.packb(value))


@given(st.sampled_from([1, 3, 4, 5]) | st.integers(), bodies)
def test_any_body_is_a_message_or_the_peers_fault(action: int, body: Any) -> None:
    try:
        packed = msgpack.packb([action, body])
    except OverflowError:
        return  # no such number can be sent
    message_or_fault(packed)


@given(bodies, st.data())
def test_a_message_that_was_cut_or_changed_raises_nothing_else(body: Any, data: Any) -> None:
    packed = bytearray(msgpack.packb([data.draw(st.sampled_from([1, 3, 4, 5])), body]))
    place = data.draw(st.integers(0, len(packed) - 1))
    message_or_fault(bytes(packed[:place]))
    packed[place] = data.draw(st.integers(0, 255))
    message_or_fault(bytes(packed))


@pytest.mark.parametrize("head", [b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9"])
@pytest.mark.parametrize("size", [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x01\x00\x00"])
def test_a_size_that_is_only_said_costs_nothing(head: bytes, size: bytes) -> None:
    assert message_or_fault(b"\x92\x03\x81\xa4data" + head + size + b"x" * 20) is None
