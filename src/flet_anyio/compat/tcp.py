"""The system's own bound on writes: it drops a connection whose peer takes nothing."""

from __future__ import annotations

import socket
import struct
import sys
from typing import Protocol

__all__ = ["bound_writes", "unconfirmed"]


class _Socket(Protocol):
    def fileno(self) -> int: ...
    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...


def bound_writes(sock: _Socket, seconds: float) -> bool:
    """Have the system drop the connection when its peer takes nothing for so long.

    What counts is progress: a peer that reads slowly and steadily is kept, however large what
    is written. Accepted sockets inherit it from a listening one. Linux has it, for TCP; where
    there is no such thing, return False.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return False
    try:
        # 0 would mean the system's default, which is in the range of a quarter of an hour.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, round(seconds * 1000)))
    except (OSError, ValueError):  # a Unix socket, or closed already, which uvloop says so
        return False
    return True


def unconfirmed(sock: _Socket) -> int:
    """How many bytes of what was sent the peer's system has not confirmed. Linux knows; else 0."""
    if sys.platform != "linux":
        return 0
    import fcntl
    import termios

    try:
        answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    except (OSError, ValueError):  # closed already
        return 0
    return int(struct.unpack("i", answer)[0])
