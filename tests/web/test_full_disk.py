"""A machine that has no room, or no file to open: one upload is refused, and all else goes on.

What each call of the system comes to is in test_storage.py. Here an app is served, somebody else
clicks in it, and the file is sent again with the same URL.
"""

from __future__ import annotations

import errno
import os
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flet as ft
import httpx
import pytest

import flet_anyio
from visits import running, visit_asgi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from flet_anyio.testing import Client

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("client_files")]

CONTENT = b"x" * 300_000
"""More than is written at once."""

OPEN_FILES = Path("/proc/self/fd")


class Site:
    """An app of two visitors: one uploads, one clicks."""

    def __init__(self, app: Any, folder: Path, http: httpx.AsyncClient) -> None:
        self.app = app
        self.folder = folder
        self.http = http
        self.pages: list[ft.Page] = []
        self.clicks = 0

    def url(self) -> str:
        """Where the uploading visitor, who came last, may send a file to."""
        return self.pages[-1].get_upload_url("new/a", 60)

    async def put(self, url: str) -> httpx.Response:
        return await self.http.put(url, content=CONTENT)

    async def others_are_served(self, client: Client) -> None:
        await client.click("+")
        self.clicks += 1
        await client.see(str(self.clicks))

    def names(self) -> list[str]:
        """All that is in the upload directory, folders too."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Site, Client]]:
    """Serve the app to both; give the one that clicks."""

    def main(page: ft.Page) -> None:
        count = ft.Text("0")

        def add() -> None:
            count.value = str(int(count.value) + 1)

        site.pages.append(page)
        page.add(count, ft.Button("+", on_click=add))

    app = flet_anyio.app(main, upload_dir=str(folder), secret_key="secret")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with running(app), httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        site = Site(app, folder, http)
        async with visit_asgi(app) as clicking, visit_asgi(app) as uploading:
            await uploading.see("0")
            await site.others_are_served(clicking)
            yield site, clicking
            await uploading.click("+")
            await uploading.see("1")


@contextmanager
def failing(call: str, number: int, where: str = "") -> Iterator[None]:
    """Have a call of the system fail; where it is given a name, only for one with `where` in it."""
    works = getattr(os, call)

    def fails(*args: Any, **kwargs: Any) -> Any:
        if where and where not in str(args[0]):
            return works(*args, **kwargs)
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, call, fails)
        yield


FULL = [
    ("open", ".part"),
    ("mkdir", "new"),
    ("write", ""),
    ("fsync", ""),
    ("replace", ""),
]


@pytest.mark.parametrize(("call", "where"), FULL, ids=[call for call, _ in FULL])
async def test_a_full_disk_refuses_one_upload_and_takes_the_next(
    tmp_path: Path, call: str, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path / "files") as (site, other):
        url = site.url()
        with failing(call, errno.ENOSPC, where):
            answer = await site.put(url)
            await site.others_are_served(other)
        assert (answer.status_code, answer.text) == (
            507,
            "There is no room for this file on the server.",
        )
        assert site.names() == []
        assert "no room for an upload: No space left on device" in caplog.text
        assert (await site.put(url)).status_code == 200
        assert (site.folder / "new/a").read_bytes() == CONTENT
        assert (await site.put(url)).status_code == 409
        await site.others_are_served(other)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
@pytest.mark.parametrize("where", ["files", "new", ".part"], ids=["root", "folder", "file"])
async def test_too_many_open_files_refuse_one_upload_and_take_the_next(
    tmp_path: Path, where: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path / "files") as (site, other):
        url = site.url()
        with failing("open", number, where):
            answer = await site.put(url)
            await site.others_are_served(other)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert site.names() == []
        assert "no file can be opened for an upload" in caplog.text
        assert (await site.put(url)).status_code == 200
        assert site.names() == ["new", "new/a"]
        await site.others_are_served(other)


@pytest.mark.skipif(not OPEN_FILES.exists(), reason="counts open files in /proc")
@pytest.mark.parametrize(
    ("call", "where", "number"),
    [
        *((call, where, errno.ENOSPC) for call, where in FULL),
        *(("open", where, errno.EMFILE) for where in ("new", ".part")),
    ],
)
async def test_uploads_that_fail_leave_no_file_open(
    tmp_path: Path, call: str, where: str, number: int
) -> None:
    async with serving(tmp_path / "files") as (site, other):
        url = site.url()
        with failing(call, number, where):
            await site.put(url)  # threads have begun, and modules are loaded
            before = len(os.listdir(OPEN_FILES))
            for _ in range(5):
                assert (await site.put(url)).status_code in (503, 507)
            assert len(os.listdir(OPEN_FILES)) <= before
        await site.others_are_served(other)
