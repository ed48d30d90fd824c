"""Compressed copies: how often they are made, where they are kept, what is left of failures."""

from __future__ import annotations

import gzip
import logging
import os
import tempfile
import threading
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import platformdirs
import pytest

from flet_anyio.web.files import cache
from flet_anyio.web.files.cache import CacheFolder
from flet_anyio.web.files.compressed import CompressedFiles
from flet_anyio.web.files.encodings import Encoding, choose_encoding, worth_compressing
from flet_anyio.web.files.fingerprints import LARGEST, Fingerprints, fingerprint
from waiting import reached

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

TEXT = b"a text that repeats itself, " * 20_000
CONTENT = fingerprint(TEXT)


class Packer(Encoding):
    """An encoding that counts what it is asked for, and may be held up."""

    def __init__(self, quick: int = 1, best: int = 1) -> None:
        super().__init__("gzip", quick, best)
        levels: list[int] = []
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "step", lambda: None)

    levels: list[int]
    step: Callable[[], object]

    def compressor(self, level: int) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
        self.levels.append(level)
        stream = zlib.compressobj(level, zlib.DEFLATED, 31)

        def step(data: bytes) -> bytes:
            self.step()
            return stream.compress(data)

        return step, stream.flush

    def do(self, step: Callable[[], object]) -> None:
        object.__setattr__(self, "step", step)


@pytest.fixture(autouse=True)
def parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FLET_ANYIO_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(parent: Path) -> Path:
    return parent / "compressed"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.js"
    path.write_bytes(TEXT)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Which encoding


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("deflate, GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip;q=0", None),
        ("gzip; q=0.001", "gzip"),
        ("gzip;q=0.5, identity;q=0.4", "gzip"),
        ("gzip;q=0.4, identity;q=0.5", None),
        ("gzip;q=0, *;q=0", None),
        ("identity", None),
        ("identity;q=0", None),
        ("identity;q=0, gzip", "gzip"),
        ("gzip;q=bad", None),
        ("deflate, zstd", None),
    ],
)
async def test_encoding_without_brotli(header: str, chosen: str | None) -> None:
    encoding = choose_encoding(header)
    assert (encoding and encoding.name) == chosen


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.5, gzip;q=0.6", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("*", "br"),
        ("*, br;q=0", "gzip"),
        ("*;q=0.5, gzip", "gzip"),
        ("*;q=0.5, identity", None),
    ],
)
async def test_encoding_with_brotli(header: str, chosen: str | None) -> None:
    pytest.importorskip("brotli")
    encoding = choose_encoding(header)
    assert (encoding and encoding.name) == chosen


@pytest.mark.parametrize(
    ("name", "size", "worth"),
    [
        ("main.dart.wasm", 1000, True),
        ("A.JS", 1000, True),
        ("font.otf", 1000, True),
        ("main.js", 10, False),
        ("main.js", LARGEST + 1, False),
        ("font.woff2", 1000, False),
        ("picture.png", 1000, False),
        ("NOTICES", 1000, False),
    ],
)
async def test_what_is_worth_it(name: str, size: int, worth: bool) -> None:
    assert worth_compressing(name, size) == worth


async def test_brotli_can_be_read_again() -> None:
    brotli = pytest.importorskip("brotli")
    encoding = choose_encoding("br")
    assert encoding is not None
    for level in (encoding.quick, encoding.best):
        step, end = encoding.compressor(level)
        packed = step(TEXT[:1000]) + step(TEXT[1000:]) + end()
        assert brotli.decompress(packed) == TEXT


# Fingerprints


async def test_fingerprint_is_read_once_for_each_state(source: Path) -> None:
    prints = Fingerprints()
    found = source.stat()
    assert prints.of(source, found) == CONTENT
    source.write_bytes(b"x" * len(TEXT))
    assert prints.of(source, found) == CONTENT
    os.utime(source, (1, 1))
    assert prints.of(source, source.stat()) == fingerprint(b"x" * len(TEXT))


async def test_fingerprint_of_a_large_file_needs_no_reading(tmp_path: Path) -> None:
    large = tmp_path / "film.mp4"
    with large.open("wb") as file:
        file.truncate(LARGEST + 1)
    prints = Fingerprints()
    old = prints.of(large, large.stat())
    assert old != fingerprint(bytes(LARGEST + 1))
    os.utime(large, (1, 1))
    assert prints.of(large, large.stat()) != old


# How often


async def test_quick_for_the_first_and_best_for_the_others(source: Path, folder: Path) -> None:
    files, packer = CompressedFiles(), Packer(1, 9)
    first = await files.get(source, CONTENT, packer)
    assert first is not None
    assert first.level == 1
    assert gzip.decompress(first.path.read_bytes()) == TEXT
    await reached(lambda: f"{CONTENT}.gzip9" in names(folder))
    second = await files.get(source, CONTENT, packer)
    assert second is not None
    assert second.level == 9
    assert gzip.decompress(second.path.read_bytes()) == TEXT
    assert packer.levels == [1, 9]
    await reached(lambda: names(folder) == [f"{CONTENT}.gzip1", f"{CONTENT}.gzip9"])


