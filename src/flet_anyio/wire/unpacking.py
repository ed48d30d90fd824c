"""MessagePack from a client: no more values, and none deeper, than memory and time allow.

A byte may stand for a list, which takes seventy; a few may say that one holds millions, and have
room made for them. So what is to be made is bounded while it is made, not afterwards.
"""

from __future__ import annotations

from typing import Any

import msgpack
from flet.messaging.protocol import decode_ext_from_msgpack

from ..errors import PeerError
from .codes import CloseCode

__all__ = ["unpack"]


def unpack(body: bytes, *, items: int | None, depth: int | None) -> Any:
    """Unpack one value.

    Args:
        body: Of any content.
        items: How many values its lists and maps may hold in all, or None.
        depth: How deep they may lie in each other, or None: then as deep as msgpack itself can
            go, some five hundred.

    Raises:
        PeerError: It is no MessagePack, or too much.
    """
    try:
        value = msgpack.unpackb(body, ext_hook=decode_ext_from_msgpack, **_bounds(body, items))
    except PeerError:
        raise
    except msgpack.StackError as error:
        raise _too_deep("too deep") from error
    except Exception as error:
        # Nothing here awaits or runs an app's code: whatever it is, the bytes are at fault.
        if items is not None and items < len(body) and _names_a_size(error):
            raise _too_many(items) from error
        kind = type(error).__name__
        reason = f"a message that is not MessagePack ({kind})"
        raise PeerError(CloseCode.INVALID_PAYLOAD, reason) from error
    # Each takes a byte at least: most messages are too short to be too deep.
    if depth is not None and depth < len(body) and _is_deeper(value, depth):
        raise _too_deep(f"nested deeper than {depth}")
    return value


def _bounds(body: bytes, items: int | None) -> dict[str, Any]:
    # No value takes less than a byte: msgpack itself refuses what says that it holds more.
    if items is None or len(body) <= items:
        return {}
    left = items

    def count(made: list[Any] | dict[Any, Any]) -> Any:
        nonlocal left
        left -= len(made)
        if left < 0:
            raise _too_many(items)
        return made

    return {
        "list_hook": count,
        "object_hook": count,
        "max_array_len": items,
        "max_map_len": items,
    }


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether a list or map lies in as many as `depth` others. Looks level by level."""
    level = [value]
    for _ in range(depth + 1):
        inside: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inside.extend(one.values())
            elif isinstance(one, list):
                inside.extend(one)
        if not inside:
            return False
        level = inside
    return True


def _names_a_size(error: Exception) -> bool:
    return "exceeds max_array_len" in str(error) or "exceeds max_map_len" in str(error)


def _too_many(items: int) -> PeerError:
    reason = f"a message of more than {items} values"
    return PeerError(CloseCode.MESSAGE_TOO_BIG, reason, limit="message_items")


def _too_deep(how: str) -> PeerError:
    return PeerError(CloseCode.MESSAGE_TOO_BIG, f"a message that is {how}", limit="message_depth")
