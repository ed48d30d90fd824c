from __future__ import annotations

import flet as ft
import pytest

from flet_anyio.testing import InProcess

pytestmark = pytest.mark.anyio


async def test_a_click_reaches_its_handler_and_the_screen() -> None:
    def main(page: ft.Page) -> None:
        count = ft.Text("0")

        def add() -> None:
            count.value = str(int(count.value) + 1)

        page.add(count, ft.Button("+", on_click=add))

    async with InProcess(main) as app, app.connect() as client:
        await client.click("+")
        await client.see("1")
        await client.click("+")
        await client.see("2")
