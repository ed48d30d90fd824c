"""Servers that are told the prefix which a proxy strips, and each tells it apps in its own way."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from programs import eventually, register, running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

PREFIX = "/apps/mine"


@pytest.mark.parametrize("app", ["app", "mounted"])
@pytest.mark.parametrize("server", ["hypercorn-asyncio", "hypercorn-trio", "uvicorn-asyncio"])
def test_upload_urls_have_the_root_path(
    server: str, app: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLET_UPLOAD_DIR", str(tmp_path))
    monkeypatch.setenv("FLET_SECRET_KEY", "secret")
    with (
        running(server, "--root-path", PREFIX, app=app) as program,
        socket.create_connection(program.address, timeout=10) as client,
    ):
        register(client, program.url)
        eventually(lambda: [word for word in program.said if word.startswith("/")])
        (url,) = [word for word in program.said if word.startswith("/")]
        assert url.startswith(f"{PREFIX}/upload?")
        stripped = program.url + url.removeprefix(PREFIX)
        assert program.http.put(stripped, content=b"content").status_code == 200
        assert program.http.put(stripped, content=b"again").status_code == 409
    assert (tmp_path / "file").read_bytes() == b"content"
