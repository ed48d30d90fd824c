"""Names, links, partial files of the living and the dead. All of it blocks, so no event loop."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flet_anyio.web.uploads import storage
from flet_anyio.web.uploads.refusal import UploadRefused
from flet_anyio.web.uploads.storage import PartialFile, free_space, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The upload directory, which nobody has made yet."""
    return tmp_path / "uploads"


@pytest.fixture(params=["relative", "paths"])
def naming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With folders that are held open, and without, as on Windows."""
    if request.param == "paths":
        monkeypatch.setattr(storage, "_AT", False)


def names(root: Path) -> list[str]:
    """All that is under `root`; folders end with a slash."""
    return sorted(
        str(path.relative_to(root)) + ("/" if path.is_dir() else "") for path in root.rglob("*")
    )


def store(root: Path, name: str, data: bytes = b"new") -> None:
    file = PartialFile(str(root), name)
    try:
        file.open()
        file.write(data)
        file.commit()
    except BaseException:
        file.discard()
        raise


def refused(root: Path, name: str) -> int:
    with pytest.raises(UploadRefused) as caught:
        store(root, name, b"evil")
    return caught.value.status


@pytest.mark.usefixtures("naming")
@pytest.mark.parametrize(
    "name",
    ["a", "x/y/ü & + %2F.txt", "x/12:30.txt", ".hidden", "-", "x/" + "n" * 255, "console", "com10"],
)
def test_a_file_is_stored(folder: Path, name: str) -> None:
    store(folder, name)
    assert (folder / name).read_bytes() == b"new"
    store(folder, name, b"newer")
    assert (folder / name).read_bytes() == b"newer"
    assert sum(path.is_file() for path in folder.rglob("*")) == 1


@pytest.mark.parametrize(
    "name",
    [
        *("../a", "x/../../a", "x/../a", "..", ".", "./a", "...", "x/..."),
        *("", "/etc/a", "//a", "x//a", "x/", " ", "x/ /a"),
        *("a\0b", "\0", "..\\a", "x\\a", "\\\\host\\share\\a", "C:/a", "c:a", "x/c:a", "C:"),
        *("con", "CON", "con.txt", "x/Nul", "nul.tar.gz", "COM1", "com¹.txt", "lpt9", "aux /a"),
        *("CONIN$", "prn.", "prn ."),
        *("a.", "a ", "x./a", "x /a", "a. ."),
        *("n" * 256, "ü" * 128, "\ud800", "/".join(["n" * 200] * 30)),
        *(".flet-" + "0" * 32 + ".part", "x/.flet-" + "0" * 32 + ".part"),
    ],
)
def test_a_bad_name(folder: Path, name: str) -> None:
    assert refused(folder, name) == 400
    assert names(folder.parent) == []


@pytest.mark.usefixtures("naming")
def test_a_destination_that_is_a_folder_or_under_a_file(folder: Path) -> None:
    store(folder, "x/a", b"good")
    for name in ("x", "x/a/b", "x/a/b/c"):
        assert refused(folder, name) == 400, name
    assert names(folder) == ["x/", "x/a"]
    assert (folder / "x/a").read_bytes() == b"good"


@pytest.mark.usefixtures("naming")
def test_links_that_lead_out(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"good")
    folder.mkdir()
    (folder / "dir").symlink_to(outside)
    (folder / "file").symlink_to(outside / "file")
    (folder / "dangling").symlink_to(outside / "new")
    (folder / "up").symlink_to("..")
    (folder / "loop").symlink_to("loop")
    # A sibling whose name only begins like the directory's.
    (tmp_path / "uploads2").mkdir()
    (folder / "sibling").symlink_to(tmp_path / "uploads2")
    for name in ("dir/a", "file", "dangling", "up/a", "up", "sibling/a", "loop", "loop/a"):
        assert refused(folder, name) == 400, name
    assert names(outside) == ["file"]
    assert (outside / "file").read_bytes() == b"good"
    assert names(tmp_path / "uploads2") == []


@pytest.mark.usefixtures("naming")
def test_links_that_stay_inside_are_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "real").mkdir(parents=True)
    (folder / "link").symlink_to("real")
    (tmp_path / "alias").symlink_to(folder)
    store(tmp_path / "alias", "link/a")
    assert (folder / "real/a").read_bytes() == b"new"


@pytest.mark.skipif(not storage._AT, reason="needs files named relative to open folders")
def test_a_link_that_comes_after_the_check_is_not_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "x").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    resolve = storage._resolve

    def resolve_and_swap(root: str, segments: list[str]) -> list[str]:
        found = resolve(root, segments)
        (folder / "x").rmdir()
        (folder / "x").symlink_to(outside)
        return found

    monkeypatch.setattr(storage, "_resolve", resolve_and_swap)
    assert refused(folder, "x/a") == 400
    assert names(outside) == []


@pytest.mark.skipif(not storage._AT, reason="needs files named relative to open folders")
def test_a_link_that_comes_while_the_file_is_written_is_not_followed(
    folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_bytes(b"good")
    file = PartialFile(str(folder), "x/a")
    file.open()
    (folder / "x").rename(folder / "y")
    (folder / "x").symlink_to(outside)
    file.write(b"new")
    file.commit()
    assert (outside / "a").read_bytes() == b"good"
    assert (folder / "y/a").read_bytes() == b"new"


def test_a_link_at_the_destination_is_replaced_and_not_written_through(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "good").write_bytes(b"good")
    file = PartialFile(str(folder), "a")
    file.open()
    file.write(b"new")
    (folder / "a").symlink_to(tmp_path / "good")
    file.commit()
    assert (tmp_path / "good").read_bytes() == b"good"
    assert (folder / "a").read_bytes() == b"new"


@pytest.mark.skipif(not storage._AT, reason="folders cannot be flushed there")
def test_a_file_is_on_the_disk_before_it_replaces_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def noted(name: str) -> None:
        call = getattr(os, name)

        def note(*args: Any, **kwargs: Any) -> Any:
            kind = "folder" if name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode) else ""
            steps.append(f"{name} {kind}".strip())
            return call(*args, **kwargs)

        monkeypatch.setattr(os, name, note)

    for name in ("write", "fsync", "replace"):
        noted(name)
    store(folder, "a", b"12345")
    assert steps == ["write", "fsync", "replace", "fsync folder"]
    # A large one on the way, too.
    monkeypatch.setattr(storage, "_FLUSHED", 4)
    steps.clear()
    store(folder, "a", b"12345")
    assert steps == ["write", "fsync", "fsync", "replace", "fsync folder"]


@pytest.mark.skipif(not storage._AT, reason="folders cannot be flushed there")
def test_a_folder_that_cannot_be_flushed_is_no_secret_and_is_closed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any) -> None:
        raise OSError(errno.EIO, "broken")

    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    monkeypatch.setattr(storage._Folder, "flush", broken)
    with pytest.raises(OSError, match="broken"):
        store(folder, "x/a")
    assert names(folder) == ["x/", "x/a"]
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


# What is left


@pytest.mark.usefixtures("naming")
def test_what_is_discarded_leaves_nothing(folder: Path) -> None:
    store(folder, "x/a", b"good")
    for name in ("x/a", "x/y/z/a", "u/a"):
        file = PartialFile(str(folder), name)
        file.open()
        file.write(b"evil")
        assert len(list(folder.rglob(".flet-*.part"))) == 1
        file.discard()
        file.discard()
    assert names(folder) == ["x/", "x/a"]
    assert (folder / "x/a").read_bytes() == b"good"


def test_a_folder_that_another_upload_uses_stays(folder: Path) -> None:
    first, second = (PartialFile(str(folder), f"x/{name}") for name in "ab")
    first.open()
    second.open()
    first.discard()
    second.write(b"new")
    second.commit()
    assert names(folder) == ["x/", "x/b"]


@pytest.mark.usefixtures("naming")
def test_a_folder_that_vanishes_meanwhile_is_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = storage._Folder.find
    times = 0

    def find_and_remove(root: str, folders: list[str], made: list[str]) -> Any:
        nonlocal times
        times += 1
        found = find(root, folders, made)
        if times < 3:
            (folder / "x").rmdir()
        return found

    monkeypatch.setattr(storage._Folder, "find", find_and_remove)
    store(folder, "x/a")
    assert names(folder) == ["x/", "x/a"]
    assert times == 3


def test_a_committed_file_is_not_discarded(folder: Path) -> None:
    store(folder, "a")
    file = PartialFile(str(folder), "a")
    file.open()
    file.write(b"newer")
    file.commit()
    file.discard()
    assert (folder / "a").read_bytes() == b"newer"
    assert names(folder) == ["a"]


def test_what_was_discarded_before_it_began_does_not_begin(folder: Path) -> None:
    file = PartialFile(str(folder), "x/a")
    file.discard()
    file.open()
    file.write(b"new")
    file.commit()
    assert not folder.exists()


def test_no_descriptor_is_left(folder: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("reads /proc")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("a", "x/y/a"):
        store(folder, name)
    refused(folder, "x")
    file = PartialFile(str(folder), "x/z/a")
    file.open()
    file.discard()
    sweep(str(folder), threading.Event())
    assert len(os.listdir("/proc/self/fd")) == before


# Room


@contextlib.contextmanager
def tiny_disk(path: Path) -> Iterator[None]:
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_full_disk(folder: Path) -> None:
    with tiny_disk(folder):
        store(folder, "a", b"good")
        for name in ("a", "x/b"):
            with pytest.raises(UploadRefused) as caught:
                store(folder, name, b"evil" * 50_000)
            assert caught.value.status == 507
        assert names(folder) == ["a"]
        assert (folder / "a").read_bytes() == b"good"
        free = free_space(str(folder / "not/yet"))
        assert free is not None
        assert 0 < free < 64 * 1024


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EFBIG, 413)]
)
@pytest.mark.parametrize("call", ["write", "fsync", "replace", "mkdir"])
def test_a_disk_that_says_it_is_full(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int, call: str
) -> None:
    store(folder, "a", b"good")

    def full(*args: Any, **kwargs: Any) -> Any:
        raise OSError(number, "no room")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(UploadRefused) as caught:
        store(folder, "x/b")
    monkeypatch.undo()
    assert caught.value.status == status
    assert names(folder) == ["a"]


def test_what_is_wrong_with_the_server_is_no_refusal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> Any:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "write", broken)
    with pytest.raises(OSError, match="broken"):
        store(folder, "a")
    assert names(folder) == []


def test_a_write_that_takes_less_than_it_was_given_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    store(folder, "a", b"0123456789")
    assert (folder / "a").read_bytes() == b"0123456789"


def test_room_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "statvfs")
    assert free_space(str(tmp_path)) is None


# The sweep

LEFT = """
import sys
from flet_anyio.web.uploads.storage import PartialFile
files = [PartialFile(sys.argv[1], name) for name in ("a", "x/b")]
for file in files:
    file.open()
    file.write(b"partial")
