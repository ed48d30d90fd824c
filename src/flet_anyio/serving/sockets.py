"""The listening sockets that this package opens itself."""

from __future__ import annotations

import socket

from ..compat.tcp import bound_writes

__all__ = ["BACKLOG", "listen", "url_of"]

BACKLOG = 1024
"""Connections that wait to be accepted. All clients come back at once when a server restarts."""


def listen(host: str, port: int, *, write_timeout: float | None = None) -> socket.socket:
    """Bind and listen. Port 0 takes a free one.

    `write_timeout` is how many seconds the system waits for a peer to take anything of what was
    sent before it drops the connection, where the system has such a bound. That holds for
    requests too, not for WebSockets only.

    Raises:
        OSError: The address is in use, unknown, or not ours to bind.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if write_timeout is not None:
            bound_writes(listener, write_timeout)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket, host: str, place: str = "") -> str:
    """The URL under which a person on this machine reaches what is served at `place`."""
    port = listener.getsockname()[1]
    if host in ("", "0.0.0.0", "::", "*"):  # noqa: S104 - nothing is bound here
        host = "127.0.0.1"
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}{place}/"
