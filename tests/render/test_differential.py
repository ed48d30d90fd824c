"""What the tracked renderer draws is what is there, whatever an app does, and as flet draws it."""

from __future__ import annotations

import gc
import os
import threading
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import flet as ft
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from render.edit_programs import STEPS, App, Island, Step
from render.worlds import World, controls_below, differences, noting_hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

LONG = bool(os.environ.get("FLET_ANYIO_LONG"))
EFFORT = 100 if LONG else 1

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


FAILING = ("break",)
"""Steps after which updates may raise."""
PARTLY = ("update_one", "dialog", "pop_dialog", "forget_dialog")
"""Steps that update a part of the page."""
OUTSIDE = ("update", *FAILING, *PARTLY)
WHOLE = [name for name in STEPS if name not in (*FAILING, *PARTLY)]
UPDATES = ["update"] * 8

starts = st.lists(
    st.tuples(st.sampled_from([n for n in STEPS if n not in OUTSIDE]), numbers, numbers, numbers),
    max_size=12,
)


def run(before: list[Step], steps: list[Step]) -> None:
    pair = Pair()
    pair.begin(before)
    for step in steps:
        pair.step(step)
    pair.step(("mend", 0, 0, 0))
    pair.step(("update", 0, 0, 0))


@settings(max_examples=300 * EFFORT)
@given(starts, programs(*WHOLE, *UPDATES))
def test_updates_of_the_page(before: list[Step], steps: list[Step]) -> None:
    run(before, steps)


@settings(max_examples=150 * EFFORT)
@given(starts, programs(*WHOLE, *UPDATES, *(PARTLY * 3)))
def test_updates_of_parts_of_it(before: list[Step], steps: list[Step]) -> None:
    run(before, steps)


@settings(max_examples=100 * EFFORT)
@given(starts, programs(*WHOLE, *UPDATES, *(FAILING * 4), *(["mend"] * 4)))
def test_updates_that_fail(before: list[Step], steps: list[Step]) -> None:
    run([("insert_new", 0, 11, 0), *before], steps)


@settings(max_examples=150 * EFFORT)
@given(starts, programs("share", "mutate", "set", "set_and_back", "replace_by_copy", "update"))
def test_values_that_several_controls_have(before: list[Step], steps: list[Step]) -> None:
    run([("extend", 0, 3, 0), ("append_new", 0, 4, 0), ("append_new", 0, 5, 0), *before], steps)


@settings(max_examples=60 * EFFORT)
@given(starts, programs("set", "mutate", "append_new", "pop", "single_new", most=12), numbers)
def test_only_what_is_below_is_sent(before: list[Step], steps: list[Step], which: int) -> None:
    app = App(World("tracked"))
    for step in [("append_new", 0, 3, 0), ("append_new", 0, 4, 0), *before]:
        app.run(step)
    app.world.begin()
    shown = [one for one, _ in controls_below(app.page)]
    for step in steps:
        app.run(step)
    one = shown[which % len(shown)]
    left = all(one is not other for other, _ in controls_below(app.page))
    if left or isinstance(one, Island | ft.Page | ft.Window):
        return
    outside = outside_of(app.world.client.root, one._i)
    with app.world.active():
        one.update()
    assert outside_of(app.world.client.root, one._i) == outside
    held = app.world.client.by_id(one._i)
    assert held is not None
    wrong = list(differences(held.fields, one, but=lambda inner: isinstance(inner, Island)))
    assert not wrong, wrong


def outside_of(held: Any, control_id: int) -> Any:
    """A client's page without what is in a control, and without its marks."""
    if isinstance(held, list):
        return [outside_of(one, control_id) for one in held]
    if not isinstance(held, dict):
        return held
    if held.get("_i") == control_id:
        return control_id
    if held.get("_c") == "Window":
        return None
    return {name: outside_of(one, control_id) for name, one in held.items()}


def test_threads_that_change_while_the_page_is_drawn() -> None:
    app = App(World("tracked"))
    rows = [
        app.made(ft.Column([ft.Text(str(n)), ft.Container(ft.Text("in it"))])) for n in range(8)
    ]
    app.page.controls.extend(rows)
    app.world.begin()
    stop = threading.Event()
    threads = [threading.Thread(target=change_until, args=(row, stop)) for row in rows]
    for thread in threads:
        thread.start()
    with app.world.active():
        until = time.monotonic() + (5 if LONG else 0.5)
        while time.monotonic() < until:
            app.page.update()
        stop.set()
        for thread in threads:
            thread.join()
        app.page.update()
    wrong = app.world.wrong() or app.world.wrong_tree()
    assert not wrong, wrong


def change_until(row: Any, stop: threading.Event) -> None:
    text, box = row.controls
    for number in count():
        if stop.is_set():
            return
        text.value = str(number)
        text.style = ft.TextStyle(size=number)
        text.style.weight = "bold"
        row.controls.append(ft.Text(f"one of {number}"))
        if len(row.controls) > 5:
            row.controls.pop(2)
        row.controls[2:] = row.controls[:1:-1]
        box.content = ft.Text(f"new {number}") if number % 2 else None
        box.shadow = [ft.BoxShadow(blur_radius=number)]
        box.shadow.append(ft.BoxShadow())


def test_services_come_and_go() -> None:
    app = App(World("tracked"))
    app.world.begin()
    with app.world.active():
        clipboard, battery = ft.Clipboard(), ft.Battery()
        app.page.update()
        assert not app.world.wrong()
        assert not app.world.wrong_tree()
        assert len(app.page._services._services) == 2
        battery_id = battery._i
        del battery
        gc.collect()
        app.page._services.unregister_services()
    assert [one._i for one in app.page._services._services] == [clipboard._i]
    assert app.world.client.by_id(battery_id) is None
    assert not app.world.wrong()
    assert not app.world.wrong_tree()
