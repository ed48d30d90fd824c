"""A page as a part of a trio program: it shows what another task of the program measures.

Run it: python examples/embedded.py
"""

import signal
from collections import deque
from functools import partial

import flet as ft
import trio

import flet_anyio

INTERVAL = 0.1
BARS = 60


class Lateness:
    """Measures how late trio wakes up a task that sleeps, in milliseconds."""

    def __init__(self) -> None:
        self.values = deque([0.0] * BARS, maxlen=BARS)
        self.measured = trio.Event()

    async def measure(self) -> None:
        while True:
            due = trio.current_time() + INTERVAL
            await trio.sleep_until(due)
            self.values.append((trio.current_time() - due) * 1000)
            # Wakes everybody who waits; who waits from now on, waits for the next value.
            self.measured.set()
            self.measured = trio.Event()

    def show(self, page: ft.Page) -> None:
        """The page: a Flet app like any other."""
        page.title = "Lateness"
        page.theme = ft.Theme(color_scheme_seed=ft.Colors.INDIGO)
        page.theme_mode = ft.ThemeMode.LIGHT
        page.bgcolor = ft.Colors.SURFACE_CONTAINER
        page.vertical_alignment = ft.MainAxisAlignment.CENTER
        page.horizontal_alignment = ft.CrossAxisAlignment.CENTER

        async def follow() -> None:
            while True:
                await self.measured.wait()
                latest.value = f"{self.values[-1]:.2f} ms"
                worst = max(*self.values, 1.0)
                for bar, value in zip(bars, self.values, strict=True):
                    bar.height = 2 + 198 * value / worst
                page.update()

        latest = ft.Text("…", size=56, weight=ft.FontWeight.W_500, color=ft.Colors.PRIMARY)
        bars = [
            ft.Container(width=6, height=2, border_radius=3, bgcolor=ft.Colors.PRIMARY)
            for _ in range(BARS)
        ]
        page.add(
            ft.Container(
                bgcolor=ft.Colors.SURFACE,
                border_radius=28,
                padding=40,
                content=ft.Column(
                    tight=True,
                    controls=[
                        ft.Text("A sleeping task woke up late by"),
                        latest,
                        ft.Row(
                            [*bars],
                            tight=True,
                            spacing=3,
                            height=200,
                            vertical_alignment=ft.CrossAxisAlignment.END,
                        ),
                    ],
                ),
            )
        )
        page.run_task(follow)


async def program(
    port: int = 8000, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    lateness = Lateness()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lateness.measure)
        serve = partial(flet_anyio.serve, lateness.show, port=port)
        url: str = await nursery.start(serve)
        task_status.started(url)


async def main() -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            url = await nursery.start(program)
            print(f"Serving on {url} (Ctrl+C stops)")
            await anext(aiter(signals))
            # Ends the sessions, then the server, then the measuring.
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
