"""Messages to the client, packed as flet packs them, with what a class needs worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgpack
from flet.controls.base_control import BaseControl
from flet.messaging.protocol import MessageAction, configure_encode_object_for_msgpack

from ..wire.packets import message_packet
from .shapes import DICT, ENUM, LIST, SENT, Plan, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["as_sent", "by_flet", "encode_message", "first_time", "pack"]

by_flet: Final = configure_encode_object_for_msgpack(BaseControl)
"""Flet's own encoding of what msgpack does not know. It notes what flet's differ compares with."""


def pack(action: MessageAction, body: Any, encode: Callable[[Any], Any]) -> bytes:
    """Pack one message into a frame.

    Raises:
        TypeError, ValueError, RuntimeError, OverflowError: A value cannot be sent.
    """
    return message_packet(msgpack.packb([action.value, body], default=encode))


def encode_message(action: MessageAction, body: Any) -> bytes:
    """Pack a message that holds no controls."""
    return pack(action, body, by_flet)


def first_time(value: Any) -> Any:
    """Encode what the client is sent for the first time, and note what is sent."""
    shape = shape_of(type(value))
    if isinstance(shape, Plan):
        return _first_time(value, shape)
    return value.value if shape is ENUM else by_flet(value)


def as_sent(value: Any) -> Any:
    """Encode what the client was sent before, with the lists and values that it was sent."""
    shape = shape_of(type(value))
    if isinstance(shape, Plan):
        return _as_sent(value, shape)
    return value.value if shape is ENUM else by_flet(value)


def _first_time(owner: Any, plan: Plan) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    fields = _fields(owner, plan, sent)
    if not hasattr(owner, "_frozen") and (sent or hasattr(owner, SENT)):
        object.__setattr__(owner, SENT, sent)
    return fields


def _as_sent(owner: Any, plan: Plan) -> dict[str, Any]:
    live: dict[str, Any] = {}
    fields = _fields(owner, plan, live)
    if hasattr(owner, "_frozen"):
        return fields
    sent: dict[str, Any] = getattr(owner, SENT, None) or {}
    for name in live.keys() - sent.keys():
        fields.pop(name, None)
    fields.update(sent)
    return fields


def _fields(owner: Any, plan: Plan, deep: dict[str, Any]) -> dict[str, Any]:
    """The fields to send; `deep` gets the lists, dicts and dataclasses among them."""
    if not plan.sparse:
        return _plain_fields(owner, plan, deep)
    fields: dict[str, Any] = {}
    roots, events = plan.roots, plan.events
    # A copy, as another thread may set something.
    for name, value in owner._values.copy().items():
        shape = shape_of(type(value))
        if shape is LIST or shape is DICT:
            # One that was set counts also when it is empty.
            deep[name] = fields[name] = value.copy()
        elif isinstance(shape, Plan):
            deep[name] = fields[name] = value
        elif value is not None and not (name in roots and value == roots[name]):
            fields[name] = True if name in events else value.value if shape is ENUM else value
    for name, value in plan.overrides.items():
        fields.setdefault(name, value)
    for name in plan.structural:
        _add_structural(fields, deep, name, getattr(owner, name), plan.fixed[name])
    return fields


def _add_structural(
    fields: dict[str, Any], deep: dict[str, Any], name: str, value: Any, known: Any
) -> None:
    shape = shape_of(type(value))
    if shape is LIST or shape is DICT:
        if value:
            deep[name] = fields[name] = value.copy()
    elif isinstance(shape, Plan):
        deep[name] = fields[name] = value
    elif value is not None and value != known:
        fields[name] = value


def _plain_fields(owner: Any, plan: Plan, deep: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in plan.order:
        value = getattr(owner, name)
        if name in plan.events and shape_of(type(value)) not in (LIST, DICT):
            if value is not None:
                fields[name] = True
        else:
            known = plan.fixed[name] if plan.control else None
            _add_structural(fields, deep, name, value, known)
    return fields
