from __future__ import annotations

from typing import Any

import msgpack
import pytest

from flet_anyio import PeerError
from flet_anyio.wire.codes import CloseCode
from flet_anyio.wire.messages import (
    CallReply,
    ControlEvent,
    PropertyUpdate,
    Register,
    decode_message,
)


def packed(message: Any) -> bytes:
    body: bytes = msgpack.packb(message)
    return body


def refusal(body: bytes, *, depth: int | None = None) -> PeerError:
    with pytest.raises(PeerError) as caught:
        decode_message(body, depth=depth)
    return caught.value


@pytest.mark.parametrize(
    ("message", "decoded"),
    [
        (
            [1, {"session_id": None, "page_name": "", "page": {"route": "/"}}],
            Register(None, "", {"route": "/"}),
        ),
        ([1, {"session_id": "abc", "page": {}}], Register("abc", "", {})),
        ([3, {"target": 7, "name": "click", "data": None}], ControlEvent(7, "click", None)),
        ([3, {"target": 7, "name": "change", "data": 1000}], ControlEvent(7, "change", 1000)),
        ([4, {"id": 7, "props": {"value": "x"}}], PropertyUpdate(7, {"value": "x"})),
        (
            [5, {"control_id": 7, "call_id": "1", "result": [1], "error": None}],
            CallReply(7, "1", [1], None),
        ),
        (
            [5, {"control_id": 7, "call_id": "1", "error": "no", "new_key": 1}],
            CallReply(7, "1", None, "no"),
        ),
    ],
)
def test_what_clients_send_is_decoded(message: Any, decoded: Any) -> None:
    assert decode_message(packed(message)) == decoded


@pytest.mark.parametrize("action", [0, 2, 6, 7, 99, -1])
def test_actions_that_are_not_the_clients_are_refused(action: int) -> None:
    assert refusal(packed([action, {}])).close_code is CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        packed([1, {}])[:-1],
        packed([3, {"target": 1, "name": "click"}]) + b"\x00",
        b"\x92\x03\x81\xa4name\xa1\xff",
        b"\x92\x03\x81\xc0\xc0",
        b"\xdd\xff\xff\xff\xff",
        packed(msgpack.ExtType(1, b"not a date")),
        packed(msgpack.ExtType(3, b"not a number")),
    ],
)
def test_what_is_not_messagepack_is_refused(body: bytes) -> None:
    assert refusal(body).close_code is CloseCode.INVALID_PAYLOAD


@pytest.mark.parametrize(
    "message",
    [
        None,
        5,
        "text",
        {},
        [],
        [3],
        [3, {}, {}],
        ["3", {}],
        [True, {}],
        [3, None],
        [3, []],
        [3, {}],
        [3, {"target": "7", "name": "click"}],
        [3, {"target": True, "name": "click"}],
        [3, {"target": 7, "name": None}],
        [3, {"target": 7, "name": "__class__ x"}],
        [4, {"id": 7}],
        [4, {"id": 7, "props": [1]}],
        [4, {"id": 7.5, "props": {}}],
        [1, {"session_id": 5, "page": {}}],
        [1, {"session_id": None}],
        [1, {"session_id": None, "page": []}],
        [5, {"control_id": 7}],
        [5, {"control_id": 7, "call_id": 1}],
        [5, {"control_id": 7, "call_id": "1", "error": {}}],
    ],
)
def test_messages_of_the_wrong_shape_are_refused(message: Any) -> None:
    assert refusal(packed(message)).close_code is CloseCode.INVALID_PAYLOAD


@pytest.mark.parametrize("depth", [None, 20])
def test_a_deeply_nested_message_is_refused(depth: int | None) -> None:
    error = refusal(b"\x91" * 100_000 + b"\xc0", depth=depth)
    assert error.close_code is CloseCode.MESSAGE_TOO_BIG
    assert error.limit == "message_depth"


def test_a_refusal_does_not_repeat_what_the_client_sent() -> None:
    error = refusal(packed([3, {"target": "secret", "name": "secret"}]))
    assert "secret" not in str(error)
    assert "target" in str(error)
