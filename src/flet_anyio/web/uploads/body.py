"""The body of an upload: read in blocks, counted, and not for ever."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio

from .refusal import UploadRefused

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from starlette.requests import Request

__all__ = ["UploadBody"]

# Bytes that are gathered before a thread writes them: a switch of threads costs as much as
# writing some ten kilobytes.
_BLOCK = 256 * 1024


class UploadBody:
    """What a request brings, as it comes.

    Args:
        request: Its body must not have been read.
        most: Bytes that it may have, or None.
        timeout: Seconds in which at least one byte must come, or None.

    Attributes:
        announced: How many bytes it says will come, 0 if it does not.

    Raises:
        UploadRefused: 400 when Content-Length is no number, 413 when it is more than `most`.
    """

    def __init__(self, request: Request, *, most: int | None, timeout: float | None) -> None:
        self._request = request
        self._most = most
        self._timeout = timeout
        self._size = 0
        self._length = _content_length(request)
        self.announced = self._length or 0
        self._check(self.announced)

    async def blocks(self, take: Callable[[int], None]) -> AsyncGenerator[bytearray]:
        """Yield the bytes. Close the generator when not all are taken.

        Args:
            take: Called with the number of bytes as soon as some come.

        Raises:
            UploadRefused: 400 when fewer bytes come than were announced, 408 when none come for
                too long, 413 when there are too many.
            ClientDisconnect: The client is gone.
        """
        block = bytearray()
        async with aclosing(self._request.stream()) as body:
            while chunk := await self._next(body):
                self._size += len(chunk)
                self._check(self._size)
                take(len(chunk))
                block += chunk
                if len(block) >= _BLOCK:
                    yield block
                    block = bytearray()
        if self._length not in (None, self._size):
            raise UploadRefused(400, "The upload ended early. Send it again.")
        yield block

    async def _next(self, body: AsyncIterator[bytes]) -> bytes:
        """Wait for bytes; none are the end."""
        with anyio.move_on_after(self._timeout):
            async for chunk in body:
                if chunk:
                    return chunk
            return b""
        reason = f"No byte came for {self._timeout:g} s. Send the file again."
        raise UploadRefused(408, reason, limit="upload_timeout")

    def _check(self, size: int) -> None:
        if self._most is not None and size > self._most:
            text = f"The file is larger than {self._most} bytes. Choose a smaller one."
            raise UploadRefused(413, text)


def _content_length(request: Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    # No file has a size of more digits, and Python refuses to convert some thousands of them.
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise UploadRefused(400, "Content-Length is not a number of bytes.")
    return int(text)
