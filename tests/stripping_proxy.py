"""A reverse proxy that publishes a server under a prefix, as small as it can be.

As a program: `python stripping_proxy.py PORT TARGET_PORT PREFIX`.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from anyio.abc import ByteReceiveStream, ByteSendStream, SocketStream, TaskStatus

__all__ = ["serve_proxy"]


async def serve_proxy(
    target_port: int,
    prefix: str,
    *,
    strip: bool = True,
    port: int = 0,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Pass on what asks for a path under `prefix`, without it. Reports the URL, and the prefix.

    With `strip` false, the path is passed on as it is.
    """
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port) as listener:
        taken = listener.extra(anyio.abc.SocketAttribute.local_port)
        task_status.started(f"http://127.0.0.1:{taken}{prefix}")
        await listener.serve(partial(_pass_on, target_port, prefix, strip))


async def _pass_on(target_port: int, prefix: str, strip: bool, client: SocketStream) -> None:
    """Carry one request. What ends on either side ends the other, too."""
    try:
        async with client:
            received = BufferedByteReceiveStream(client)
            head = await received.receive_until(b"\r\n\r\n", 65536)
            rewritten = _rewrite(head, prefix, strip)
            if rewritten is None:
                await client.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                return
            async with (
                await anyio.connect_tcp("127.0.0.1", target_port) as server,
                anyio.create_task_group() as tasks,
            ):
                await server.send(rewritten)
                tasks.start_soon(_pipe, received, server)
                await _pipe(server, client)
                tasks.cancel_scope.cancel()
    except (OSError, anyio.BrokenResourceError, anyio.IncompleteRead):
        pass  # one of the two is gone


def _rewrite(head: bytes, prefix: str, strip: bool) -> bytes | None:
    first, *headers = head.split(b"\r\n")
    method, path, version = first.split(b" ")
    if not path.startswith(prefix.encode() + b"/"):
        return None
    if strip:
        path = path[len(prefix) :]
    if not any(header.lower().startswith(b"upgrade:") for header in headers):
        # One request a connection: only its head is looked at.
        headers = [line for line in headers if not line.lower().startswith(b"connection:")]
        headers.append(b"Connection: close")
    headers.append(b"X-Forwarded-Prefix: " + prefix.encode())
    return b"\r\n".join([b" ".join([method, path, version]), *headers, b"", b""])


async def _pipe(source: ByteReceiveStream, sink: ByteSendStream) -> None:
    try:
        async for chunk in source:
            await sink.send(chunk)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass


if __name__ == "__main__":
    own, target, published = sys.argv[1:]
    anyio.run(partial(serve_proxy, int(target), published, port=int(own)))
