from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft
import pytest
from anyio.lowlevel import checkpoint

from flet_anyio.testing import InProcess
from waiting import reached

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


def rendered(component: Callable[[], Any]) -> Callable[[ft.Page], None]:
    return lambda page: page.render(component)


@ft.component
def Counter() -> ft.Control:  # noqa: N802 - components are named like classes
    count, set_count = ft.use_state(0)
    return ft.Row(
        [
            ft.Text(f"count {count}"),
            ft.Button("+", on_click=lambda: set_count(lambda before: before + 1)),
        ]
    )


async def test_state_is_drawn_when_it_changes() -> None:
    async with InProcess(rendered(Counter)) as app, app.connect() as client:
        await client.see("count 0")
        for number in range(1, 4):
            await client.click("+")
            await client.see(f"count {number}")
        assert "count 2" not in client.texts


async def test_state_belongs_to_its_session() -> None:
    async with InProcess(rendered(Counter)) as app, app.connect() as a, app.connect() as b:
        await b.see("count 0")
        await a.click("+")
        await a.see("count 1")
        await b.click("+")
        await b.see("count 1")
        await b.click("+")
        await b.see("count 2")
        assert "count 1" in a.texts


async def test_an_async_handler_changes_state() -> None:
    @ft.component
    def App() -> ft.Control:  # noqa: N802
        text, set_text = ft.use_state("before")

        async def change() -> None:
            await checkpoint()
            set_text("between")
            await checkpoint()
            set_text("after")

        return ft.Button(text, on_click=change)

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await client.click("before")
        await client.see("after")


async def test_state_may_be_set_from_a_thread() -> None:
    @ft.component
    def App() -> ft.Control:  # noqa: N802
        text, set_text = ft.use_state("before")

        def change() -> None:
            ft.context.page.run_thread(lambda: set_text("by thread"))

        return ft.Button(text, on_click=change)

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await client.click("before")
        await client.see("by thread")


async def test_several_changes_of_one_handler_are_drawn_at_once() -> None:
    renders: list[tuple[int, int]] = []

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        a, set_a = ft.use_state(0)
        b, set_b = ft.use_state(0)
        renders.append((a, b))

        def change() -> None:
            set_a(1)
            set_b(2)

        return ft.Button(f"{a} {b}", on_click=change)

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await client.click("0 0")
        await client.see("1 2")
        assert renders == [(0, 0), (1, 2)]


async def test_only_the_component_that_changed_renders_again() -> None:
    renders: list[str] = []

    @ft.component
    def Part(name: str) -> ft.Control:  # noqa: N802
        on, set_on = ft.use_state(False)
        renders.append(name)
        return ft.Button(f"{name} {on}", on_click=lambda: set_on(True))

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        renders.append("app")
        return ft.Row([Part("a"), Part("b")])

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await client.see("a False", "b False")
        renders.clear()
        await client.click("a False")
        await client.see("a True", "b False")
        assert renders == ["a"]


# --- effects ----------------------------------------------------------------------------------


def toggling(child: Callable[[], Any]) -> Callable[[ft.Page], None]:
    """An app that mounts and unmounts a component."""

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        shown, set_shown = ft.use_state(True)
        toggle = ft.Button(f"shown {shown}", on_click=lambda: set_shown(not shown))
        return ft.Column([toggle, child()] if shown else [toggle])

    return rendered(App)


async def test_an_effect_runs_on_mount_and_its_cleanup_on_unmount() -> None:
    log: list[str] = []

    @ft.component
    def Child() -> ft.Control:  # noqa: N802
        ft.use_effect(lambda: log.append("mount"), [], cleanup=lambda: log.append("unmount"))
        return ft.Text("child")

    async with InProcess(toggling(Child)) as app, app.connect() as client:
        await reached(lambda: log == ["mount"])
        await client.click("shown True")
        await client.see_no("child")
        await reached(lambda: log == ["mount", "unmount"])
        await client.click("shown False")
        await client.see("child")
        await reached(lambda: log == ["mount", "unmount", "mount"])


async def test_an_effect_may_return_its_cleanup() -> None:
    log: list[str] = []

    @ft.component
    def Child() -> ft.Control:  # noqa: N802
        def setup() -> Callable[[], None]:
            log.append("mount")
            return lambda: log.append("unmount")

        ft.use_effect(setup, [])
        return ft.Text("child")

    async with InProcess(toggling(Child)) as app, app.connect() as client:
        await reached(lambda: log == ["mount"])
        await client.click("shown True")
        await reached(lambda: log == ["mount", "unmount"])


