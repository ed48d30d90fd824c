"""Strategies for what may come over the wire."""

from __future__ import annotations

from typing import Any

import msgpack
from hypothesis import strategies as st

__all__ = ["packable", "values"]

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_numbers = st.integers(-(1 << 63), (1 << 64) - 1) | st.floats()
_extensions = st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=20))
_plain = st.none() | st.booleans() | _numbers | _texts | st.binary(max_size=20)


def _nested(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> Any:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )


values: st.SearchStrategy[Any] = _nested(_plain, _texts)
"""Values as they are when a message was decoded."""

packable: st.SearchStrategy[Any] = _nested(_plain | _extensions, _texts | st.integers(0, 9))
"""Values that MessagePack can pack, also those that no client sends."""
