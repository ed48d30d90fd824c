from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import pytest

from flet_anyio.errors import PeerError
from flet_anyio.wire.codes import CloseCode
from flet_anyio.wire.unpacking import unpack

MOST = 1000
SAYS_MORE = b"\xdd" + (0xFFFF_FFFF).to_bytes(4, "big")
SAYS_AS_MANY = b"\xdd" + MOST.to_bytes(4, "big")


def refused(body: bytes, items: int | None = MOST, depth: int | None = None) -> PeerError:
    with pytest.raises(PeerError) as caught:
        unpack(body, items=items, depth=depth)
    return caught.value


def lists(depth: int, inside: Any = None) -> Any:
    return inside if not depth else [lists(depth - 1, inside)]


@pytest.mark.parametrize(
    "value",
    [
        [None] * MOST,
        {str(key): key for key in range(MOST)},
        [[None] * 400, [None] * 400, {"x": [None] * 196}],
        ["long" * 10_000, b"long" * 10_000],
        lists(MOST // 2 - 1),
    ],
    ids=["list", "map", "of several", "long ones", "deep"],
)
def test_as_many_values_as_may_be_are_unpacked(value: Any) -> None:
    assert unpack(msgpack.packb(value), items=MOST, depth=None) == value


@pytest.mark.parametrize(
    "value",
    [
        [None] * (MOST + 1),
        {str(key): key for key in range(MOST + 1)},
        [[None] * 400, [None] * 400, {"x": [None] * 198}],
        [[[None] * 600], [None] * 600],
        [[]] * (MOST + 1),
    ],
    ids=["list", "map", "of several", "deep ones", "empty ones"],
)
def test_more_are_refused(value: Any) -> None:
    error = refused(msgpack.packb(value))
    assert error.close_code is CloseCode.MESSAGE_TOO_BIG
    assert error.limit == "message_items"
    assert unpack(msgpack.packb(value), items=None, depth=None) == value


@pytest.mark.parametrize("body", [SAYS_MORE, SAYS_MORE + bytes(MOST), SAYS_AS_MANY * 500])
def test_no_memory_is_taken_for_what_is_only_said(body: bytes) -> None:
    tracemalloc.start()
    try:
        refused(body, items=MOST)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 * MOST * 510


@pytest.mark.parametrize("depth", [1, 3, 40])
@pytest.mark.parametrize("items", [None, MOST])
def test_so_deep_and_no_deeper(depth: int, items: int | None) -> None:
    for value in (lists(depth), lists(depth - 1, {"key": "value"}), "long" * MOST):
        assert unpack(msgpack.packb(value), items=items, depth=depth) == value
    for value in (["long" * MOST, lists(depth)], {"key": lists(depth)}):
        assert refused(msgpack.packb(value), items, depth).limit == "message_depth"


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x92\x01", b"\x01\x02", b"\xd9\xff"])
@pytest.mark.parametrize("items", [None, MOST])
def test_what_is_no_messagepack_is_refused(body: bytes, items: int | None) -> None:
    error = refused(body, items=items)
    assert error.close_code is CloseCode.INVALID_PAYLOAD
    assert not error.limit
