"""What components make, drawn by each renderer: trees made anew for each drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flet as ft
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from render.test_differential import EFFORT
from render.worlds import World, noting_hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flet_anyio.render import RendererName

Made = tuple[str, Any, str | None]
"""What is made, of what, and its key."""

keys = st.none() | st.sampled_from("abcd")
leaves = st.tuples(st.sampled_from(["text", "button"]), st.integers(0, 3), keys)


def _inner(made: st.SearchStrategy[Made]) -> st.SearchStrategy[Made]:
    several = st.lists(made, max_size=4)
    return st.tuples(st.sampled_from(["column", "stack"]), several, keys) | st.tuples(
        st.sampled_from(["container", "component", "memo"]), made, keys
    )


trees: st.SearchStrategy[Made] = st.recursive(leaves, _inner, max_leaves=8)


def build(made: Made) -> Any:
    kind, what, key = made
    match kind:
        case "text":
            return ft.Text(f"text {what}", size=what, key=key, data="text")
        case "button":
            style = ft.ButtonStyle(color={ft.ControlState.HOVERED: "red"}, elevation=what)
            return ft.Button(f"press {what}", style=style, key=key, data="button")
        case "column":
            return ft.Column(several(what), spacing=len(what), key=key, data="column")
        case "stack":
            return ft.Stack(several(what), key=key, data="stack")
        case "container":
            border = ft.Border.all(1) if what[0] == "text" else None
            return ft.Container(build(what), border=border, key=key, data="container")
        case "component":
            return inner(what, key=key)  # type: ignore[call-arg]
    return remembered(what, key=key)


def several(made: list[Made]) -> list[Any]:
    """Controls with different keys, as flet wants them."""
    used: set[str] = set()
    found = []
    for kind, what, key in made:
        found.append(build((kind, what, None if key in used else key)))
        used |= {key} if key else set()
    return found


@ft.component
def inner(made: Made) -> Any:
    count, _ = ft.use_state(0)
    return ft.Column([ft.Text(f"{count}", data="count"), build(made)], data="inner")


@ft.memo  # type: ignore[untyped-decorator]
@ft.component
def remembered(made: Made) -> Any:
    return ft.Container(build(made), data="memo")


class Rendered:
    """A component whose state is what it shows."""

    def __init__(self, renderer: RendererName, made: Made) -> None:
        self.world = World(renderer)
        self.world.begin()
        self.show: Any = None

        @ft.component
        def root() -> Any:
            shown, self.show = ft.use_state(made)
            return ft.Column([build(shown), ft.Text("below", data="below")], data="root")

        with self.world.active():
            self.world.page.render(root)

    def change(self, made: Made) -> None:
        with self.world.active():
            self.show(made)
            self.world.run_updates()


@pytest.fixture(autouse=True)
def hooks() -> Iterator[None]:
    with noting_hooks():
        yield


@settings(max_examples=100 * EFFORT)
@given(trees, st.lists(trees, min_size=1, max_size=5))
def test_what_components_make_is_drawn(first: Made, changes: list[Made]) -> None:
    ours, flets = Rendered("tracked", first), Rendered("flet", first)
    alike = True
    for made in (first, *changes):
        ours.change(made)
        wrong = ours.world.wrong() or ours.world.wrong_tree()
        assert not wrong, wrong
        try:
            flets.change(made)
        except (LookupError, AssertionError):
            alike = False
        alike = alike and not (flets.world.wrong() or flets.world.wrong_tree())
        if alike:
            assert sorted(ours.world.hooks, key=str) == sorted(flets.world.hooks, key=str)
