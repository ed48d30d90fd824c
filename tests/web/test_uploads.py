"""The upload endpoint.

Whole uploads go through httpx; interrupted ones through a hand-made `receive`, which decides
exactly where a body stops. What needs a real server is in test_uploads_served.py.
"""

# ruff: noqa: ASYNC240 - a test looks at its few small files at once; nothing else is waiting

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import flet as ft
import httpx
import pytest
from anyio.lowlevel import checkpoint
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Mount, Route

from flet_anyio import FletUpload, Limits
from flet_anyio.server import Server
from flet_anyio.session.lifecycle import Reason
from flet_anyio.testing import InProcess
from flet_anyio.web.uploads import body as upload_body
from flet_anyio.web.uploads import endpoint as uploads
from flet_anyio.web.uploads.grants import GrantSigner
from flet_anyio.web.uploads.storage import PartialFile
from waiting import PATIENCE, reached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.types import Message

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The upload directory, which nobody has made yet."""
    return tmp_path / "uploads"


def names(root: Path) -> list[str]:
    """All that is under `root`, but for folders."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def sign(name: str, endpoint: str = "upload", expires: int = 60, **more: Any) -> str:
    return GrantSigner("secret").sign(endpoint, name, expires, **more)


def upload_to(folder: Path, **settings: Any) -> FletUpload:
    return FletUpload(folder, secret_key="secret", **settings)


# Whole uploads


async def put(
    upload: FletUpload, url: str, content: bytes | AsyncIterator[bytes], **kwargs: Any
) -> httpx.Response:
    app = Starlette(routes=[Route("/{path:path}", upload.handle, methods=["PUT"])])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://flet.test") as client:
        return await client.put(url, content=content, **kwargs)


async def test_upload(folder: Path) -> None:
    response = await put(upload_to(folder), sign("x/a.txt"), b"hello")
    assert (response.status_code, response.content) == (200, b"")
    assert (folder / "x/a.txt").read_bytes() == b"hello"
    assert names(folder) == ["x/a.txt"]


@pytest.mark.parametrize("origin", ["http://flet.test", "https://flet.test", "http://pages.com"])
async def test_pages_of_this_site_and_of_allowed_ones_may_upload(folder: Path, origin: str) -> None:
    upload = upload_to(folder, allowed_origins=["http://pages.com"])
    response = await put(upload, sign("a.txt"), b"hello", headers={"Origin": origin})
    assert response.status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.com", "http://flet.test:81", "null", ""])
async def test_pages_of_other_sites_may_not_upload(folder: Path, origin: str) -> None:
    url = sign("a.txt")
    response = await put(upload_to(folder), url, b"hello", headers={"Origin": origin})
    assert response.status_code == 403
    assert not folder.exists()
    assert (await put(upload_to(folder), url, b"hello")).status_code == 200


async def test_a_second_upload_replaces_the_first_and_needs_a_grant_of_its_own(
    folder: Path,
) -> None:
    upload, url = upload_to(folder), sign("a.txt")
    assert (await put(upload, url, b"a long first one")).status_code == 200
    again = await put(upload, url, b"again")
    assert (again.status_code, again.text) == (
        409,
        "This upload URL was used before. Ask the app for a new one.",
    )
    assert (folder / "a.txt").read_bytes() == b"a long first one"
    assert (await put(upload, sign("a.txt"), b"second")).status_code == 200
    assert (folder / "a.txt").read_bytes() == b"second"


async def test_what_was_used_is_remembered_by_the_loops_server(folder: Path) -> None:
    """Not by the object, which may be made for each request."""
    url = sign("a.txt")
    assert (await put(upload_to(folder), url, b"x")).status_code == 200
    assert (await put(upload_to(folder), url, b"x")).status_code == 409


async def test_an_empty_body_makes_an_empty_file(folder: Path) -> None:
    assert (await put(upload_to(folder), sign("a"), b"")).status_code == 200
    assert (folder / "a").read_bytes() == b""