async def test_kept_across_starts(source: Path) -> None:
    packer = Packer()
    await CompressedFiles().get(source, CONTENT, packer)
    assert await CompressedFiles().get(source, CONTENT, packer) is not None
    assert packer.levels == [1]


async def test_made_once_for_all_who_wait(source: Path) -> None:
    files, packer = CompressedFiles(), Packer()
    async with anyio.create_task_group() as tg:
        for _ in range(20):
            tg.start_soon(files.get, source, CONTENT, packer)
    assert packer.levels == [1]


async def test_two_threads_at_most(source: Path) -> None:
    files, packer = CompressedFiles(), Packer()
    busy, most, lock = 0, 0, threading.Lock()

    def count() -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.001)
        with lock:
            busy -= 1

    packer.do(count)
    async with anyio.create_task_group() as tg:
        for number in range(10):
            path = source.with_name(f"{number}.js")
            path.write_bytes(TEXT + bytes([number]))
            content = fingerprint(TEXT + bytes([number]))
            tg.start_soon(files.get, path, content, packer)
    assert len(packer.levels) == 10
    assert most <= 2


async def test_cancelled_request_loses_nothing(source: Path) -> None:
    files, packer = CompressedFiles(), Packer()
    began, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        began.set()
        go_on.wait(10)

    packer.do(hold)
    async with anyio.create_task_group() as tg:
        tg.start_soon(files.get, source, CONTENT, packer)
        await reached(began.is_set)
        tg.cancel_scope.cancel()
        go_on.set()
    assert await files.get(source, CONTENT, packer) is not None
    assert packer.levels == [1]


async def test_what_does_not_get_smaller_is_tried_once(tmp_path: Path) -> None:
    noise = os.urandom(100_000)
    path = tmp_path / "noise.bin"
    path.write_bytes(noise)
    packer = Packer(1, 9)
    for _ in range(2):
        assert await CompressedFiles().get(path, fingerprint(noise), packer) is None
    assert packer.levels == [1]


def test_best_copies_end_with_the_event_loop(
    source: Path, folder: Path, anyio_backend_name: str
) -> None:
    packer = Packer(1, 9)
    source.write_bytes(TEXT * 10)
    content = fingerprint(TEXT * 10)
    steps, began = 0, threading.Event()

    def slow() -> None:
        nonlocal steps
        if packer.levels[-1] == 9:
            steps += 1
            began.set()
            time.sleep(0.1)

    async def main() -> None:
        await CompressedFiles().get(source, content, packer)
        await reached(began.is_set)

    packer.do(slow)
    anyio.run(main, backend=anyio_backend_name)
    end = time.monotonic() + 20
    while names(folder) != [f"{content}.gzip1"] and time.monotonic() < end:
        time.sleep(0.01)  # the loop of asyncio does not wait for the thread's last step
    assert names(folder) == [f"{content}.gzip1"]
    assert 1 <= steps < 20  # of 43


