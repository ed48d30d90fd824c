"""From controls to bytes: what changed, as a patch, packed for the client. Imports flet only.

`engine` finds what was changed, where `tracking` noted it by what `marking` and `fields` put into
the controls; `differ` and `edits` say it as operations; `encoder` packs it. `shapes` knows the
classes of controls. `flet_renderer` does the same in flet's own way. `marks` has the client keep
count, and `compare` brings one that lost count up to date.
"""

from .compare import compare, controls_in
from .encoder import by_flet, encode_message, pack
from .marks import (
    mark_frame,
    mark_operations,
    may_repeat,
    patch_frame,
    replaced_properties,
    root_at_page,
)
from .pages import encode_page, encode_with_lists, pack_page
from .patch import Patch
from .renderer import Renderer, RendererName, make_renderer

__all__ = [
    "Patch",
    "Renderer",
    "RendererName",
    "by_flet",
    "compare",
    "controls_in",
    "encode_message",
    "encode_page",
    "encode_with_lists",
    "make_renderer",
    "mark_frame",
    "mark_operations",
    "may_repeat",
    "pack",
    "pack_page",
    "patch_frame",
    "replaced_properties",
    "root_at_page",
]
