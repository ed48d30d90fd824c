"""Two apps below one host, with either kind of routes: `routes_app.py BACKEND PORT` serves them.

A page says at which route it is; its button goes on to another one.
"""

from __future__ import annotations

import sys
from typing import Any

import flet as ft
from starlette.applications import Starlette
from starlette.routing import Mount

import flet_anyio


def main(page: ft.Page) -> None:
    def show() -> None:
        where.value = f"route:{page.route}"
        page.update()

    async def go_on() -> None:
        await page.push_route("/item/2")

    where = ft.Text()
    page.on_route_change = show
    page.add(where, ft.Text(f"name:{page.name}"), ft.Button("go on", on_click=go_on))
    show()


site = Starlette(
    routes=[
        Mount("/dash", flet_anyio.app(main)),
        Mount("/shop/desk", flet_anyio.app(main, route_url_strategy="hash")),
    ]
)

if __name__ == "__main__":
    backend: Any = sys.argv[1]
    flet_anyio.run(site, backend=backend, port=int(sys.argv[2]))
