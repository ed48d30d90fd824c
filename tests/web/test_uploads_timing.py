"""Uploads that bring nothing, in virtual time."""

# ruff: noqa: ASYNC240 - a test looks at its one small folder; nothing else is waiting

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from backends import VIRTUAL_TIME, backend_options
from flet_anyio import FletUpload, Limits
from flet_anyio.server import Server
from flet_anyio.web.uploads import endpoint as uploads
from flet_anyio.web.uploads.grants import GrantSigner

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Message

pytestmark = pytest.mark.anyio


@pytest.fixture(params=VIRTUAL_TIME)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return backend_options(request.param)


@pytest.fixture(autouse=True)
def cleanup_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads clean up, and a virtual clock does not wait for those."""
    monkeypatch.setattr(uploads, "_CLEANUP_TIMEOUT", math.inf)


class SlowBody:
    """A client that sends `bodies` with a pause before each, and then nothing."""

    def __init__(self, pause: float, *bodies: bytes) -> None:
        self._pause = pause
        self._bodies = list(bodies)

    async def receive(self) -> Message:
        await anyio.sleep(self._pause if self._bodies else float("inf"))
        return {"type": "http.request", "body": self._bodies.pop(0), "more_body": True}


async def silent_after(folder: Path, timeout: float | None, body: SlowBody) -> float:
    """Upload until it is refused with 408; return when that was."""
    url = GrantSigner("secret").sign("upload", "a", 60)
    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/upload",
        "query_string": url.partition("?")[2].encode(),
        "headers": [],
    }
    async with Server(limits=Limits(upload_timeout=timeout)) as server:
        upload = FletUpload(folder, secret_key="secret", server=server)
        began = anyio.current_time()
        with pytest.raises(HTTPException) as caught:
            await upload.handle(Request(scope, body.receive))
        assert caught.value.status_code == 408
        ended = anyio.current_time()
    assert list(folder.iterdir()) == []
    return ended - began


async def test_an_upload_that_brings_no_byte_is_ended(tmp_path: Path) -> None:
    took = await silent_after(tmp_path, 30, SlowBody(25, b"1", b"2", b"3"))
    assert 105 <= took < 120


async def test_messages_with_no_bytes_are_silence(tmp_path: Path) -> None:
    took = await silent_after(tmp_path, 30, SlowBody(1, *[b""] * 100))
    assert 30 <= took < 40


async def test_without_a_limit_it_waits(tmp_path: Path) -> None:
    with anyio.move_on_after(1_000_000) as scope:
        await silent_after(tmp_path, None, SlowBody(1000, b"1"))
    assert scope.cancelled_caught
    assert list(tmp_path.iterdir()) == []
