"""Grants and the upload endpoint.

Whole uploads go through httpx; interrupted ones through a hand-made `receive`, which decides
exactly where a body stops.
"""

# ruff: noqa: ASYNC240 - a test looks at its few small files at once; nothing else is waiting

from __future__ import annotations

import itertools
import re
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import anyio.to_thread
import httpx
import pytest
from anyio.lowlevel import checkpoint
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount, Route

from flet_anyio.web.uploads import FletUpload, UploadRefused, UploadSigner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.types import Message

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLET_SECRET_KEY", raising=False)
    monkeypatch.delenv("FLET_MAX_UPLOAD_SIZE", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The upload directory, which nobody has made yet."""
    return tmp_path / "uploads"


def names(root: Path) -> list[str]:
    """Every file under `root`, hidden ones too."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


# UploadSigner


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def refusal(signer: UploadSigner, path: str, query: dict[str, str]) -> int:
    with pytest.raises(UploadRefused) as caught:
        signer.verify(path, query)
    assert caught.value.reason in str(caught.value)
    return caught.value.status


@pytest.mark.parametrize("endpoint", ["upload", "/upload", "/upload/", "upload/"])
@pytest.mark.parametrize("path", ["upload", "/upload", "/upload/"])
async def test_grant_is_accepted(endpoint: str, path: str) -> None:
    signer = UploadSigner("secret", now=Clock())
    url = signer.sign(endpoint, "a b/ü&=.txt", 60)
    assert urlsplit(url).path == "/upload"
    assert url.startswith("/upload?")
    query = query_of(url)
    assert query.keys() == {"f", "e", "s"}
    assert datetime.fromisoformat(query["e"]) == NOON + timedelta(seconds=60)
    assert query["e"].endswith("+00:00")
    assert signer.verify(path, query) == "a b/ü&=.txt"


async def test_grant_of_another_process_with_the_same_secret() -> None:
    url = UploadSigner("secret").sign("upload", "a.txt", 60)
    assert UploadSigner("secret").verify("/upload", query_of(url)) == "a.txt"


async def test_clock_in_another_zone_gives_utc() -> None:
    east = timezone(timedelta(hours=9))
    signer = UploadSigner("secret", now=lambda: NOON.astimezone(east))
    assert query_of(signer.sign("upload", "a.txt", 60))["e"] == "2026-01-02T12:01:00+00:00"


@pytest.mark.parametrize("missing", ["f", "e", "s"])
@pytest.mark.parametrize("empty", [False, True])
async def test_missing_parameters(missing: str, empty: bool) -> None:
    signer = UploadSigner("secret")
    query = query_of(signer.sign("upload", "a.txt", 60))
    if empty:
        query[missing] = ""
    else:
        del query[missing]
    assert refusal(signer, "/upload", query) == 400


@pytest.mark.parametrize("expiry", ["soon", "2026-13-01T00:00:00+00:00", "2026-01-02T12:01:00"])
async def test_garbled_expiry(expiry: str) -> None:
    signer = UploadSigner("secret", now=Clock())
    query = query_of(signer.sign("upload", "a.txt", 60)) | {"e": expiry}
    assert refusal(signer, "/upload", query) == 400


@pytest.mark.parametrize(
    "change",
    [
        {"f": "b.txt"},
        {"e": "2026-01-02T12:02:00+00:00"},
        {"e": "2026-01-02T12:01:00Z"},  # the same moment, not the same grant
        {"s": "AAAA"},
        {"s": "é\ud800"},
        {"s": "=" * 7},
    ],
)
async def test_changed_parameters(change: dict[str, str]) -> None:
    signer = UploadSigner("secret", now=Clock())
    query = query_of(signer.sign("upload", "a.txt", 60)) | change
    assert refusal(signer, "/upload", query) == 403


async def test_signature_binds_endpoint_secret_and_borders() -> None:
    signer = UploadSigner("secret", now=Clock())
    query = query_of(signer.sign("upload", "a.txt", 60))
    assert refusal(signer, "/other", query) == 403
    assert refusal(signer, "/upload/more", query) == 403
    assert refusal(UploadSigner("other", now=Clock()), "/upload", query) == 403
    # The parts are signed apart and not as one string.
    assert refusal(signer, "/uploada", query | {"f": ".txt"}) == 403


async def test_expiry() -> None:
    clock = Clock()
    signer = UploadSigner("secret", now=clock)
    query = query_of(signer.sign("upload", "a.txt", 60))
    clock.time = NOON + timedelta(seconds=59.999)
    assert signer.verify("/upload", query) == "a.txt"
    clock.time = NOON + timedelta(seconds=60)
    assert refusal(signer, "/upload", query) == 410
    # Without a good signature one does not even learn that a grant has expired.
    assert refusal(signer, "/upload", query | {"f": "b.txt"}) == 403


@pytest.mark.parametrize("expires", [0, -1, 1.5, "60", True, None, 10**12, 10**40])
async def test_bad_lifetime(expires: Any) -> None:
    with pytest.raises(ValueError, match="expires"):
        UploadSigner("secret").sign("upload", "a.txt", expires)


async def test_empty_file_name_is_not_signed() -> None:
    with pytest.raises(ValueError, match="file_name"):
        UploadSigner("secret").sign("upload", "", 60)


async def test_empty_secret() -> None:
    with pytest.raises(ValueError, match=r"secret_key.*FLET_SECRET_KEY"):
        UploadSigner("")


# FletUpload: whole uploads


async def put(
    upload: FletUpload, url: str, content: bytes | AsyncIterator[bytes], **kwargs: Any
) -> httpx.Response:
    app = Starlette(routes=[Route("/{path:path}", upload.handle, methods=["PUT"])])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://flet.test") as client:
        return await client.put(url, content=content, **kwargs)


async def test_upload(folder: Path) -> None:
    upload = FletUpload(str(folder), secret_key="secret")
    response = await put(upload, upload.signer.sign("upload", "a.txt", 60), b"hello")
    assert response.status_code == 200
    assert (folder / "a.txt").read_bytes() == b"hello"
    assert names(folder) == ["a.txt"]


async def test_sub_folders_and_strange_names(folder: Path) -> None:
    upload = FletUpload(folder, secret_key="secret")
    for name in ("x/y/ü & + %2F.txt", "x/y/12:30.txt", ".hidden", "-", "...", "x/" + "n" * 255):
        response = await put(upload, upload.signer.sign("upload", name, 60), name.encode())
        assert response.status_code == 200, name
        assert (folder / name).read_bytes() == name.encode()


async def test_second_upload_replaces_the_first(folder: Path) -> None:
    upload = FletUpload(folder, secret_key="secret")
    url = upload.signer.sign("upload", "a.txt", 60)
    await put(upload, url, b"a long first one")
    await put(upload, url, b"second")
    assert (folder / "a.txt").read_bytes() == b"second"


async def test_empty_body_makes_an_empty_file(folder: Path) -> None:
    upload = FletUpload(folder, secret_key="secret")
    assert (await put(upload, upload.signer.sign("upload", "a", 60), b"")).status_code == 200
    assert (folder / "a").read_bytes() == b""


async def test_chunks_are_joined_in_order(folder: Path) -> None:
    async def body() -> AsyncIterator[bytes]:
        for number in range(50):
            await checkpoint()
            yield b"%02d" % number

    upload = FletUpload(folder, max_upload_size=100, secret_key="secret")
    response = await put(upload, upload.signer.sign("upload", "a", 60), body())
    assert response.status_code == 200
    assert (folder / "a").read_bytes() == b"".join(b"%02d" % number for number in range(50))


async def test_signed_path_is_the_whole_path_also_when_mounted(folder: Path) -> None:
    upload = FletUpload(folder, secret_key="secret")
    inner = Starlette(routes=[Route("/up load#1", upload.handle, methods=["PUT"])])
    transport = httpx.ASGITransport(Starlette(routes=[Mount("/app", inner)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://flet.test") as client:
        good = await client.put(upload.signer.sign("/app/up load#1/", "a", 60), content=b"x")
        query = urlsplit(upload.signer.sign("/up load#1", "a", 60)).query
        bad = await client.put(f"/app/up%20load%231?{query}", content=b"x")
    assert (good.status_code, bad.status_code) == (200, 403)


async def test_relative_directory_is_the_one_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    upload = FletUpload("uploads", secret_key="secret")
    monkeypatch.chdir("/")
    await put(upload, upload.signer.sign("upload", "a", 60), b"x")
    assert names(tmp_path) == ["uploads/a"]


# FletUpload: refused uploads


async def test_refusals_are_answers(folder: Path) -> None:
    upload = FletUpload(folder, secret_key="secret")
    url = upload.signer.sign("upload", "a.txt", 60)
    expired = UploadSigner("secret", now=lambda: datetime(2020, 1, 1, tzinfo=UTC))
    for status, bad in (
        (400, "/upload"),
        (403, url.replace("a.txt", "b.txt")),
        (403, url.replace("/upload", "/other")),
        (410, expired.sign("upload", "a.txt", 60)),
    ):
        response = await put(upload, bad, b"evil")
        assert response.status_code == status
        assert response.headers["content-type"].startswith("text/plain")
        assert response.text
    assert not folder.exists()


BAD_NAMES = [
    "../a",
    "x/../../a",
    "x/../a",
    "..",
    ".",
    "./a",
    "/etc/a",
    "//a",
    "x//a",
    "x/",
    " ",
    "x/ /a",
    "a\0b",
    "..\\a",
    "x\\a",
    "C:/a",
    "c:a",
    "x/c:a",
    "n" * 256,
    "ü" * 128,
    "/".join(["n" * 200] * 30),
]


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_bad_destination(folder: Path, name: str) -> None:
    upload = FletUpload(folder, secret_key="secret")
    response = await put(upload, upload.signer.sign("upload", name, 60), b"evil")
    assert (response.status_code, response.text) == (400, "Invalid upload destination")
    assert names(folder.parent) == []


async def test_destination_that_is_a_folder_or_under_a_file(folder: Path) -> None:
    upload = FletUpload(folder, secret_key="secret")
    await put(upload, upload.signer.sign("upload", "x/a", 60), b"good")
    for name in ("x", "x/a/b", "x/a/b/c"):
        response = await put(upload, upload.signer.sign("upload", name, 60), b"evil")
        assert response.status_code == 400, name
    assert names(folder) == ["x/a"]
    assert (folder / "x/a").read_bytes() == b"good"


async def test_symlinks_that_lead_out(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"good")
    folder.mkdir()
    (folder / "dir").symlink_to(outside)
    (folder / "file").symlink_to(outside / "file")
    (folder / "dangling").symlink_to(outside / "new")
    (folder / "up").symlink_to("..")
    # A sibling whose name only begins like the directory's.
    (tmp_path / "uploads2").mkdir()
    (folder / "sibling").symlink_to(tmp_path / "uploads2")
    upload = FletUpload(folder, secret_key="secret")
    for name in ("dir/a", "file", "dangling", "up/a", "up", "sibling/a"):
        response = await put(upload, upload.signer.sign("upload", name, 60), b"evil")
        assert response.status_code == 400, name
    assert names(outside) == ["file"]
    assert (outside / "file").read_bytes() == b"good"
    assert names(tmp_path / "uploads2") == []


async def test_symlinks_inside_are_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "real").mkdir(parents=True)
    (folder / "link").symlink_to("real")
    (tmp_path / "alias").symlink_to(folder)
    upload = FletUpload(tmp_path / "alias", secret_key="secret")
    response = await put(upload, upload.signer.sign("upload", "link/a", 60), b"good")
    assert response.status_code == 200
    assert (folder / "real/a").read_bytes() == b"good"


async def test_symlink_loop(folder: Path) -> None:
    folder.mkdir()
    (folder / "loop").symlink_to("loop")
    upload = FletUpload(folder, secret_key="secret")
    response = await put(upload, upload.signer.sign("upload", "loop/a", 60), b"evil")
    assert response.status_code == 400


# FletUpload: size


async def test_size_limit_is_inclusive(folder: Path) -> None:
    upload = FletUpload(folder, max_upload_size=4, secret_key="secret")
    url = upload.signer.sign("upload", "a", 60)
    assert (await put(upload, url, b"1234")).status_code == 200
    response = await put(upload, url, b"12345")
    assert response.status_code == 413
    assert "4" in response.text
    assert (folder / "a").read_bytes() == b"1234"


async def test_announced_size_is_refused_before_reading(folder: Path) -> None:
    async def receive() -> Message:
        raise AssertionError("the body was read")

    upload = FletUpload(folder, max_upload_size=4, secret_key="secret")
    url = upload.signer.sign("x/upload", "x/a", 60)
    response = await upload.handle(request(url, receive, length="5"))
    assert response.status_code == 413
    assert not folder.exists()


async def test_unannounced_size_is_refused_while_reading(folder: Path) -> None:
    sent: list[bytes] = []

    async def receive() -> Message:
        sent.append(b"123")
        return {"type": "http.request", "body": sent[-1], "more_body": True}

    folder.mkdir()
    (folder / "a").write_bytes(b"good")
    upload = FletUpload(folder, max_upload_size=7, secret_key="secret")
    response = await upload.handle(request(upload.signer.sign("upload", "a", 60), receive))
    assert response.status_code == 413
    assert len(sent) == 3
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"good"


@pytest.mark.parametrize("length", ["-1", "x", "1.5", "٣", "9" * 5000])
async def test_garbled_content_length(folder: Path, length: str) -> None:
    upload = FletUpload(folder, secret_key="secret")
    url = upload.signer.sign("upload", "a", 60)
    response = await upload.handle(request(url, chunks(b"x"), length=length))
    assert response.status_code == 400
    assert not folder.exists()


async def test_body_shorter_than_announced(folder: Path) -> None:
    folder.mkdir()
    (folder / "a").write_bytes(b"good")
    upload = FletUpload(folder, secret_key="secret")
    url = upload.signer.sign("upload", "a", 60)
    response = await upload.handle(request(url, chunks(b"evil"), length="5"))
    assert response.status_code == 400
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"good"


# FletUpload: interrupted uploads


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
async def test_disconnect_in_mid_upload(folder: Path, earlier: bytes | None) -> None:
    folder.mkdir()
    if earlier is not None:
        (folder / "a").write_bytes(earlier)
    upload = FletUpload(folder, secret_key="secret")
    receive = chunks(b"partial", end={"type": "http.disconnect"})
    response = await upload.handle(request(upload.signer.sign("upload", "a", 60), receive))
    assert response.status_code == 400
    assert names(folder) == ([] if earlier is None else ["a"])
    if earlier is not None:
        assert (folder / "a").read_bytes() == earlier


async def test_cancelled_in_mid_upload(folder: Path) -> None:
    folder.mkdir()
    (folder / "a").write_bytes(b"good")
    upload = FletUpload(folder, secret_key="secret")
    body = StuckBody()
    url = upload.signer.sign("upload", "a", 60)
    async with anyio.create_task_group() as tg:
        tg.start_soon(upload.handle, request(url, body.receive))
        await body.stuck.wait()
        # The partial file is hidden, and is not yet the file.
        (partial,) = set(names(folder)) - {"a"}
        assert re.fullmatch(r"\.\w+\.part", partial)
        tg.cancel_scope.cancel()
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"good"
    assert (await put(upload, url, b"next")).status_code == 200
    assert (folder / "a").read_bytes() == b"next"


async def test_cancelled_from_the_start(folder: Path) -> None:
    upload = FletUpload(folder, secret_key="secret")
    url = upload.signer.sign("upload", "a", 60)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await upload.handle(request(url, chunks(b"x")))
    assert scope.cancelled_caught
    assert not folder.exists() or names(folder) == []


async def test_cancelled_at_every_chunk(folder: Path) -> None:
    upload = FletUpload(folder, secret_key="secret")
    url = upload.signer.sign("upload", "a", 60)
    for stop in range(4):
        with anyio.CancelScope() as scope:
            receive = cancelling(scope, stop, chunks(b"1", b"2", b"3", b"4"))
            await upload.handle(request(url, receive))
        assert scope.cancelled_caught
        assert names(folder) == []


async def test_failing_receive(folder: Path) -> None:
    calls = 0

    async def receive() -> Message:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError("broken")
        return {"type": "http.request", "body": b"partial", "more_body": True}

    upload = FletUpload(folder, secret_key="secret")
    with pytest.raises(OSError, match="broken"):
        await upload.handle(request(upload.signer.sign("upload", "a", 60), receive))
    assert names(folder) == []


async def test_destination_becomes_a_folder_while_reading(folder: Path) -> None:
    upload = FletUpload(folder, secret_key="secret")

    async def receive() -> Message:
        (folder / "a").mkdir()
        return {"type": "http.request", "body": b"x", "more_body": False}

    with pytest.raises(OSError, match="a"):
        await upload.handle(request(upload.signer.sign("upload", "a", 60), receive))
    assert names(folder) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "a").write_bytes(b"good")
    opened = anyio.open_file

    async def open_on_full_disk(path: Path, mode: str) -> Any:
        path.symlink_to("/dev/full")
        return await opened(path, "wb")

    monkeypatch.setattr(anyio, "open_file", open_on_full_disk)
    upload = FletUpload(folder, secret_key="secret")
    url = upload.signer.sign("upload", "a", 60)
    # Small enough to wait in the buffer until the file is closed, be it to keep or to discard.
    with pytest.raises(OSError, match="No space left"):
        await upload.handle(request(url, chunks(b"x")))
    receive = chunks(b"x", end={"type": "http.disconnect"})
    assert (await upload.handle(request(url, receive))).status_code == 400
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"good"


async def test_file_that_cannot_be_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*args: Any) -> Any:
        raise OSError("Too many open files")

    monkeypatch.setattr(anyio, "open_file", refuse)
    upload = FletUpload(folder, secret_key="secret")
    with pytest.raises(OSError, match="Too many"):
        await upload.handle(request(upload.signer.sign("upload", "a", 60), chunks(b"x")))
    assert names(folder) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system without mkdir")
async def test_directory_that_cannot_be_made() -> None:
    upload = FletUpload("/proc/none", secret_key="secret")
    with pytest.raises(OSError, match="/proc/none"):
        await upload.handle(request(upload.signer.sign("upload", "a", 60), chunks(b"x")))


async def test_failing_cleanup_does_not_hide_the_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError("no")

    async def receive() -> Message:
        raise RuntimeError("the real failure")

    upload = FletUpload(folder, secret_key="secret")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(RuntimeError, match="the real failure"):
            await upload.handle(request(upload.signer.sign("upload", "a", 60), receive))
    (partial,) = names(folder)
    assert partial in caplog.text


async def test_cleanup_is_bounded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file system that hangs keeps the file for a while, but not the task."""
    begun, go_on, removed = threading.Event(), threading.Event(), threading.Event()
    unlink = Path.unlink

    def hang(path: Path, missing_ok: bool = False) -> None:
        begun.set()
        go_on.wait()
        unlink(path, missing_ok)
        removed.set()

    monkeypatch.setattr(Path, "unlink", hang)
    # The real bound is for people; any bound shows that the wait ends.
    monkeypatch.setattr("flet_anyio.web.uploads._CLEANUP_TIMEOUT", 0.2)
    upload = FletUpload(folder, secret_key="secret")
    body = StuckBody()
    try:
        async with anyio.create_task_group() as tg:
            url = upload.signer.sign("upload", "a", 60)
            tg.start_soon(upload.handle, request(url, body.receive))
            await body.stuck.wait()
            tg.cancel_scope.cancel()
        (partial,) = names(folder)
        assert partial in caplog.text
    finally:
        go_on.set()
    # On a busy machine the bound may be over before the thread has begun; then it never will.
    if begun.is_set():
        await anyio.to_thread.run_sync(removed.wait)
        assert names(folder) == []


async def test_uploads_of_one_name_do_not_mix(folder: Path) -> None:
    upload = FletUpload(folder, secret_key="secret")
    url = upload.signer.sign("upload", "a", 60)
    body = StuckBody()
    async with anyio.create_task_group() as tg:
        tg.start_soon(upload.handle, request(url, body.receive))
        await body.stuck.wait()
        assert (await put(upload, url, b"whole")).status_code == 200
        assert (folder / "a").read_bytes() == b"whole"
        body.released.set()
    assert (folder / "a").read_bytes() == b"partial"
    assert names(folder) == ["a"]


# FletUpload: settings


async def test_environment_gives_defaults(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLET_SECRET_KEY", "secret")
    monkeypatch.setenv("FLET_MAX_UPLOAD_SIZE", "4")
    upload = FletUpload(folder)
    url = UploadSigner("secret").sign("upload", "a", 60)
    assert (await put(upload, url, b"1234")).status_code == 200
    assert (await put(upload, url, b"12345")).status_code == 413


async def test_arguments_win_over_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLET_SECRET_KEY", "other")
    monkeypatch.setenv("FLET_MAX_UPLOAD_SIZE", "4")
    url = UploadSigner("secret").sign("upload", "a", 60)
    for limit in (5, 0):
        upload = FletUpload(folder, max_upload_size=limit, secret_key="secret")
        assert (await put(upload, url, b"12345")).status_code == 200
    with pytest.raises(ValueError, match="FLET_SECRET_KEY"):
        FletUpload(folder, secret_key="")


async def test_bad_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"secret_key.*FLET_SECRET_KEY"):
        FletUpload(folder)
    with pytest.raises(ValueError, match="upload_dir"):
        FletUpload("", secret_key="secret")
    with pytest.raises(ValueError, match="max_upload_size must not be negative"):
        FletUpload(folder, max_upload_size=-1, secret_key="secret")
    for text in ("10MB", "-1"):
        monkeypatch.setenv("FLET_MAX_UPLOAD_SIZE", text)
        with pytest.raises(ValueError, match="FLET_MAX_UPLOAD_SIZE"):
            FletUpload(folder, secret_key="secret")
    monkeypatch.setenv("FLET_MAX_UPLOAD_SIZE", "")
    FletUpload(folder, secret_key="secret")
