"""A Flet app mounted in FastAPI: votes come from its buttons, and over HTTP from anywhere.

Run it: hypercorn examples.with_fastapi:api -k trio, or python examples/with_fastapi.py.
The page is at /dash/. To vote from elsewhere: curl -X POST localhost:8000/votes/tea
"""

from functools import partial

import anyio
import flet as ft
from fastapi import FastAPI, HTTPException

import flet_anyio


class Votes:
    def __init__(self, *choices: str) -> None:
        self.counts = dict.fromkeys(choices, 0)
        self.changed = anyio.Event()

    def add(self, choice: str) -> None:
        self.counts[choice] += 1
        self.changed.set()
        self.changed = anyio.Event()


votes = Votes("tea", "coffee", "water")
api = FastAPI(title="Votes")


@api.get("/votes")
async def read() -> dict[str, int]:
    return votes.counts


@api.post("/votes/{choice}")
async def vote(choice: str) -> dict[str, int]:
    if choice not in votes.counts:
        raise HTTPException(404, f"Nobody can vote for {choice}")
    votes.add(choice)
    return votes.counts


def main(page: ft.Page) -> None:
    page.title = "Votes"
    page.theme = ft.Theme(color_scheme_seed=ft.Colors.INDIGO)
    page.theme_mode = ft.ThemeMode.LIGHT
    page.bgcolor = ft.Colors.SURFACE_CONTAINER
    page.vertical_alignment = ft.MainAxisAlignment.CENTER
    page.horizontal_alignment = ft.CrossAxisAlignment.CENTER

    def show() -> None:
        most = max(*votes.counts.values(), 1)
        for choice, count in votes.counts.items():
            totals[choice].value = str(count)
            bars[choice].value = count / most

    async def follow() -> None:
        while True:
            await votes.changed.wait()
            show()
            page.update()

    totals = {choice: ft.Text(width=40) for choice in votes.counts}
    bars = {
        choice: ft.ProgressBar(bar_height=16, border_radius=8, expand=True)
        for choice in votes.counts
    }
    rows: list[ft.Control] = [
        ft.Row(
            spacing=20,
            controls=[
                ft.FilledTonalButton(
                    choice.title(), width=120, height=48, on_click=partial(votes.add, choice)
                ),
                bars[choice],
                totals[choice],
            ],
        )
        for choice in votes.counts
    ]
    show()
    page.add(
        ft.Container(
            bgcolor=ft.Colors.SURFACE,
            border_radius=28,
            padding=40,
            width=600,
            content=ft.Column(
                tight=True,
                spacing=20,
                controls=[
                    ft.Text(
                        "What shall we drink?",
                        size=32,
                        weight=ft.FontWeight.W_500,
                        color=ft.Colors.PRIMARY,
                    ),
                    *rows,
                ],
            ),
        )
    )
    page.run_task(follow)


api.mount("/dash", flet_anyio.app(main))

if __name__ == "__main__":
    flet_anyio.run(api, backend="trio")
