"""A clock: a task of the page that runs until the page is gone.

Run it: flet-anyio run examples/clock.py --backend trio
"""

from datetime import datetime

import anyio
import flet as ft


def main(page: ft.Page) -> None:
    page.title = "Clock"
    page.theme = ft.Theme(color_scheme_seed=ft.Colors.INDIGO)
    page.theme_mode = ft.ThemeMode.LIGHT
    page.bgcolor = ft.Colors.SURFACE_CONTAINER
    page.vertical_alignment = ft.MainAxisAlignment.CENTER
    page.horizontal_alignment = ft.CrossAxisAlignment.CENTER

    time = ft.Text(size=72, weight=ft.FontWeight.W_500, color=ft.Colors.PRIMARY)
    date = ft.Text(size=18, color=ft.Colors.ON_SURFACE_VARIANT)
    seconds = ft.ProgressRing(
        width=420, height=420, stroke_width=14, bgcolor=ft.Colors.SURFACE_CONTAINER_HIGHEST
    )

    async def tick() -> None:
        while True:
            now = datetime.now()
            time.value = f"{now:%H:%M:%S}"
            date.value = f"{now:%A, %d %B %Y}"
            seconds.value = now.second / 60
            page.update()
            await anyio.sleep(1 - now.microsecond / 1_000_000)

    page.add(
        ft.Stack(
            alignment=ft.Alignment.CENTER,
            controls=[
                seconds,
                ft.Column(
                    [time, date],
                    tight=True,
                    horizontal_alignment=ft.CrossAxisAlignment.CENTER,
                ),
            ],
        )
    )
    page.run_task(tick)


if __name__ == "__main__":
    ft.run(main)
