"""What a file holds, in a few characters: for entity tags and names that follow the content."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from pathlib import Path

__all__ = ["LARGEST", "Fingerprints", "fingerprint"]

LARGEST = 32 << 20
"""Bytes up to which a file is read for its fingerprint."""

_MAX_KEPT = 4096


def fingerprint(content: bytes) -> str:
    """Of bytes; the same as that of a file of up to `LARGEST` bytes that holds them."""
    return _shortened(hashlib.sha256(content))


class Fingerprints:
    """Fingerprints of files, each read once for as long as its size and times stay.

    That of a file above `LARGEST` comes from size, time and inode, as other servers' entity tags
    do: whoever asks for the first second of a film should not wait until all of it was read.

    Threads may share it. It reads files, so call it in a worker thread.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[int, ...], str]] = {}
        self._lock = threading.Lock()

    def of(self, path: str | Path, stat_result: os.stat_result) -> str:
        """The fingerprint of the file at `path`.

        Raises:
            OSError: It cannot be read.
        """
        key, state = str(path), _state(stat_result)
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and kept[0] == state:
            return kept[1]
        print_ = _read(key, stat_result)
        with self._lock:
            while len(self._kept) >= _MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = state, print_
        return print_


def _state(stat_result: os.stat_result) -> tuple[int, ...]:
    return stat_result.st_size, stat_result.st_mtime_ns, stat_result.st_ino


def _read(path: str, stat_result: os.stat_result) -> str:
    if stat_result.st_size > LARGEST:
        return _shortened(hashlib.sha256(repr(_state(stat_result)).encode()))
    with open(path, "rb") as file:
        return _shortened(hashlib.file_digest(file, "sha256"))


def _shortened(digest: hashlib._Hash) -> str:
    return digest.hexdigest()[:32]