print("open", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One that writes two files."""
    with subprocess.Popen(
        [sys.executable, "-c", LEFT, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        try:
            yield process
        finally:
            process.kill()


def test_only_what_dead_processes_left_is_swept(folder: Path) -> None:
    store(folder, "x/b", b"good")
    (folder / ".flet-mine.part").write_bytes(b"of somebody else")
    mine = PartialFile(str(folder), "x/c")
    mine.open()
    with another_process(folder) as process:
        sweep(str(folder), threading.Event())
        assert len(list(folder.rglob(".flet-*.part"))) == 4
        process.kill()
        process.wait()
        sweep(str(folder), threading.Event())
    (partial,) = set(names(folder)) - {"x/", "x/b", ".flet-mine.part"}
    mine.write(b"new")
    mine.commit()
    assert not (folder / partial).exists()
    assert names(folder) == [".flet-mine.part", "x/", "x/b", "x/c"]
    assert (folder / "x/b").read_bytes() == b"good"


def test_a_sweep_that_is_stopped_touches_nothing(folder: Path) -> None:
    folder.mkdir()
    left = folder / (".flet-" + "0" * 32 + ".part")
    left.write_bytes(b"x")
    stop = threading.Event()
    stop.set()
    sweep(str(folder), stop)
    assert left.exists()
    sweep(str(folder), threading.Event())
    assert not left.exists()


def test_a_sweep_of_nothing(folder: Path) -> None:
    sweep(str(folder), threading.Event())
    assert not folder.exists()


def test_a_sweep_follows_no_links(folder: Path, tmp_path: Path) -> None:
    name = ".flet-" + "0" * 32 + ".part"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / name).write_bytes(b"x")
    folder.mkdir()
    (folder / "dir").symlink_to(outside)
    (folder / name).symlink_to(outside / name)
    sweep(str(folder), threading.Event())
    assert (outside / name).exists()


def test_a_file_that_is_swept_as_it_begins_is_begun_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = storage._claim
    times = 0

    def swept_before(fd: int) -> bool:
        nonlocal times
        times += 1
        if times == 1:
            sweep(str(folder), threading.Event())
        return claim(fd)

    monkeypatch.setattr(storage, "_claim", swept_before)
    store(folder, "a")
    assert times == 2
    assert names(folder) == ["a"]


def test_without_locks_nothing_is_swept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def no_locks(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    file = PartialFile(str(folder), "a")
    file.open()
    sweep(str(folder), threading.Event())
    file.commit()
    assert names(folder) == ["a"]