@pytest.mark.parametrize("block", [1, 7, 1000])
async def test_chunks_are_joined_in_order(
    folder: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> AsyncIterator[bytes]:
        for number in range(50):
            await checkpoint()
            yield b"%02d" % number

    monkeypatch.setattr(upload_body, "_BLOCK", block)
    response = await put(upload_to(folder, max_upload_size=100), sign("a"), body())
    assert response.status_code == 200
    assert (folder / "a").read_bytes() == b"".join(b"%02d" % number for number in range(50))


async def test_the_path_that_is_signed_is_the_whole_one_also_when_mounted(folder: Path) -> None:
    upload = upload_to(folder)
    inner = Starlette(routes=[Route("/up load#1", upload.handle, methods=["PUT"])])
    transport = httpx.ASGITransport(Starlette(routes=[Mount("/app", inner)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://flet.test") as client:
        good = await client.put(sign("a", "/app/up load#1/"), content=b"x")
        query = urlsplit(sign("a", "/up load#1")).query
        bad = await client.put(f"/app/up%20load%231?{query}", content=b"x")
    assert (good.status_code, bad.status_code) == (200, 403)


@pytest.mark.parametrize("path", ["/upload", "/prefix/upload"])
async def test_the_root_of_the_server_is_signed_whether_or_not_the_path_has_it(
    folder: Path, path: str
) -> None:
    """uvicorn puts its --root-path in front of the path, hypercorn does not."""
    sent = request(sign("a", "/prefix/upload"), chunks(b"x"))
    sent.scope.update(root_path="/prefix", path=path)
    await upload_to(folder).handle(sent)
    assert names(folder) == ["a"]


async def test_a_relative_directory_is_the_one_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    upload = upload_to(Path("uploads"))
    monkeypatch.chdir("/")
    await put(upload, sign("a"), b"x")
    assert names(tmp_path) == ["uploads/a"]


# Refused uploads


async def refused(upload: FletUpload, sent: Request) -> int:
    with pytest.raises(HTTPException) as caught:
        await upload.handle(sent)
    assert caught.value.detail
    return caught.value.status_code


async def test_refusals_are_plain_texts(folder: Path) -> None:
    upload, url = upload_to(folder), sign("a.txt")
    expired = GrantSigner("secret", now=lambda: 0).sign("upload", "a.txt", 60)
    for status, bad in (
        (400, "/upload"),
        (403, url[:-9]),
        (403, url.replace("/upload", "/other")),
        (410, expired),
        (400, sign("../a")),
    ):
        response = await put(upload, bad, b"evil")
        assert response.status_code == status
        assert response.headers["content-type"].startswith("text/plain")
        assert response.text.endswith(".")
        assert "\n" not in response.text
    assert not folder.exists()


async def test_a_refusal_is_not_lost_in_a_route_that_returns_nothing(folder: Path) -> None:
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()

    async def uploaded(request: Request) -> None:
        await upload_to(folder).handle(request)

    # By hand: FastAPI cannot resolve annotations of a function inside another.
    uploaded.__annotations__ = {"request": Request}
    app.put("/upload")(uploaded)
    url = sign("a.txt")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        assert (await http.put(url, content=b"x")).status_code == 200
        assert (await http.put(url, content=b"x")).status_code == 409
        assert (await http.put(url[:-5], content=b"x")).status_code == 403
    assert names(folder) == ["a.txt"]


# Sessions and servers


def main(page: ft.Page) -> None:
    page.add(ft.Text("ready"))


async def test_a_grant_ends_with_its_session(folder: Path) -> None:
    async with InProcess(main, secret_key="secret") as app, app.connect() as client:
        await client.see("ready")
        upload = upload_to(folder, server=app.server)
        page = app.session.page
        first, second = (page.get_upload_url(name, 60) for name in "ab")
        assert (await put(upload, first, b"x")).status_code == 200
        app.session.close(Reason.CLOSED_BY_APP)
        await reached(lambda: not app.sessions)
        assert (await put(upload, second, b"x")).status_code == 410
        # Another server knows nothing of the session.
        async with Server() as other:
            assert (await put(upload_to(folder, server=other), second, b"x")).status_code == 200
            assert (await put(upload_to(folder, server=other), second, b"x")).status_code == 409


async def test_a_session_whose_client_is_away_still_takes_its_files(folder: Path) -> None:
    async with InProcess(main, secret_key="secret") as app:
        async with app.connect() as client:
            await client.see("ready")
            url = app.session.page.get_upload_url("a", 60)
        await reached(lambda: not app.session.attached)
        upload = upload_to(folder, server=app.server)
        assert (await put(upload, url, b"x")).status_code == 200
        # And may say where more of them are to go.
        assert (
            await put(upload, app.session.page.get_upload_url("b", 60), b"x")
        ).status_code == 200


async def test_a_url_may_allow_less_than_the_app(folder: Path) -> None:
    settings: dict[str, Any] = {"secret_key": "secret", "max_upload_size": 6}
    async with InProcess(main, **settings) as app, app.connect() as client:
        await client.see("ready")
        page = app.session.page
        upload = upload_to(folder, server=app.server)
        assert (await put(upload, page.get_upload_url("a", 60), b"1234567")).status_code == 413
        assert (await put(upload, page.get_upload_url("a", 60), b"123456")).status_code == 200
        small = page.get_upload_url("b", 60, max_size=3)
        assert (await put(upload, small, b"1234")).status_code == 413
        assert (await put(upload, small, b"123")).status_code == 200


async def test_quotas_are_the_servers(folder: Path) -> None:
    limits = Limits(session_upload_bytes=5, upload_bytes=7)
    async with Server(limits=limits) as server:
        upload = upload_to(folder, server=server)
        assert (await put(upload, sign("a", session="s", server="x"), b"12345")).status_code == 200
        assert (await put(upload, sign("b", session="s", server="x"), b"1")).status_code == 413
        assert (await put(upload, sign("b", session="t", server="x"), b"123")).status_code == 507
        assert (await put(upload, sign("b", session="t", server="x"), b"12")).status_code == 200


async def test_uploads_at_the_same_time_are_counted(folder: Path) -> None:
    async with Server(limits=Limits(session_uploads=1)) as server:
        upload, body, url = upload_to(folder, server=server), StuckBody(), sign("a")
        async with anyio.create_task_group() as tg:
            tg.start_soon(upload.handle, request(url, body.receive))
            await body.stuck.wait()
            assert await refused(upload, request(url, chunks(b"x"))) == 409
            busy = await put(upload, sign("b"), b"x")
            assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
            body.released.set()
        assert (await put(upload, sign("b"), b"x")).status_code == 200
    assert (folder / "a").read_bytes() == b"partial"


# Size


async def test_a_size_limit_is_inclusive(folder: Path) -> None:
    upload = upload_to(folder, max_upload_size=4)
    assert (await put(upload, sign("a"), b"1234")).status_code == 200
    response = await put(upload, sign("a"), b"12345")
    assert response.status_code == 413
    assert "4" in response.text
    assert (folder / "a").read_bytes() == b"1234"


async def test_an_announced_size_is_refused_before_reading(folder: Path) -> None:
    async def receive() -> Message:
        raise AssertionError("the body was read")

    upload = upload_to(folder, max_upload_size=4)
    assert await refused(upload, request(sign("x/a"), receive, length="5")) == 413
    async with Server(limits=Limits(session_upload_bytes=None)) as server:
        sent = request(sign("x/a"), receive, length="9" * 20)  # no disk has so much room
        assert await refused(upload_to(folder, server=server), sent) == 507
    assert not folder.exists()


async def test_an_unannounced_size_is_refused_while_reading(folder: Path) -> None:
    sent: list[bytes] = []

    async def receive() -> Message:
        sent.append(b"123")
        return {"type": "http.request", "body": sent[-1], "more_body": True}

    folder.mkdir()
    (folder / "a").write_bytes(b"good")
    upload = upload_to(folder, max_upload_size=7)
    assert await refused(upload, request(sign("a"), receive)) == 413
    assert len(sent) == 3
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"good"


@pytest.mark.parametrize("length", ["-1", "x", "1.5", "٣", "9" * 5000])
async def test_a_garbled_content_length(folder: Path, length: str) -> None:
    assert await refused(upload_to(folder), request(sign("a"), chunks(b"x"), length=length)) == 400
    assert not folder.exists()


async def test_a_body_shorter_than_announced(folder: Path) -> None:
    folder.mkdir()
    (folder / "a").write_bytes(b"good")
    sent = request(sign("a"), chunks(b"evil"), length="5")
    assert await refused(upload_to(folder), sent) == 400
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"good"


# Interrupted uploads


def request(
    url: str, receive: Callable[[], Awaitable[Message]], length: str | None = None
) -> Request:
    headers = [] if length is None else [(b"content-length", length.encode())]
    parts = urlsplit(url)
    asgi_scope = {
        "type": "http",
        "method": "PUT",
        "path": parts.path,
        "query_string": parts.query.encode(),
        "headers": headers,
    }
    return Request(asgi_scope, receive)


def chunks(*bodies: bytes, end: Message | None = None) -> Callable[[], Awaitable[Message]]:
    """Deliver `bodies`, then `end`, or nothing more if that is None."""
    messages: list[Message] = [
        {"type": "http.request", "body": body, "more_body": True} for body in bodies
    ]
    if end is None:
        messages[-1]["more_body"] = False
    else:
        messages.append(end)
    queue = iter(messages)

    async def receive() -> Message:
        await checkpoint()
        return next(queue)

    return receive


def cancelling(
    scope: anyio.CancelScope, stop: int, receive: Callable[[], Awaitable[Message]]
) -> Callable[[], Awaitable[Message]]:
    """Cancel `scope` with the message of index `stop`, which is still delivered."""
    count = itertools.count()

    async def receive_and_cancel() -> Message:
        message = await receive()
        if next(count) == stop:
            scope.cancel()
        return message

    return receive_and_cancel


class StuckBody:
    """One chunk, and then a client that is silent."""

    def __init__(self) -> None:
        self.stuck = anyio.Event()
        self.released = anyio.Event()
        self.sent = False

    async def receive(self) -> Message:
        if not self.sent:
            self.sent = True
            return {"type": "http.request", "body": b"partial", "more_body": True}
        self.stuck.set()
        await self.released.wait()
        return {"type": "http.request", "body": b"", "more_body": False}


@pytest.mark.parametrize("earlier", [None, b"good"])
async def test_a_disconnect_in_mid_upload(folder: Path, earlier: bytes | None) -> None:
    folder.mkdir()
    if earlier is not None:
        (folder / "a").write_bytes(earlier)
    receive = chunks(b"partial", end={"type": "http.disconnect"})
    assert await refused(upload_to(folder), request(sign("a"), receive)) == 400
    assert names(folder) == ([] if earlier is None else ["a"])
    if earlier is not None:
        assert (folder / "a").read_bytes() == earlier


async def test_cancelled_in_mid_upload(folder: Path) -> None:
    folder.mkdir()
    (folder / "a").write_bytes(b"good")
    upload, body, url = upload_to(folder), StuckBody(), sign("a")
    async with anyio.create_task_group() as tg:
        tg.start_soon(upload.handle, request(url, body.receive))
        await body.stuck.wait()
        # The partial file is hidden, and is not yet the file.
        (partial,) = set(names(folder)) - {"a"}
        assert re.fullmatch(r"\.flet-\w+\.part", partial)
        tg.cancel_scope.cancel()
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"good"
    # Its grant was not used up.
    assert (await put(upload, url, b"next")).status_code == 200
    assert (folder / "a").read_bytes() == b"next"


async def test_a_task_of_asyncio_that_is_cancelled_itself(
    folder: Path, anyio_backend_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server does that, while a thread makes the file: no scope keeps it waiting for it."""
    if anyio_backend_name == "trio":
        pytest.skip("cancelled by scopes alone")
    began, go = threading.Event(), threading.Event()
    open_file = PartialFile.open

    def open_late(file: PartialFile) -> None:
        began.set()
        assert go.wait(PATIENCE)
        open_file(file)

    monkeypatch.setattr(PartialFile, "open", open_late)
    task = asyncio.ensure_future(upload_to(folder).handle(request(sign("x/a"), chunks(b"x"))))
    await reached(began.is_set)
    task.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await reached(lambda: not folder.exists() or not list(folder.iterdir()))


async def test_cancelled_from_the_start(folder: Path) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await upload_to(folder).handle(request(sign("a"), chunks(b"x")))
    assert scope.cancelled_caught
    assert not folder.exists() or names(folder) == []


async def test_cancelled_at_every_chunk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_body, "_BLOCK", 2)
    for stop in range(4):
        with anyio.CancelScope() as scope:
            receive = cancelling(scope, stop, chunks(b"1", b"2", b"3", b"4"))
            await upload_to(folder).handle(request(sign("x/a"), receive))
        assert scope.cancelled_caught
        assert list(folder.iterdir()) == []


async def test_cancelled_while_the_file_gets_its_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go = threading.Event(), threading.Event()
    replace = os.replace

    def replace_late(*args: Any, **kwargs: Any) -> None:
        began.set()
        assert go.wait(PATIENCE)
        replace(*args, **kwargs)

    monkeypatch.setattr(os, "replace", replace_late)
    upload, url = upload_to(folder), sign("a")
    async with anyio.create_task_group() as tg:
        tg.start_soon(upload.handle, request(url, chunks(b"x")))
        await reached(began.is_set)
        tg.cancel_scope.cancel()
        go.set()
    assert names(folder) == ["a"]
    assert await refused(upload, request(url, chunks(b"y"))) == 409


async def test_a_failing_receive(folder: Path) -> None:
    calls = 0

    async def receive() -> Message:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError("broken")
        return {"type": "http.request", "body": b"partial", "more_body": True}

    with pytest.raises(OSError, match="broken"):
        await upload_to(folder).handle(request(sign("a"), receive))
    assert names(folder) == []


async def test_a_destination_that_becomes_a_folder_while_reading(folder: Path) -> None:
    async def receive() -> Message:
        (folder / "a").mkdir()
        return {"type": "http.request", "body": b"x", "more_body": False}

    assert await refused(upload_to(folder), request(sign("a"), receive)) == 400
    assert names(folder) == []


async def test_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "a").write_bytes(b"good")

    def full(fd: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert await refused(upload_to(folder), request(sign("a"), chunks(b"x"))) == 507
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"good"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system without mkdir")
async def test_a_directory_that_cannot_be_made() -> None:
    upload = upload_to(Path("/proc/flet-anyio/uploads"))
    with pytest.raises(OSError, match="proc"):
        await upload.handle(request(sign("a"), chunks(b"x")))


async def test_removing_that_takes_too_long_is_not_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go = threading.Event()
    discard = PartialFile.discard

    def discard_late(file: PartialFile) -> None:
        assert go.wait(PATIENCE)
        discard(file)

    monkeypatch.setattr(PartialFile, "discard", discard_late)
    monkeypatch.setattr(uploads, "_CLEANUP_TIMEOUT", 0.05)
    receive = chunks(b"partial", end={"type": "http.disconnect"})
    assert await refused(upload_to(folder), request(sign("a"), receive)) == 400
    assert "takes long" in caplog.text
    go.set()
    await reached(lambda: not names(folder))


# What ended processes left


def leave(folder: Path) -> Path:
    left = folder / "x" / (".flet-" + "0" * 32 + ".part")
    left.parent.mkdir(parents=True)
    left.write_bytes(b"partial")
    return left


async def test_the_first_upload_sweeps(folder: Path) -> None:
    left = leave(folder)
    async with Server() as server:
        upload = upload_to(folder, server=server)
        await put(upload, sign("a"), b"x")
        await reached(lambda: not left.exists())
        left.write_bytes(b"partial")
        await put(upload, sign("b"), b"x")
    assert left.exists()


async def test_a_sweep_that_fails_is_logged_and_ends_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(uploads, "sweep", fail)
    async with Server() as server:
        upload = upload_to(folder, server=server)
        assert (await put(upload, sign("a"), b"x")).status_code == 200
        await reached(lambda: "broken" in caplog.text)
        assert (await put(upload, sign("b"), b"x")).status_code == 200


async def test_a_server_that_ends_stops_the_sweep(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()
    ended = threading.Event()

    def walk(root: str, stop: threading.Event) -> None:
        began.set()
        assert stop.wait(PATIENCE)
        ended.set()

    monkeypatch.setattr(uploads, "sweep", walk)
    async with Server() as server:
        await put(upload_to(folder, server=server), sign("a"), b"x")
        await reached(began.is_set)
    await anyio.to_thread.run_sync(ended.wait, 5)
    assert ended.is_set()


# Settings


async def test_the_environment_counts_when_nothing_is_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLET_SECRET_KEY", "secret")
    monkeypatch.setenv("FLET_MAX_UPLOAD_SIZE", "3")
    assert (await put(FletUpload(folder), sign("a"), b"1234")).status_code == 413
    assert (await put(FletUpload(folder, 4), sign("a"), b"1234")).status_code == 200
    assert (await put(FletUpload(folder, 0), sign("a"), b"12345")).status_code == 200
    assert (await put(FletUpload(folder, 0, "other"), sign("a"), b"1")).status_code == 403


async def test_bad_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="upload_dir"):
        FletUpload("", secret_key="secret")
    with pytest.raises(ValueError, match="secret_key"):
        FletUpload(folder)
    with pytest.raises(ValueError, match="secret_key"):
        FletUpload(folder, secret_key="")
    with pytest.raises(ValueError, match="max_upload_size"):
        FletUpload(folder, -1, "secret")
    monkeypatch.setenv("FLET_MAX_UPLOAD_SIZE", "1 MB")
    with pytest.raises(ValueError, match="FLET_MAX_UPLOAD_SIZE"):
        FletUpload(folder, None, "secret")