async def test_effects_follow_their_dependencies() -> None:
    log: list[str] = []

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        a, set_a = ft.use_state(0)
        b, set_b = ft.use_state(0)
        ft.use_effect(lambda: log.append("once"), [])
        ft.use_effect(lambda: log.append(f"a {a}"), [a], cleanup=lambda: log.append("cleanup of a"))
        ft.use_effect(lambda: log.append("always"))
        return ft.Row(
            [
                ft.Button(f"a {a}", on_click=lambda: set_a(a + 1)),
                ft.Button(f"b {b}", on_click=lambda: set_b(b + 1)),
            ]
        )

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await reached(lambda: log == ["once", "a 0", "always"])
        log.clear()
        await client.click("b 0")
        await client.see("b 1")
        await reached(lambda: log == ["always"])
        await client.click("a 0")
        await client.see("a 1")
        await reached(lambda: log == ["always", "cleanup of a", "a 1", "always"])


async def test_an_async_effect_runs_in_its_session() -> None:
    pages: list[ft.Page] = []

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        text, set_text = ft.use_state("before")

        async def load() -> None:
            await checkpoint()
            pages.append(ft.context.page)
            set_text("loaded")

        ft.use_effect(load, [])
        return ft.Text(text)

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await client.see("loaded")
        assert pages == [app.session.page]


async def test_an_async_effect_with_a_cleanup_is_cancelled_on_unmount() -> None:
    log: list[str] = []

    @ft.component
    def Child() -> ft.Control:  # noqa: N802
        async def work() -> None:
            log.append("works")
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                log.append("cancelled")
                raise

        async def cleanup() -> None:
            await checkpoint()
            log.append("cleaned up")

        ft.use_effect(work, [], cleanup=cleanup)
        return ft.Text("child")

    async with InProcess(toggling(Child)) as app, app.connect() as client:
        await reached(lambda: log == ["works"])
        await client.click("shown True")
        await reached(lambda: len(log) == 3)
        assert log[0] == "works"
        assert sorted(log[1:]) == ["cancelled", "cleaned up"]


async def test_an_effect_that_runs_again_cancels_its_former_run() -> None:
    log: list[str] = []

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        number, set_number = ft.use_state(0)

        async def work() -> None:
            log.append(f"{number} works")
            try:
                await anyio.sleep_forever()
            finally:
                log.append(f"{number} ends")

        ft.use_effect(work, [number])
        return ft.Button(str(number), on_click=lambda: set_number(number + 1))

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await reached(lambda: log == ["0 works"])
        await client.click("0")
        await client.see("1")
        await reached(lambda: len(log) == 3)
        assert sorted(log) == ["0 ends", "0 works", "1 works"]


async def test_async_effects_end_with_their_session() -> None:
    log: list[str] = []

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        async def work() -> None:
            log.append("works")
            try:
                await anyio.sleep_forever()
            finally:
                log.append("ends")

        ft.use_effect(work, [])
        return ft.Text("app")

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await reached(lambda: log == ["works"])
        app.session.close()
        await client.until(lambda: client.closed)
        assert log == ["works", "ends"]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_failing_effect_is_reported_and_later_ones_run(kind: str) -> None:
    log: list[str] = []

    def fail() -> None:
        raise LookupError("no effect")

    async def fail_async() -> None:
        raise LookupError("no effect")

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        ft.use_effect(fail if kind == "sync" else fail_async, [])
        ft.use_effect(lambda: log.append("ran"), [])
        return Counter()

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await client.until(lambda: client.errors)
        assert client.errors[0].startswith("no effect")
        await reached(lambda: log == ["ran"])
        await client.click("+")
        await client.see("count 1")


async def test_a_component_that_fails_to_render_is_reported_and_others_go_on() -> None:
    @ft.component
    def Fragile() -> ft.Control:  # noqa: N802
        broken, set_broken = ft.use_state(False)
        if broken:
            raise LookupError("cannot render")
        return ft.Button("break", on_click=lambda: set_broken(True))

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        return ft.Column([Fragile(), Counter()])

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await client.click("break")
        await client.until(lambda: client.errors)
        assert client.errors[0].startswith("cannot render")
        await client.click("+")
        await client.see("count 1")


# --- other hooks and observables --------------------------------------------------------------


async def test_refs_and_memos_last_from_render_to_render() -> None:
    computed: list[int] = []

    def square(number: int) -> int:
        computed.append(number)
        return number * number

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        number, set_number = ft.use_state(2)
        other, set_other = ft.use_state(0)
        renders = ft.use_ref(0)
        assert renders.current is not None
        renders.current += 1
        result = ft.use_memo(lambda: square(number), [number])
        return ft.Row(
            [
                ft.Text(f"render {renders.current}: {result} {other}"),
                ft.Button("number", on_click=lambda: set_number(3)),
                ft.Button("other", on_click=lambda: set_other(1)),
            ]
        )

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await client.see("render 1: 4 0")
        await client.click("other")
        await client.see("render 2: 4 1")
        await client.click("number")
        await client.see("render 3: 9 1")
        assert computed == [2, 3]


@ft.observable
@dataclass
class Person:
    name: str
    tags: list[str]


def ann() -> Any:
    return Person("Ann", [])


