"""What a client is yet to be told, when it is too slow for each update, or away for long.

Updates are drawn and dropped meanwhile; only what the page was like when that began is kept. One
patch leads from there to what the page is like at the end, so what is owed never grows beyond
the page itself, however long it takes.
"""

from __future__ import annotations

from typing import Any

import msgpack

from ..render import compare, controls_in

__all__ = ["Arrears"]


class Arrears:
    """The page as the client has it once it has applied all that was sent, packed."""

    def __init__(self, page: bytes) -> None:
        self._page = page
        self._said: dict[int, dict[str, Any]] = {}

    def heard(self, control_id: int, props: dict[str, Any]) -> None:
        """Note what the client itself changed: it has that already."""
        plain = {n: v for n, v in props.items() if not isinstance(v, (dict, list))}
        self._said.setdefault(control_id, {}).update(plain)

    def operations(self, page: bytes) -> list[Any]:
        """The patch, rooted at the page, that makes of this what the page is now."""
        before, after = _unpack(self._page), _unpack(page)
        for fields in controls_in(before):
            fields.update(self._said.get(fields["_i"], ()))
        return compare(before, after)


def _unpack(page: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = msgpack.unpackb(page, strict_map_key=False)
    return fields
