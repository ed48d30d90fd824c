"""Draws a page by flet's own differ, which compares all of it for every update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flet.controls.base_control import BaseControl
from flet.controls.object_patch import ObjectPatch

from .encoder import by_flet
from .patch import Patch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flet import Page

__all__ = ["FletRenderer"]


class FletRenderer:
    """What `TrackedRenderer` does, as upstream does it: to compare with, and to fall back to.

    The snapshots that flet's differ compares with are written when an update is packed: pack
    every patch, even one that is not sent.
    """

    first_time = staticmethod(by_flet)
    as_sent = staticmethod(by_flet)

    def __init__(self, page: Page, mounted: Mapping[int, BaseControl]) -> None:
        self._page = page

    def draw(self) -> Patch:
        """Set up the whole page, which was not drawn before. The client is to be sent it whole."""
        _, added, _ = ObjectPatch.from_diff(None, self._page, control_cls=BaseControl)
        return Patch(self._page._i, added=added)

    def update(self, control: BaseControl) -> Patch:
        """Find what was changed in a control and all below it.

        Raises:
            Exception: Whatever `before_update` or `validate` of a control raises.
        """
        return self._diff(control._i, control, control)

    def update_apart(self, control_ids: Iterable[int]) -> Iterator[Patch]:
        """Flet knows nothing of an update that failed: there is nothing to draw."""
        return iter(())

    def reconcile(
        self, new: Any, old: Any, *, parent: BaseControl | None, path: list[Any], frozen: bool
    ) -> Patch:
        """Compare what a component has made with what it made before."""
        root = new._i if parent is None else parent._i
        return self._diff(root, new, old, parent=parent, path=path, frozen=frozen)

    def renamed(self, control: BaseControl, before: int) -> None:
        """A control has another id than before."""

    def _diff(self, root: int, new: Any, old: Any, **how: Any) -> Patch:
        patch, added, removed = ObjectPatch.from_diff(old, new, control_cls=BaseControl, **how)
        return Patch(root, patch.to_message(), added, removed)
