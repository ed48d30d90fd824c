"""What draws a page, and how one is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from .engine import TrackedRenderer
from .flet_renderer import FletRenderer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from flet import Page
    from flet.controls.base_control import BaseControl

    from .patch import Patch

__all__ = ["Renderer", "RendererName", "make_renderer"]

RendererName: TypeAlias = Literal["tracked", "flet"]


class Renderer(Protocol):
    """Finds what changed in one page. One update at a time; each patch is kept or undone."""

    @property
    def first_time(self) -> Callable[[Any], Any]:
        """Encodes controls that the client is sent for the first time."""

    @property
    def as_sent(self) -> Callable[[Any], Any]:
        """Encodes controls for a client that is to see what was drawn last."""

    def draw(self) -> Patch:
        """Set up the whole page, which was not drawn before. The client is to be sent it whole."""

    def update(self, control: BaseControl) -> Patch:
        """Find what was changed in a control and all below it."""

    def update_apart(self, control_ids: Iterable[int]) -> Iterator[Patch]:
        """Draw each of these controls for itself, after an update of all that was undone."""

    def reconcile(
        self, new: Any, old: Any, *, parent: BaseControl | None, path: list[Any], frozen: bool
    ) -> Patch:
        """Compare what a component has made with what it made before."""

    def renamed(self, control: BaseControl, before: int) -> None:
        """A control has another id than before."""


def make_renderer(name: RendererName, page: Page, mounted: Mapping[int, BaseControl]) -> Renderer:
    """Return a renderer for a page that was not drawn yet.

    `mounted` finds the controls in the page by id; whoever draws keeps it up to date.
    """
    return TrackedRenderer(page, mounted) if name == "tracked" else FletRenderer(page, mounted)
