"""The apps that are measured: plain Flet, so that any server on any backend can serve them.

`main` chooses by route: "/" is small, "/rows/N" has N rows, "/deep" nests, "/list" is declarative.
"""

from __future__ import annotations

from typing import Any

import flet as ft

__all__ = ["main"]

DEPTH = 60
EDITED_ROWS = 1_000


def main(page: ft.Page) -> None:
    _, name, *rest = f"{page.route}/".split("/")
    if name == "list":
        page.render(Numbers, int(rest[0]))
        return
    _Page(page).build(name, rest)


class _Page:
    def __init__(self, page: ft.Page) -> None:
        self.page = page
        self.count = ft.Text("0", key="count")
        self.heard = ft.Text("", key="heard")
        self.inner = ft.Text("0")
        self.rows = ft.Column()
        self.said = 0

    def build(self, name: str, rest: list[str]) -> None:
        if name in ("rows", "edit"):
            self.rows.controls = [row(number) for number in range(int(rest[0]))]
        if name == "deep":
            self.rows.controls = [nested(self.inner, DEPTH)]
        self.page.add(
            self.count,
            self.heard,
            ft.Button("+", on_click=self.plus, key="plus"),
            ft.Button("async", on_click=self.plus_async, key="async"),
            *(self.more() if name in ("edit", "deep", "talk", "field") else ()),
            self.rows,
            ft.Text("", key="done"),
        )

    def more(self) -> list[ft.Control]:
        return [
            ft.Button("join", on_click=self.join, key="join"),
            ft.Button("say", on_click=self.say, key="say"),
            ft.Button("inner", on_click=self.plus_inner, key="inner"),
            ft.Button("edit", on_click=self.edit, key="edit"),
            ft.Button("move", on_click=self.move, key="move"),
            ft.TextField(key="field", on_change=self.typed),
        ]

    def plus(self) -> None:
        self.count.value = str(int(self.count.value) + 1)

    async def plus_async(self) -> None:
        self.plus()

    def plus_inner(self) -> None:
        self.inner.value = str(int(self.inner.value) + 1)

    def edit(self) -> None:
        """Append a row, and remove it the next time."""
        rows = self.rows.controls
        if len(rows) > EDITED_ROWS:
            rows.pop()
        else:
            rows.append(row(len(rows)))

    def move(self) -> None:
        rows = self.rows.controls
        rows.insert(len(rows) - 100, rows.pop(5))

    def typed(self, event: Any) -> None:
        self.heard.value = event.control.value

    def join(self) -> None:
        self.page.pubsub.subscribe(self.hear)

    def hear(self, message: str) -> None:
        self.heard.value = message
        self.page.update()

    def say(self) -> None:
        self.said += 1
        self.page.pubsub.send_all(f"hello {self.said}")


def row(number: int) -> ft.Row:
    """Three controls."""
    return ft.Row([ft.Text(f"row {number}"), ft.Button(f"open {number}")])


def nested(control: ft.Control, depth: int) -> ft.Control:
    for _ in range(depth):
        control = ft.Container(content=control)
    return control


@ft.component
def Number(place: int) -> ft.Control:  # noqa: N802 - components are named as classes
    number, set_number = ft.use_state(0)
    key = "plus" if place == 0 else None
    return ft.Row(
        [ft.Text(str(number)), ft.Button("+", key=key, on_click=lambda: set_number(number + 1))]
    )


@ft.component
def Numbers(size: int) -> ft.Control:  # noqa: N802
    numbers = [Number(place) for place in range(size)]
    return ft.Column([*numbers, ft.Text("", key="done")])
