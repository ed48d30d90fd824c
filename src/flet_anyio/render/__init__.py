"""From controls to bytes: what changed, as a patch, packed for the client. Imports flet only."""

from .compare import compare, controls_in
from .encoder import encode_message, encode_page, encode_with_lists, pack_page
from .marks import (
    mark_frame,
    mark_operations,
    may_repeat,
    patch_frame,
    replaced_properties,
    root_at_page,
)
from .patch import Patch, diff

__all__ = [
    "Patch",
    "compare",
    "controls_in",
    "diff",
    "encode_message",
    "encode_page",
    "encode_with_lists",
    "mark_frame",
    "mark_operations",
    "may_repeat",
    "pack_page",
    "patch_frame",
    "replaced_properties",
    "root_at_page",
]
