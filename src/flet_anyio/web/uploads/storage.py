"""Uploaded files: where a name leads to, and how a file comes there whole or not at all.

Everything here blocks: call it in worker threads.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import stat
import sys
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .refusal import UploadRefused, busy

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PartialFile", "free_space", "sweep"]

logger = logging.getLogger(__name__)

# Of one segment of a path, in bytes: the limit of common file systems.
_MAX_SEGMENT = 255

# A folder may be removed between the moment it is opened and that a file is made in it, by an
# upload that had made it and failed.
_ATTEMPTS = 5

# Bytes after which the disk is waited for: left to the end, a large file would take it minutes
# in which nothing is heard of, and proxies give up.
_FLUSHED = 64 * 1024 * 1024

_PARTIAL = re.compile(r"\.flet-[0-9a-f]{32}\.part")

_DRIVE = re.compile(r"[A-Za-z]:")

# Windows takes these for devices, with any ending, so files of such names cannot be moved there.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|\Z)", re.I)

# What a file system says when the destination cannot exist: the fault of the name, not ours.
_BAD_DESTINATION = {
    errno.EEXIST,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
}

# What it says when there is no room: on the disk, for the user, and for one file.
_NO_ROOM = {errno.ENOSPC: 507, errno.EDQUOT: 507, errno.EFBIG: 413}

# And what the process or the system says that has too many files open: that passes.
_TOO_MANY_OPEN = {errno.EMFILE, errno.ENFILE}

_AT = os.open in os.supports_dir_fd and hasattr(os, "O_DIRECTORY")
"""Whether files can be named relative to an open folder."""


class PartialFile:
    """A file that is being written, beside the one that it is to become.

    `open` it, `write`, and `commit`; whatever goes wrong, `discard` it. It is hidden and locked:
    a `sweep`, of another process too, leaves it alone while it is being written.

    May be discarded from another thread while one is at work on it, as happens to who waits for
    that one and is cancelled by other means than a scope.

    Args:
        root: Directory that the file must lie in.
        file_name: Its path in there, with forward slashes.
    """

    def __init__(self, root: str, file_name: str) -> None:
        self._root = root
        self._file_name = file_name
        self._name = f".flet-{uuid.uuid4().hex}.part"
        self._target = ""
        self._folder: _Folder | None = None
        self._fd: int | None = None
        self._unflushed = 0
        self._made: list[str] = []
        self._over = False
        self._lock = threading.Lock()

    def open(self) -> None:
        """Find the destination, make the folders it needs, and begin the file.

        Raises:
            UploadRefused: 400 when the name leads nowhere, out of the directory or to a folder,
                503 when too many files are open, 507 when there is no room.
            OSError: The file cannot be made, for a reason of ours.
        """
        segments = _segments(self._file_name)
        with self._lock, _refusals():
            if self._over:
                return
            for _ in range(_ATTEMPTS):
                with contextlib.suppress(FileNotFoundError):
                    if self._begin(segments):
                        return
                self._undo()
            raise OSError(f"folders under {self._root} vanish while they are made")

    def write(self, data: bytes | bytearray) -> None:
        """Append `data`.

        Raises:
            UploadRefused: 413 or 507: there is no room.
            OSError: It cannot be written, for a reason of ours.
        """
        rest = memoryview(data)
        with self._lock, _refusals():
            while rest and self._fd is not None:
                written = os.write(self._fd, rest)
                rest = rest[written:]
                self._unflushed += written
                if self._unflushed >= _FLUSHED:
                    os.fsync(self._fd)
                    self._unflushed = 0

    def commit(self) -> None:
        """Put the file in the place of the earlier one, in one step.

        When it returns, the file survives a power cut; until then, the earlier one or this does.

        Raises:
            UploadRefused: 400 when the destination became a folder, 507 when there is no room.
            OSError: It cannot be written, for a reason of ours.
        """
        with self._lock, _refusals():
            if self._fd is None or self._folder is None:
                return
            os.fsync(self._fd)
            if sys.platform == "win32":
                self._close()  # what is open there cannot be renamed
            # Elsewhere it is still locked: nobody sweeps it between closing and renaming.
            self._folder.replace(self._name, self._target)
            self._over = True
            self._close()
            try:
                self._folder.flush()
            finally:
                self._folder.close()

    def discard(self) -> None:
        """Remove the file, and the folders that were made for it and are empty.

        Does nothing to a file that was committed. Raises nothing: the failure that led here
        matters more and is on its way up.
        """
        with self._lock:
            if not self._over:
                self._over = True
                self._undo()

    def _begin(self, segments: list[str]) -> bool:
        root, *folders, self._target = _resolve(self._root, segments)
        self._folder = _Folder.find(root, folders, self._made)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._fd = self._folder.open(self._name, flags)
        return _claim(self._fd)

    def _undo(self) -> None:
        try:
            self._close()
            if self._folder is not None:
                self._folder.remove(self._name)
        except OSError:
            logger.warning("a partial upload could not be removed", exc_info=True)
        if self._folder is not None:
            self._folder.close()
        while self._made:
            with contextlib.suppress(OSError):  # another upload is in it
                os.rmdir(self._made.pop())

    def _close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)


class _Folder:
    """An open folder. Files in it are named relative to it, so that no link comes between.

    Where the system has no such names, their path is taken.
    """

    def __init__(self, path: str, fd: int | None) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def find(cls, root: str, folders: list[str], made: list[str]) -> Self:
        """Open `root/folders…`. What is missing is made, and added to `made`.

        The path has no links: one that has come meanwhile is not followed.
        """
        os.makedirs(root, exist_ok=True)
        folder = cls(root, _open_folder(root) if _AT else None)
        for name in folders:
            try:
                inner = folder._enter(name, made)
            finally:
                folder.close()
            folder = inner
        return folder

    def _enter(self, name: str, made: list[str]) -> Self:
        path = os.path.join(self._path, name)
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._at(name), dir_fd=self._fd)
            made.append(path)
        return type(self)(path, _open_folder(name, self._fd) if _AT else None)

    def open(self, name: str, flags: int) -> int:
        return os.open(self._at(name), flags, 0o666, dir_fd=self._fd)

    def replace(self, name: str, target: str) -> None:
        os.replace(self._at(name), self._at(target), src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._at(name), dir_fd=self._fd)

    def flush(self) -> None:
        if self._fd is not None:
            os.fsync(self._fd)

    def close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def _at(self, name: str) -> str:
        return name if self._fd is not None else os.path.join(self._path, name)


def _open_folder(name: str, inside: int | None = None) -> int:
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=inside)


def free_space(root: str) -> int | None:
    """Return how many bytes there is room for under `root`, or None where that is not known."""
    # The folder may not be there yet; what it will lie on is.
    for folder in (Path(root), *Path(root).parents):
        try:
            found = os.statvfs(folder)
        except FileNotFoundError:
            continue
        except (AttributeError, OSError):
            break
        return found.f_bavail * found.f_frsize
    return None


def sweep(root: str, stop: threading.Event) -> None:
    """Remove the partial files under `root` that processes left which are no more.

    Those of living processes, this one among them, are locked and stay. It looks into every
    folder and ends early once `stop` is set.
    """
    for folder, _, names in os.walk(root):
        if stop.is_set():
            return
        for name in filter(_PARTIAL.fullmatch, names):
            try:
                _remove_if_left(os.path.join(folder, name))
            except OSError as error:
                logger.warning("a partial upload that was left could not be removed: %s", error)


def _claim(fd: int) -> bool:
    """Keep others from taking a file for one that was left; False if one just did."""
    if sys.platform == "win32":
        return True  # what is open there cannot be removed
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # The file system has no locks. A sweep, which gets none either, removes nothing.
        return True
    return os.fstat(fd).st_nlink > 0


def _remove_if_left(path: str) -> None:
    if sys.platform == "win32":
        with contextlib.suppress(PermissionError):  # it is open
            os.unlink(path)
        return
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    except BlockingIOError:
        pass
    finally:
        os.close(fd)


def _resolve(root: str, segments: list[str]) -> list[str]:
    """Return the real path of `root`, and the segments that lead on from there with no links."""
    root = os.path.realpath(root)
    # Resolved, so that links count for where they lead, dangling ones too.
    target = Path(os.path.realpath(os.path.join(root, *segments)))
    if not target.is_relative_to(root) or target == Path(root):
        raise _bad_destination()
    with contextlib.suppress(FileNotFoundError):
        # Says also that a path is too long, or leads through a file.
        if stat.S_ISDIR(target.stat().st_mode):
            raise _bad_destination()
    return [root, *target.relative_to(root).parts]


def _segments(file_name: str) -> list[str]:
    """Split a relative path into its segments, refusing all that could be read in another way."""
    segments = file_name.split("/")
    if not all(map(_is_plain, segments)):
        raise _bad_destination()
    return segments


def _is_plain(segment: str) -> bool:
    # An empty segment is also what an absolute path starts with and a folder's ends with. One
    # that ends with a dot or a space is another one on Windows; so are ".", ".." and blank ones.
    if not segment or segment[-1] in ". " or "\0" in segment or "\\" in segment:
        return False
    # On Windows a colon anywhere names an alternate stream of the file before it.
    if _DRIVE.match(segment) or (os.name == "nt" and ":" in segment):
        return False
    if _DEVICE.match(segment) or _PARTIAL.fullmatch(segment):
        return False
    try:
        return len(segment.encode()) <= _MAX_SEGMENT
    except UnicodeEncodeError:
        return False


def _bad_destination() -> UploadRefused:
    return UploadRefused(400, "A file cannot be stored under this name. Rename it.")


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turn into refusals what the system says of the name, of the room, or of what is open."""
    try:
        yield
    except OSError as error:
        if error.errno in _BAD_DESTINATION:
            raise _bad_destination() from error
        if error.errno in _TOO_MANY_OPEN:
            logger.warning("no file can be opened for an upload: %s", error.strerror)
            raise busy() from error
        status = _NO_ROOM.get(error.errno or 0)
        if status is None:
            raise
        logger.warning("no room for an upload: %s", error.strerror)
        raise UploadRefused(status, "There is no room for this file on the server.") from error
