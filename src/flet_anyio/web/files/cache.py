"""A folder of files that can be made again, which outlives the process."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

__all__ = ["CacheFolder"]

logger = logging.getLogger(__name__)

_VARIABLE = "FLET_ANYIO_CACHE_DIR"
_MAX_BYTES = 256 << 20
_DAY = 24 * 3600.0
_KEEP_UNUSED = 90 * _DAY
_KEEP_UNFINISHED = 3600.0
_CLAIM_LASTS = 600.0


class CacheFolder:
    """Files by name, in a folder that several processes may use at the same time.

    It is in FLET_ANYIO_CACHE_DIR, else in the user's folder for caches. Where that cannot be
    used it is one that ends with this object, and where nothing can be written there is none:
    either is logged once.

    It is this user's alone, as browsers run what comes from it. It is kept below 256 MiB, and
    what nobody asked for in 90 days goes.

    Everything here works on files, so call it in worker threads, which may share it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._path: Path | None = None
        self._chosen = False
        self._lock = threading.Lock()

    @property
    def path(self) -> Path | None:
        """Where it is, if anywhere. Made when first asked for."""
        with self._lock:
            if not self._chosen:
                self._path = self._choose()
                self._chosen = True
            return self._path

    def find(self, name: str) -> tuple[Path, os.stat_result] | None:
        """A file that is there, and will be for long enough to be read."""
        if self.path is None:
            return None
        path = self.path / name
        try:
            found = path.stat()
            if time.time() - found.st_mtime > _DAY:
                os.utime(path)  # what is in use is not swept
        except OSError:
            return None
        return path, found

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A file that gets its name at the end of the block, as a whole, and else is gone.

        Raises:
            OSError: There is no folder, or no space.
        """
        with _unfinished(self._existing()) as file:
            yield file
            file.flush()
            # Else a power cut may leave the name with nothing behind it, for ever.
            os.fsync(file.fileno())
            file.close()  # Windows renames no file that is open
            os.replace(file.name, self._existing() / name)
        _sweep(self._existing())

    @contextlib.contextmanager
    def claiming(self, name: str) -> Iterator[bool]:
        """Tell whether `name` is ours to write; no other process does while we are in the block.

        A claim ends after ten minutes, as its process may have been killed.
        """
        claim = self._existing() / f".{name}.claim"
        try:
            os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            if time.time() - claim.stat().st_mtime < _CLAIM_LASTS:
                yield False
                return
            os.utime(claim)
        try:
            yield True
        finally:
            _remove(claim)

    def _existing(self) -> Path:
        if self.path is None:
            raise FileNotFoundError("there is no folder for caches")
        return self.path

    def _choose(self) -> Path | None:
        try:
            path = _parent() / self._name
            _make_private(path)
        except OSError as error:
            return self._do_without(error)
        _sweep(path)
        return path

    def _do_without(self, reason: OSError) -> Path | None:
        # Its text alone: an error that some log handler keeps would keep this object too.
        told = "no folder for caches (%s); set " + _VARIABLE + ". Until then %s"
        try:
            path = Path(tempfile.mkdtemp(prefix="flet-anyio-"))
        except OSError:
            logger.warning(told, str(reason), "files are sent without compression")
            return None
        weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        logger.warning(told, str(reason), "files are compressed anew after each start")
        return path


def _parent() -> Path:
    configured = os.environ.get(_VARIABLE)
    if configured:
        return Path(configured).absolute()
    path = platformdirs.user_cache_path("flet-anyio", appauthor=False)
    if not path.is_absolute():  # who has no home has "~" there
        raise FileNotFoundError("this user has none")
    return path


def _make_private(path: Path) -> None:
    """Make the folder if need be, and see that it is this user's and can be written.

    Raises:
        OSError: It is not.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(f"{path} is a link")
    # Whoever can write there decides what visitors' browsers run.
    if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
        raise PermissionError(f"others can write to {path}")
    with _unfinished(path):
        pass


@contextlib.contextmanager
def _unfinished(folder: Path) -> Iterator[IO[bytes]]:
    """A file of which nothing remains unless it gets another name."""
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
    try:
        os.close(descriptor)
        with open(name, "wb") as file:
            yield file
    finally:
        _remove(name)


def _sweep(folder: Path) -> None:
    """Remove what is old or too much, and what killed processes left."""
    room, now = _MAX_BYTES, time.time()
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            found = [(entry, entry.stat()) for entry in entries]
        for entry, info in sorted(found, key=lambda pair: pair[1].st_mtime, reverse=True):
            unfinished = entry.name.startswith(".")
            room -= 0 if unfinished else info.st_size
            too_much = room < 0 and not unfinished
            keep = _KEEP_UNFINISHED if unfinished else _KEEP_UNUSED
            if too_much or now - info.st_mtime > keep:
                _remove(entry)


def _remove(path: str | os.PathLike[str]) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
