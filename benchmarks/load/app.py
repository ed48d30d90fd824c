"""The app that is loaded and attacked: plain Flet, but for what counts and ends its sessions.

At "/attack" it has what attackers want; everywhere else it is the app of the other benchmarks.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import flet as ft

from benchmarks import apps

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["MUCH", "main", "ours"]

MUCH = 50_000
"""Characters that a click on "much" has the server send."""
_PAUSE = 0.02


def main(page: ft.Page) -> None:
    if page.route == "/attack":
        _Attacked(page).build()
    else:
        apps.main(page)


class _Attacked:
    def __init__(self, page: ft.Page) -> None:
        self.page = page
        self.count = ft.Text("0", key="count")
        self.text = ft.Text("", key="text")
        self.field = ft.TextField(key="field")
        self.said = self.uploads = 0

    def build(self) -> None:
        self.page.add(
            self.count,
            self.text,
            self.field,
            ft.Button("+", on_click=self.plus, key="plus"),
            ft.Button("much", on_click=self.much, key="much"),
            ft.Button("join", on_click=self.join, key="join"),
            ft.Button("say", on_click=self.say, key="say"),
            ft.Button("ask", on_click=self.ask, key="ask"),
            ft.Button("upload", on_click=self.upload, key="upload"),
            ft.Text("", key="done"),
        )

    def plus(self) -> None:
        self.count.value = str(int(self.count.value) + 1)

    def much(self) -> None:
        self.said += 1
        self.text.value = str(self.said) + "x" * MUCH

    def join(self) -> None:
        self.page.pubsub.subscribe(self.hear)

    def hear(self, message: str) -> None:
        self.text.value = message
        self.page.update()

    def say(self) -> None:
        self.said += 1
        self.page.pubsub.send_all(f"{self.said} " + "y" * 1_000)

    async def ask(self) -> None:
        await self.field.focus()

    def upload(self) -> None:
        self.uploads += 1
        self.text.value = self.page.get_upload_url(f"{id(self)}-{self.uploads % 10}", 60)


def ours(limits: dict[str, Any], upload_dir: str | None) -> Any:
    """The app by this project. `/-/end` ends sessions without a client, `/-/state` counts."""
    from anyio import get_running_tasks, sleep
    from starlette.responses import JSONResponse, PlainTextResponse
    from starlette.routing import Route

    import flet_anyio
    from flet_anyio.session.lifecycle import Reason

    app = flet_anyio.app(
        main, limits=flet_anyio.Limits(**limits), upload_dir=upload_dir, secret_key="load"
    )

    async def end(request: Request) -> PlainTextResponse:
        server = app.site.current_server
        sessions = server.sessions if server is not None else []
        gone = [session for session in sessions if not session.attached]
        for session in gone:
            session.close(Reason.CLOSED_BY_APP)
        while not {*gone}.isdisjoint(server.sessions if server is not None else []):  # noqa: ASYNC110
            await sleep(_PAUSE)
        # What one attack leaves behind is not for the next to pay.
        gc.collect()
        return PlainTextResponse(str(len(gone)))

    async def state(request: Request) -> JSONResponse:
        server = app.site.current_server
        sessions = server.sessions if server is not None else []
        return JSONResponse({"sessions": len(sessions), "tasks": len(get_running_tasks())})

    app.router.routes[:0] = [Route("/-/end", end), Route("/-/state", state)]
    return app
