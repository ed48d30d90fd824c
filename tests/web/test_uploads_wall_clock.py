"""Upload URLs, which expire by the wall clock, when that is set forward or back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import flet as ft
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from flet_anyio import FletUpload
from flet_anyio.testing import InProcess
from flet_anyio.web.uploads.desk import UploadDesk
from flet_anyio.web.uploads.grants import GrantSigner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio

DAY = 86_400


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the wall clock so many seconds forward."""
    ahead = [0.0]

    def now() -> float:
        return real() + ahead[0]

    real = time.time
    monkeypatch.setattr(time, "time", now)
    for reader in (GrantSigner, UploadDesk):
        defaults = reader.__init__.__kwdefaults__
        assert defaults is not None
        monkeypatch.setitem(defaults, "now", now)

    def forward(seconds: float) -> None:
        ahead[0] += seconds

    return forward


def main(page: ft.Page) -> None:
    page.add(ft.Button("+", on_click=lambda: page.add(ft.Text("clicked"))))


async def put(app: InProcess, folder: Path, url: str) -> int:
    upload = FletUpload(folder, secret_key="secret", server=app.server)
    routes = [Route("/{path:path}", upload.handle, methods=["PUT"])]
    transport: Any = httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://flet.test") as http:
        return (await http.put(url, content=b"x")).status_code


async def test_they_expire_when_it_says_so_and_are_never_used_twice(
    tmp_path: Path, set_clock: Callable[[float], None]
) -> None:
    async with InProcess(main, secret_key="secret") as app, app.connect() as client:
        await client.see("+")
        get_url = app.session.page.get_upload_url
        used, unused = get_url("used", 60), get_url("unused", 60)
        assert await put(app, tmp_path, used) == 200
        set_clock(DAY)
        assert await put(app, tmp_path, unused) == 410
        assert await put(app, tmp_path, get_url("meanwhile", 60)) == 200
        set_clock(-DAY)
        assert await put(app, tmp_path, used) == 409
        assert await put(app, tmp_path, unused) == 200
        await client.click("+")
        await client.see("clicked")


async def test_set_back_they_are_good_for_longer_and_for_one_upload_still(
    tmp_path: Path, set_clock: Callable[[float], None]
) -> None:
    async with InProcess(main, secret_key="secret") as app, app.connect() as client:
        await client.see("+")
        url = app.session.page.get_upload_url("a", 60)
        set_clock(-DAY)
        assert await put(app, tmp_path, url) == 200
        assert await put(app, tmp_path, url) == 409
        await client.click("+")
        await client.see("clicked")
