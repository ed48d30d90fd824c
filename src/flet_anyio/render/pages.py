"""Whole pages, as a client takes them at registration and as it would hold them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import msgpack

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from flet import Page
    from flet.controls.base_control import BaseControl

__all__ = ["encode_page", "encode_with_lists", "pack_page"]


def encode_page(page: Page, encode: Callable[[Any], Any], **window: Any) -> dict[str, Any]:
    """Return the whole page as the client takes it at registration.

    `window` holds extra properties for the client's Window control. The client keeps and
    reports properties it does not know, so they tell a later registration what it has seen.
    """
    encoded: dict[str, Any] = encode(page)
    encoded["window"] = {**encode(page.window), **window}
    return encoded


def encode_with_lists(control: BaseControl, encode: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a control as it is sent, but also with its empty lists, which are else left out."""
    names = (one.name for one in fields(control))
    lists: dict[str, Any] = {name: [] for name in names if getattr(control, name) == []}
    return {**lists, **encode(control)}


def pack_page(page: Page, encode: Callable[[Any], Any], *, without: Collection[str] = ()) -> bytes:
    """Pack the whole page, as a client would hold it, to compare it with a later one.

    Properties of the page itself that are named in `without` are left out.
    """
    shown = {n: v for n, v in encode_page(page, encode).items() if n not in without}
    packed: bytes = msgpack.packb(shown, default=encode)
    return packed
