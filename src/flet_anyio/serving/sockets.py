"""The listening sockets that this package opens itself."""

from __future__ import annotations

import socket

__all__ = ["listen", "url_of"]

_BACKLOG = 1024


def listen(host: str, port: int, *, user_timeout: float | None = None) -> socket.socket:
    """Bind and listen. Port 0 takes a free one.

    `user_timeout` is how many seconds the system waits for a peer to take what was sent before
    it drops the connection. Accepted sockets inherit it; where the system has it, it releases
    a write that nothing else can cancel.

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
        if user_timeout is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            milliseconds = max(1, round(user_timeout * 1000))
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket, host: str) -> str:
    """The URL under which a person on this machine reaches a listening socket."""
    port = listener.getsockname()[1]
    if host in ("", "0.0.0.0", "::", "*"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
