"""A list of things to do, written as components: what is shown follows from the state.

Run it: flet-anyio run examples/todo.py --backend trio
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import flet as ft


@dataclass(frozen=True)
class Task:
    title: str
    done: bool = False


FILTERS: dict[str, Callable[[Task], bool]] = {
    "All": lambda task: True,
    "Active": lambda task: not task.done,
    "Done": lambda task: task.done,
}


@ft.component
def Todo() -> ft.Control:
    tasks, set_tasks = ft.use_state(list[Task]())
    title, set_title = ft.use_state("")
    shown, set_shown = ft.use_state("All")

    async def add(e: ft.Event[ft.TextField]) -> None:
        if entered := e.control.value.strip():
            set_tasks([*tasks, Task(entered)])
            set_title("")
        await e.control.focus()

    def toggle(task: Task) -> None:
        set_tasks([replace(t, done=not t.done) if t is task else t for t in tasks])

    def remove(task: Task) -> None:
        set_tasks([t for t in tasks if t is not task])

    left = sum(not task.done for task in tasks)
    return ft.Container(
        bgcolor=ft.Colors.SURFACE,
        border_radius=28,
        padding=32,
        width=560,
        content=ft.Column(
            tight=True,
            spacing=16,
            horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
            controls=[
                ft.Text("To do", size=32, weight=ft.FontWeight.W_500, color=ft.Colors.PRIMARY),
                ft.TextField(
                    hint_text="What needs to be done?",
                    value=title,
                    autofocus=True,
                    border=ft.OutlineInputBorder(border_radius=16),
                    on_change=lambda e: set_title(e.control.value),
                    on_submit=add,
                ),
                ft.Column(
                    height=260,
                    scroll=ft.ScrollMode.AUTO,
                    spacing=4,
                    controls=[
                        TaskRow(task, toggle, remove) for task in tasks if FILTERS[shown](task)
                    ],
                ),
                ft.Row(
                    alignment=ft.MainAxisAlignment.SPACE_BETWEEN,
                    controls=[
                        ft.Text(f"{left} left", color=ft.Colors.ON_SURFACE_VARIANT),
                        ft.SegmentedButton(
                            segments=[ft.Segment(value=name, label=name) for name in FILTERS],
                            selected=[shown],
                            show_selected_icon=False,
                            on_change=lambda e: set_shown(e.control.selected[0]),
                        ),
                    ],
                ),
            ],
        ),
    )


@ft.component
def TaskRow(
    task: Task, toggle: Callable[[Task], None], remove: Callable[[Task], None]
) -> ft.Control:
    return ft.Row(
        alignment=ft.MainAxisAlignment.SPACE_BETWEEN,
        controls=[
            ft.Checkbox(
                label=task.title,
                value=task.done,
                label_style=ft.TextStyle(
                    size=16,
                    color=ft.Colors.OUTLINE if task.done else ft.Colors.ON_SURFACE,
                    decoration=ft.TextDecoration.LINE_THROUGH if task.done else None,
                ),
                on_change=lambda: toggle(task),
            ),
            ft.IconButton(ft.Icons.CLOSE, tooltip="Remove", on_click=lambda: remove(task)),
        ],
    )


def main(page: ft.Page) -> None:
    page.title = "To do"
    page.theme = ft.Theme(color_scheme_seed=ft.Colors.INDIGO)
    page.theme_mode = ft.ThemeMode.LIGHT
    page.bgcolor = ft.Colors.SURFACE_CONTAINER
    page.vertical_alignment = ft.MainAxisAlignment.CENTER
    page.horizontal_alignment = ft.CrossAxisAlignment.CENTER
    page.render(Todo)


if __name__ == "__main__":
    ft.run(main)
