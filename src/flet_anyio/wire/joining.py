"""Joining updates that wait to be sent: what two say of one control, in one frame.

An update is `[2, {"id": control, "patch": [tree, operation…]}]`. The client looks up the places
that a tree names as it comes to each operation, so operations of the same control and tree may
follow one another in one frame, and do what they would have done in two.
"""

from __future__ import annotations

import msgpack

__all__ = ["join_updates"]

_UPDATE = b"\x00\x92\x02\x82\xa2id"
"""How the frame of an update begins."""
_PATCH = "patch"
_MOST_BYTES = 16 * 1024
"""A longer frame is left as it is: to copy it for each update would cost more than a frame."""


def join_updates(first: bytes, second: bytes) -> bytes | None:
    """Return one frame that does what these two do, or None when there is none.

    That is when they are no updates of the same control with the same tree, or are long.
    """
    if len(first) + len(second) > _MOST_BYTES or not _may_belong_together(first, second):
        return None
    one, other = _Update(first), _Update(second)
    if one.tree != other.tree or one.head != other.head:
        return None
    items = msgpack.Packer().pack_array_header(one.items + other.items - 1)
    return b"".join((one.head, items, one.tree, one.operations, other.operations))


def _may_belong_together(first: bytes, second: bytes) -> bool:
    size = len(_UPDATE)
    return first[: size + 1] == second[: size + 1] and first.startswith(_UPDATE)


class _Update:
    """The parts of an update's frame: `head`, a count of `items`, `tree`, and `operations`."""

    def __init__(self, frame: bytes) -> None:
        reader = msgpack.Unpacker(strict_map_key=False)
        start = len(_UPDATE)
        reader.feed(frame[start:])
        reader.skip()  # the id
        assert reader.unpack() == _PATCH
        self.head = frame[: start + reader.tell()]
        self.items: int = reader.read_array_header()
        begins = start + reader.tell()
        reader.skip()
        ends = start + reader.tell()
        self.tree = frame[begins:ends]
        self.operations = frame[ends:]
