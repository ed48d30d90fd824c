"""Messages to the client, packed with flet's own encoding of controls and values."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import msgpack
from flet.controls.base_control import BaseControl
from flet.messaging.protocol import (
    MessageAction,
    configure_encode_object_for_msgpack,
)

from ..wire.packets import message_packet

if TYPE_CHECKING:
    from collections.abc import Collection

    from flet import Page

__all__ = ["encode_message", "encode_page", "encode_with_lists", "pack_page"]

_encode_object = configure_encode_object_for_msgpack(BaseControl)


def encode_message(action: MessageAction, body: Any) -> bytes:
    """Pack one message into a frame.

    Encoding a control also takes the snapshot its next diff compares with, so the frame must
    reach the client or be followed by a whole page.

    Raises:
        TypeError, ValueError, RuntimeError: A value cannot be sent; nothing was.
    """
    body = msgpack.packb([action.value, body], default=_encode_object)
    return message_packet(body)


def encode_page(page: Page, **window: Any) -> dict[str, Any]:
    """Return the whole page as the client takes it at registration.

    `window` holds extra properties for the client's Window control. The client keeps and
    reports properties it does not know, so they tell a later registration what it has seen.
    """
    encoded: dict[str, Any] = _encode_object(page)
    encoded["window"] = {**_encode_object(page.window), **window}
    return encoded


def encode_with_lists(control: BaseControl) -> dict[str, Any]:
    """Return a control as it is sent, but also with its empty lists, which are else left out."""
    names = (one.name for one in fields(control))
    lists: dict[str, Any] = {name: [] for name in names if getattr(control, name) == []}
    return {**lists, **_encode_object(control)}


def pack_page(page: Page, *, without: Collection[str] = ()) -> bytes:
    """Pack the whole page, as a client would hold it, to compare it with a later one.

    Properties of the page itself that are named in `without` are left out.
    """
    fields = {name: value for name, value in encode_page(page).items() if name not in without}
    packed: bytes = msgpack.packb(fields, default=_encode_object)
    return packed
