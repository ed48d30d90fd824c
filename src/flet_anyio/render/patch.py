"""One update: what the client is told, and what comes into the page or leaves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from flet.controls.base_control import BaseControl

__all__ = ["Patch"]


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Patch:
    """Changes of one page, ready to be packed.

    Attributes:
        root: The id of the control that the operations are said of.
        operations: `[tree, op…]` as the client reads it. Only the tree, when nothing changed.
        added: Controls that came into the page, parents before children.
        removed: Controls that left it, children before parents.
        keep: To be called when the operations were packed.
        undo: To be called instead when they could not be packed.
        changed: The ids of the controls that were looked at, where that is known. After `undo`
            each may be drawn apart, so that one that cannot be packed keeps back no other.
    """

    root: int
    operations: list[Any] = field(default_factory=lambda: [[0]])
    added: list[BaseControl] = field(default_factory=list)
    removed: list[BaseControl] = field(default_factory=list)
    keep: Callable[[], None] = _nothing
    undo: Callable[[], None] = _nothing
    changed: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return len(self.operations) > 1
