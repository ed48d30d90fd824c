"""The pages of `apps.py` that clicks are measured on, written for NiceGUI, which this needs."""

from __future__ import annotations

import importlib
from typing import Any

from fastapi import FastAPI

__all__ = ["app"]

ui: Any = importlib.import_module("nicegui").ui


def app() -> FastAPI:
    """Mounted into FastAPI, with all of NiceGUI's defaults."""
    served = FastAPI()
    ui.page("/")(page)
    ui.page("/rows/{size}")(page)
    ui.run_with(served)
    return served


def page(size: int = 0) -> None:
    count = ui.label("0")

    def plus() -> None:
        count.text = str(int(count.text) + 1)

    async def plus_async() -> None:
        plus()

    ui.label("")
    ui.button("+", on_click=plus)
    ui.button("async", on_click=plus_async)
    with ui.column():
        for number in range(size):
            row(number)
    ui.label("")


def row(number: int) -> None:
    with ui.row():
        ui.label(f"row {number}")
        ui.button(f"open {number}")
