"""What changed in a control since it was last sent, worked out by flet's own differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flet.controls.base_control import BaseControl
from flet.controls.object_patch import ObjectPatch

__all__ = ["Patch", "diff"]


@dataclass(frozen=True, slots=True)
class Patch:
    """Changes of one subtree, ready to be sent.

    Attributes:
        operations: `[tree, op…]` as the client reads it. Only the tree, when nothing changed.
        added: Controls that came into the page, parents before children.
        removed: Controls that left it.
    """

    operations: list[Any]
    added: list[BaseControl]
    removed: list[BaseControl]

    def __bool__(self) -> bool:
        return len(self.operations) > 1


def diff(
    control: Any,
    previous: Any,
    *,
    parent: BaseControl | None = None,
    path: list[Any] | None = None,
    frozen: bool = False,
) -> Patch:
    """Compare `control` with `previous`: with itself, for what was changed in place.

    Runs the `before_update` and `validate` hooks of the controls it visits, and so whatever
    they raise. The snapshots that later comparisons rest on are written when the operations
    are encoded: encode every patch, even one that is not sent.
    """
    patch, added, removed = ObjectPatch.from_diff(
        previous,
        control,
        control_cls=BaseControl,
        parent=parent,
        path=path,
        frozen=frozen,
    )
    return Patch(patch.to_message(), added, removed)