async def test_changes_of_an_observable_are_drawn() -> None:
    @ft.component
    def App() -> ft.Control:  # noqa: N802
        person, _ = ft.use_state(ann)

        def rename() -> None:
            person.name = "Bob"

        return ft.Row(
            [
                ft.Text(f"{person.name} {list(person.tags)}"),
                ft.Button("rename", on_click=rename),
                ft.Button("tag", on_click=lambda: person.tags.append("new")),
            ]
        )

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await client.see("Ann []")
        await client.click("rename")
        await client.see("Bob []")
        await client.click("tag")
        await client.see("Bob ['new']")


async def test_an_observable_argument_draws_the_components_that_use_it() -> None:
    @ft.component
    def Greeting(person: Person) -> ft.Control:  # noqa: N802
        return ft.Text(f"Hello {person.name}")

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        person, _ = ft.use_state(ann)

        async def rename() -> None:
            await checkpoint()
            person.name = "Bob"

        return ft.Column([Greeting(person), ft.Button("rename", on_click=rename)])

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await client.see("Hello Ann")
        await client.click("rename")
        await client.see("Hello Bob")


async def test_rows_with_keys_come_go_and_keep_their_state() -> None:
    mounted: list[str] = []

    @ft.component
    def Item(name: str) -> ft.Control:  # noqa: N802
        clicks, set_clicks = ft.use_state(0)
        ft.use_effect(lambda: mounted.append(name), [], cleanup=lambda: mounted.remove(name))
        return ft.Button(f"{name} {clicks}", on_click=lambda: set_clicks(clicks + 1))

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        names, set_names = ft.use_state(["a", "b", "c"])
        actions: dict[str, Callable[[], None]] = {
            "first": lambda: set_names(["new", *names]),
            "drop b": lambda: set_names([name for name in names if name != "b"]),
            "reverse": lambda: set_names(names[::-1]),
        }
        return ft.Column(
            [
                ft.Row([ft.Button(text, on_click=act) for text, act in actions.items()]),
                ft.Column([Item(name, key=name) for name in names]),  # type: ignore[call-arg]
            ]
        )

    async with InProcess(rendered(App)) as app, app.connect() as client:
        await client.see("a 0", "b 0", "c 0")
        await client.click("c 0")
        await client.see("c 1")
        await client.click("first")
        await client.see("new 0")
        assert client.texts[3:] == ["new 0", "a 0", "b 0", "c 1"]
        await client.click("drop b")
        await client.see_no("b 0")
        assert client.texts[3:] == ["new 0", "a 0", "c 1"]
        await client.click("reverse")
        await client.until(lambda: client.texts[3:] == ["c 1", "a 0", "new 0"])
        await client.click("c 1")
        await client.see("c 2")
        await reached(lambda: sorted(mounted) == ["a", "c", "new"])


async def test_views_are_rendered_from_components() -> None:
    @ft.component
    def App() -> list[ft.View]:  # noqa: N802
        deep, set_deep = ft.use_state(False)
        first = ft.View(route="/", controls=[ft.Button("deeper", on_click=lambda: set_deep(True))])
        return [first, ft.View(route="/deep", controls=[ft.Text("deep")])] if deep else [first]

    async with InProcess(lambda page: page.render_views(App)) as app, app.connect() as client:
        await client.click("deeper")
        await client.see("deep")


async def test_a_client_that_comes_back_sees_what_components_drew_meanwhile() -> None:
    setters: list[Callable[[str], None]] = []

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        text, set_text = ft.use_state("before")
        setters.append(set_text)
        return ft.Text(text)

    async def change() -> None:
        setters[-1]("while away")

    async with InProcess(rendered(App)) as app:
        async with app.connect() as client:
            await client.see("before")
        session = app.session
        await reached(lambda: not session.attached)
        session.page.run_task(change)
        await reached(lambda: len(setters) == 2)
        async with app.connect(after=client) as back:
            await back.see("while away")


# --- state that sessions share ----------------------------------------------------------------


async def test_what_one_session_changes_is_drawn_in_all_that_observe_it() -> None:
    @ft.observable
    class Shared:
        def __init__(self) -> None:
            self.count = 0

    shared = Shared()
    drawn_in: list[tuple[ft.Page, ft.Page]] = []

    def main(page: ft.Page) -> None:
        @ft.component
        def counter() -> ft.Control:
            state, _ = ft.use_state(shared)
            drawn_in.append((page, ft.context.page))

            def add() -> None:
                state.count += 1

            return ft.Column([ft.Text(f"shared {state.count}"), ft.Button("+", on_click=add)])

        page.render(counter)

    async with InProcess(main) as app, app.connect() as a, app.connect() as b:
        await a.see("shared 0")
        await b.see("shared 0")
        await a.click("+")
        await a.see("shared 1")
        await b.see("shared 1")
        await b.click("+")
        await a.see("shared 2")
        await b.see("shared 2")
        assert all(its_own is current for its_own, current in drawn_in)
