"""Marks in patches: which update the client has applied, kept by the client itself.

The client's Window control keeps properties that it does not know. An update sets such a
property together with what it changes, in one patch, where it can.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgpack
from flet.controls.object_patch import Operation
from flet.messaging.protocol import MessageAction

from ..wire.packets import MessagePacket, decode_packet
from .encoder import by_flet, pack

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "mark_frame",
    "mark_operations",
    "may_repeat",
    "patch_frame",
    "replaced_properties",
    "root_at_page",
]

_WINDOW_ID = 2
_REPLACE = Operation.Replace.value
_APPLIED = "n"
_PLAIN = (str, bytes, bool, int, float, Enum, datetime, date, time, timedelta)


def patch_frame(root: int, operations: list[Any], encode: Callable[[Any], Any] = by_flet) -> bytes:
    """Pack a patch of the control with the id `root`; `encode` says how controls in it are.

    Raises:
        TypeError, ValueError, RuntimeError, OverflowError: A value cannot be sent.
    """
    return pack(MessageAction.PATCH_CONTROL, {"id": root, "patch": operations}, encode)


def mark_frame(mark: str, number: int) -> bytes:
    """Pack a patch that sets nothing but a mark."""
    return patch_frame(_WINDOW_ID, [[0], [_REPLACE, 0, mark, number]])


def mark_operations(operations: list[Any], number: int) -> None:
    """Have a patch of the page set the mark as well."""
    tree = operations[0]
    if len(tree) == 1:
        tree.append({})
    window = tree[1].setdefault("window", [_count(tree)])
    operations.append([_REPLACE, window[0], _APPLIED, number])


def root_at_page(operations: list[Any], name: str) -> list[Any]:
    """Say of the page, in its property `name`, what a patch says of the control there."""
    tree, *rest = operations
    moved = [[op[0], op[1] + 1, op[2], *_target(op)] for op in rest]
    return [[0, {name: _renumbered(tree)}], *moved]


def _target(operation: list[Any]) -> list[Any]:
    kind, values = operation[0], operation[3:]
    moves = kind in (Operation.Move, Operation.Move.value)
    return [values[0] + 1, *values[1:]] if moves else values


def _renumbered(tree: list[Any]) -> list[Any]:
    children = [{key: _renumbered(child) for key, child in tree[1].items()}] if tree[1:] else []
    return [tree[0] + 1, *children]


def may_repeat(operations: list[Any]) -> bool:
    """Whether the patch may be applied twice without harm.

    That is when it only replaces values. A control that is replaced by itself is another object
    in the client, and what shows the first one does not see what becomes of the second.
    """
    replaces = (_REPLACE, Operation.Replace)
    return all(op[0] in replaces and _is_plain(op[3]) for op in operations[1:])


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return value is None or isinstance(value, _PLAIN)


def replaced_properties(frames: list[bytes]) -> dict[int | None, set[str]]:
    """The names of the properties that these patches set, by the id of their control.

    Under None stand those of controls that a patch of another one does not name by id.
    """
    names: dict[int | None, set[str]] = {}
    for frame in frames:
        packet = decode_packet(frame)
        if not isinstance(packet, MessagePacket):
            continue
        action, body = msgpack.unpackb(packet.body, strict_map_key=False)
        if action == MessageAction.PATCH_CONTROL.value:
            for kind, place, name, *_ in body["patch"][1:]:
                if kind == _REPLACE and isinstance(name, str):
                    names.setdefault(None if place else body["id"], set()).add(name)
    return names


def _count(tree: list[Any]) -> int:
    children = tree[1].values() if len(tree) > 1 else ()
    return 1 + sum(map(_count, children))
