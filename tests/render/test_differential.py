"""What the tracked renderer draws is what is there, whatever an app does, and as flet draws it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from render.edit_programs import STEPS, App, Island, Step
from render.worlds import World, noting_hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = bool(os.environ.get("FLET_ANYIO_LONG"))
EFFORT = 100 if LONG else 1

differential = settings(
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)

numbers = st.integers(0, 59)


def programs(*names: str, most: int = 25) -> st.SearchStrategy[list[Step]]:
    steps = st.tuples(st.sampled_from(names or STEPS), numbers, numbers, numbers)
    return st.lists(steps, min_size=1, max_size=most)


class Pair:
    """The same app in two worlds."""

    def __init__(self) -> None:
        self.ours = App(World("tracked"))
        self.flets = App(World("flet"))
        self.alike = True

    def begin(self, steps: list[Step]) -> None:
        for step in steps:
            self.step(step)
        self.step(("mend", 0, 0, 0))
        for app in (self.ours, self.flets):
            app.world.begin()
        self.check()

    def step(self, step: Step) -> None:
        outcome = self.ours.run(step)
        try:
            flets = self.flets.run(step)
        except (LookupError, AssertionError):
            flets = "lost"
        if self.alike and flets != outcome:
            self.alike = False
            if flets != "lost":
                assert outcome == flets, f"{step[0]}: {outcome!r}, in flet {flets!r}"
        if step[0] == "update":
            self.check_all(outcome)

    def check_all(self, outcome: str) -> None:
        if outcome:
            self.alike = False  # Flet forgets changes then.
            return
        islands = len(self.ours.islands())
        if islands:
            wrong = self.ours.world.wrong(but=lambda control: isinstance(control, Island))
            assert not wrong, wrong
        for number in range(islands):
            self._update_island(self.ours, number)
            try:
                self._update_island(self.flets, number)
            except (LookupError, RuntimeError, AssertionError):
                self.alike = False
        self.check()

    def _update_island(self, app: App, number: int) -> None:
        with app.world.active():
            app.islands()[number].update()

    def check(self) -> None:
        ours, flets = self.ours.world, self.flets.world
        wrong = ours.wrong() or ours.wrong_tree()
        assert not wrong, wrong
        self.alike = self.alike and not (flets.wrong() or flets.wrong_tree())
        if self.alike:
            # Flet has an order, too, between controls of different lists: nobody can rely on it.
            assert sorted(ours.hooks) == sorted(flets.hooks), f"{ours.hooks}, flet {flets.hooks}"
        for world in (ours, flets):
            world.hooks.clear()


@pytest.fixture(autouse=True)
def hooks() -> Iterator[None]:
    with noting_hooks():
        yield


@settings(differential, max_examples=300 * EFFORT)
@given(programs(most=12), programs(*STEPS, *(["update"] * 8)))
def test_random_programs(before: list[Step], steps: list[Step]) -> None:
    pair = Pair()
    pair.begin([step for step in before if "update" not in step[0] and "dialog" not in step[0]])
    for step in steps:
        pair.step(step)
    pair.step(("mend", 0, 0, 0))
    pair.step(("update", 0, 0, 0))
