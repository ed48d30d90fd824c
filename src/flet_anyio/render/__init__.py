"""From controls to bytes: what changed, as a patch, packed for the client. Imports flet only."""

from .compare import compare
from .encoder import encode_message, encode_page, encode_with_lists, pack_page
from .marks import (
    mark_frame,
    mark_operations,
    may_repeat,
    patch_frame,
    replaced_properties,
)
from .patch import Patch, diff

__all__ = [
    "Patch",
    "compare",
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
]
