from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

import flet_anyio
from flet_anyio.testing import InProcess

if TYPE_CHECKING:
    from pathlib import Path

    from flet_anyio.testing import Client

pytestmark = pytest.mark.anyio

FILES = [
    {"id": 1, "name": "notes.txt", "size": 5},
    {"id": 2, "name": "photo.jpg", "size": 2048},
]


def pick(*files: dict[str, Any]) -> Any:
    return lambda **options: list(files)


def asked(client: Client) -> list[dict[str, Any]]:
    """The files of the first call to upload."""
    calls = [call for call in client.calls if call["name"] == "upload"]
    return list(calls[0]["args"]["files"]) if calls else []


def progress(client: Client, file_name: str, done: float | None, error: str | None = None) -> None:
    data = {"file_name": file_name, "progress": done, "error": error}
    client.fire(client.find(type="FilePicker"), "upload", data)


async def test_files_are_uploaded_to_urls_that_the_server_takes(
    example: Any, tmp_path: Path
) -> None:
    main = example("upload").main
    async with InProcess(main, secret_key="k") as app, app.connect() as client:
        client.answers["pick_files"] = pick(*FILES)
        await client.click("Choose files")
        await client.see("notes.txt (5 bytes)", "photo.jpg (2 KiB)")
        await client.until(lambda: asked(client))
    first, second = asked(client)
    assert (first["id"], second["id"]) == (1, 2)

    asgi = flet_anyio.app(main, upload_dir=str(tmp_path), secret_key="k")
    transport = httpx.ASGITransport(asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.request(first["method"], first["upload_url"], content=b"hello")
        assert answer.status_code == 200
    assert (tmp_path / "notes.txt").read_bytes() == b"hello"
    assert not (tmp_path / "photo.jpg").exists()


async def test_progress_is_shown_file_by_file(example: Any) -> None:
    async with InProcess(example("upload").main, secret_key="k") as app, app.connect() as client:
        client.answers["pick_files"] = pick(*FILES)
        await client.click("Choose files")
        await client.see("waiting")
        progress(client, "notes.txt", 1.0)
        progress(client, "photo.jpg", 0.5)
        await client.see("stored", "50%")
        bars = [node for node in client.page.nodes() if node.type == "ProgressBar"]
        assert [bar["value"] for bar in bars] == [1.0, 0.5]


async def test_a_failure_is_shown(example: Any) -> None:
    async with InProcess(example("upload").main, secret_key="k") as app, app.connect() as client:
        client.answers["pick_files"] = pick(*FILES)
        await client.click("Choose files")
        await client.see("waiting")
        progress(client, "photo.jpg", None, "Upload endpoint returned code 413")
        await client.see("failed", "waiting")


async def test_choosing_nothing_uploads_nothing(example: Any) -> None:
    async with InProcess(example("upload").main, secret_key="k") as app, app.connect() as client:
        client.answers["pick_files"] = pick()
        await client.click("Choose files")
        await client.until(lambda: client.calls)
        client.answers["pick_files"] = pick(FILES[0])
        await client.click("Choose files")
        await client.until(lambda: asked(client))
        assert [call["name"] for call in client.calls] == ["pick_files", "pick_files", "upload"]