async def test_best_copy_that_another_process_makes(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    claim = folder / f".{CONTENT}.gzip9.claim"
    claim.touch()
    other = source.with_name("other.js")
    other.write_bytes(b"other" * 1000)
    files, packer = CompressedFiles(), Packer(1, 9)
    await files.get(source, CONTENT, packer)
    # They are made in order: once the other is there, the first was passed over.
    await files.get(other, fingerprint(b"other" * 1000), packer)
    await reached(lambda: 9 in packer.levels)
    await reached(lambda: len([name for name in names(folder) if name.startswith(".")]) == 1)
    assert sorted(packer.levels) == [1, 1, 9]
    assert claim.exists()


async def test_best_copy_that_a_killed_process_left(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    claim = folder / f".{CONTENT}.gzip9.claim"
    claim.touch()
    os.utime(claim, (time.time() - 1000,) * 2)
    await CompressedFiles().get(source, CONTENT, Packer(1, 9))
    await reached(lambda: names(folder) == [f"{CONTENT}.gzip1", f"{CONTENT}.gzip9"])


# Failures


async def test_file_that_changed_meanwhile(source: Path, folder: Path) -> None:
    files = CompressedFiles()
    assert await files.get(source, fingerprint(b"what it was"), Packer()) is None
    assert names(folder) == []
    assert await files.get(source, CONTENT, Packer()) is not None


async def test_full_disk(source: Path, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    files, packer = CompressedFiles(), Packer()

    def fail() -> None:
        raise OSError(28, "No space left on device")

    packer.do(fail)
    for _ in range(3):
        assert await files.get(source, CONTENT, packer) is None
    assert packer.levels == [1]
    assert names(folder) == []
    assert caplog.text.count("No space left") == 1


async def test_failed_best_copy_leaves_the_quick_one(source: Path, folder: Path) -> None:
    files, packer = CompressedFiles(), Packer(1, 9)
    failed = threading.Event()

    def fail() -> None:
        if packer.levels[-1] == 9:
            failed.set()
            raise MemoryError

    packer.do(fail)
    assert await files.get(source, CONTENT, packer) is not None
    await reached(failed.is_set)
    await reached(lambda: names(folder) == [f"{CONTENT}.gzip1"])
    for _ in range(3):
        found = await files.get(source, CONTENT, packer)
        assert found is not None
        assert found.level == 1
    assert packer.levels == [1, 9]


# The folder


async def test_folder_of_the_user(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLET_ANYIO_CACHE_DIR")
    mine = tmp_path / "users" / "flet-anyio"
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: mine)
    assert await CompressedFiles().get(source, CONTENT, Packer()) is not None
    assert names(mine / "compressed") == [f"{CONTENT}.gzip1"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such permissions here")
async def test_folder_is_private(source: Path, folder: Path) -> None:
    found = await CompressedFiles().get(source, CONTENT, Packer())
    assert found is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert found.path.stat().st_mode & 0o777 == 0o600


async def in_place_of(
    folder: Path, source: Path, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    """Check that copies are kept elsewhere."""
    files = CompressedFiles()
    for _ in range(3):
        found = await files.get(source, CONTENT, Packer())
        assert found is not None
        assert folder not in found.path.parents
    assert found is not None
    assert [reason in text for text in caplog.messages] == [True]
    assert "FLET_ANYIO_CACHE_DIR" in caplog.text
    assert found.path.parent.parent == Path(tempfile.gettempdir())


async def test_folder_that_cannot_be_made(
    source: Path, parent: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parent.write_bytes(b"a file")
    await in_place_of(folder, source, caplog, "Not a directory")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such permissions here")
async def test_folder_that_others_can_write(
    source: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    await in_place_of(folder, source, caplog, "others can write")


async def test_folder_that_is_a_link(
    source: Path, tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.parent.mkdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    await in_place_of(folder, source, caplog, "is a link")


async def test_user_without_a_home(
    source: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.delenv("FLET_ANYIO_CACHE_DIR")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: Path("~/.cache"))
    await in_place_of(folder, source, caplog, "this user has none")


def test_folder_instead_ends_with_its_object(parent: Path) -> None:
    parent.write_bytes(b"a file")
    folder = CacheFolder("compressed")
    path = folder.path
    assert path is not None
    with folder.writing("x") as file:
        file.write(b"x")
    assert names(path) == ["x"]
    del folder
    assert not path.exists()


async def test_nowhere_to_write(
    source: Path,
    parent: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    parent.write_bytes(b"a file")

    def fail(**_: object) -> str:
        raise PermissionError("read-only")

    monkeypatch.setattr(tempfile, "mkdtemp", fail)
    files, packer = CompressedFiles(), Packer()
    for _ in range(3):
        assert await files.get(source, CONTENT, packer) is None
    assert packer.levels == []
    assert ["without compression" in text for text in caplog.messages] == [True]
    assert caplog.records[0].levelno == logging.WARNING


async def test_sweep(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_MAX_BYTES", 10_000)
    folder.mkdir(parents=True, mode=0o700)
    minute, hour, day = 60, 3600, 24 * 3600
    ages = {
        "new": 0,
        "used": minute,
        "too.much": 2 * minute,
        "unused": 100 * day,
        ".a.part": hour // 2,
        ".b.part": 2 * hour,
        ".c.claim": 2 * hour,
    }
    now = time.time()
    for name, age in ages.items():
        path = folder / name
        path.write_bytes(b"x" * (10_000 if name == "too.much" else 1000))
        os.utime(path, (now - age, now - age))
    await CompressedFiles().get(source, CONTENT, Packer())
    assert set(names(folder)) == {"new", "used", ".a.part", f"{CONTENT}.gzip1"}


async def test_what_is_in_use_is_not_swept(source: Path, folder: Path) -> None:
    await CompressedFiles().get(source, CONTENT, Packer())
    path = folder / f"{CONTENT}.gzip1"
    old = time.time() - 80 * 24 * 3600
    os.utime(path, (old, old))
    await CompressedFiles().get(source, CONTENT, Packer())
    assert path.stat().st_mtime > old + 1000


async def test_copy_that_was_removed_is_made_again(source: Path, folder: Path) -> None:
    files, packer = CompressedFiles(), Packer()
    await files.get(source, CONTENT, packer)
    (folder / f"{CONTENT}.gzip1").unlink()
    assert await files.get(source, CONTENT, packer) is not None
    assert packer.levels == [1, 1]


def test_several_event_loops(source: Path) -> None:
    pytest.importorskip("trio")
    files, packer = CompressedFiles(), Packer()
    for backend in ("asyncio", "trio", "asyncio"):
        assert anyio.run(files.get, source, CONTENT, packer, backend=backend) is not None
    assert packer.levels == [1]
