"""Signed upload grants, and the endpoint that stores what is sent under them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import uuid
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import anyio
import anyio.to_thread
from itsdangerous import Signer
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.requests import Request

__all__ = ["FletUpload", "UploadRefused", "UploadSigner"]

logger = logging.getLogger(__name__)

# Seconds that an aborted upload may spend on removing its partial file.
_CLEANUP_TIMEOUT = 5

# Of one path segment, in bytes: the limit of common file systems.
_MAX_SEGMENT = 255

_DRIVE = re.compile(r"[A-Za-z]:")

# What a file system says when the destination cannot exist: the fault of the name, not ours.
_BAD_DESTINATION = {
    errno.EEXIST,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
}


class UploadRefused(Exception):  # noqa: N818 - an answer to the client, not a fault of the program
    """An upload is not accepted.

    Attributes:
        status: The HTTP status to answer with: 400, 403, 410 or 413.
        reason: A short text that may be shown to the client.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"{status}: {reason}")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class UploadSigner:
    """Make and check grants: URLs that allow to upload one file to one endpoint for a time.

    A grant is not used up: until it expires it can be sent again and overwrites the same file.
    All methods are pure computation and may be called from any thread.

    Args:
        secret_key: Shared by every server process of the app; not empty.
        now: The clock, which returns an aware datetime; the wall clock in UTC by default.

    Raises:
        ValueError: `secret_key` is empty.
    """

    def __init__(self, secret_key: str, *, now: Callable[[], datetime] = _utc_now) -> None:
        if not secret_key:
            raise ValueError(
                "Uploads need a secret key: pass secret_key or set the FLET_SECRET_KEY "
                "environment variable"
            )
        self._now = now
        self._signer = Signer(
            secret_key,
            salt=b"flet-anyio.upload",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )

    def sign(self, endpoint: str, file_name: str, expires: int) -> str:
        """Return the relative URL `/{endpoint}?...` that allows to upload `file_name`.

        Args:
            endpoint: Path under which the upload handler sees the request; slashes at its ends
                do not matter.
            file_name: Path of the file inside the upload directory, with forward slashes.
            expires: Seconds from now for which the grant is good.

        Raises:
            ValueError: `expires` is not a positive int or lies beyond the calendar, or
                `file_name` is empty.
        """
        if not file_name:
            raise ValueError("file_name must not be empty")
        endpoint = endpoint.strip("/")
        deadline = self._deadline(expires).isoformat()
        signature = self._signer.get_signature(_signed_value(endpoint, file_name, deadline))
        query = urlencode({"f": file_name, "e": deadline, "s": signature.decode("ascii")})
        return f"/{quote(endpoint)}?{query}"

    def verify(self, path: str, query: Mapping[str, str]) -> str:
        """Return the file name that the grant in `query` allows to upload at `path`.

        Args:
            path: Path of the request, percent-decoded.
            query: Parameters of the request.

        Raises:
            UploadRefused: 400 when parameters are missing or cannot be read, 403 when the
                signature is not ours for this path, name and expiry, 410 when it has expired.
        """
        file_name, deadline, signature = (query.get(key) for key in ("f", "e", "s"))
        if not file_name or not deadline or not signature:
            raise UploadRefused(400, "Missing upload parameters")
        expiry = _read_deadline(deadline)
        # The text is what was signed: another spelling of the same moment is refused as well.
        value = _signed_value(path.strip("/"), file_name, deadline)
        if not self._signer.verify_signature(value, signature):
            raise UploadRefused(403, "Invalid upload signature")
        if self._now() >= expiry:
            raise UploadRefused(410, "Upload URL has expired")
        return file_name

    def _deadline(self, expires: int) -> datetime:
        if not isinstance(expires, int) or isinstance(expires, bool) or expires <= 0:
            raise ValueError(f"expires must be a positive number of seconds; got {expires!r}")
        try:
            return self._now().astimezone(UTC) + timedelta(seconds=expires)
        except OverflowError:
            raise ValueError(f"expires lies beyond the calendar: {expires!r}") from None


def _signed_value(endpoint: str, file_name: str, deadline: str) -> str:
    # JSON keeps the three apart: joined bare, "a" + "bc" would be signed like "ab" + "c".
    return json.dumps([endpoint, file_name, deadline])


def _read_deadline(text: str) -> datetime:
    try:
        deadline = datetime.fromisoformat(text)
    except ValueError:
        raise UploadRefused(400, "Invalid expiration parameter") from None
    if deadline.tzinfo is None:
        raise UploadRefused(400, "Invalid expiration parameter")
    return deadline


class FletUpload:
    """Store the raw bodies of signed upload requests as files under one directory.

    A body is streamed, in constant memory, to a hidden partial file beside its destination,
    which it replaces in one step when it is complete. Until then, and whatever goes wrong, an
    earlier file of that name stays as it was. Uploads of the same name at the same time do not
    mix: the last to end wins.

    None means "not given"; then the environment variable named below counts, if it is set.

    Args:
        upload_dir: Made when the first file comes. Relative to the working directory of now.
        max_upload_size: Bytes of one file; 0 is no limit. FLET_MAX_UPLOAD_SIZE; default no limit.
        secret_key: Signs the grants. FLET_SECRET_KEY; required one way or the other.

    Attributes:
        signer: Makes the grants that this handler accepts.

    Raises:
        ValueError: No directory, no secret key, or a size that is not a whole number from 0 up.
    """

    def __init__(
        self,
        upload_dir: str | os.PathLike[str],
        max_upload_size: int | None = None,
        secret_key: str | None = None,
    ) -> None:
        if not os.fspath(upload_dir):
            raise ValueError("upload_dir must not be empty")
        self._upload_dir = os.path.abspath(upload_dir)
        self._max_upload_size = _choose_max_size(max_upload_size)
        if secret_key is None:
            secret_key = os.environ.get("FLET_SECRET_KEY", "")
        self.signer = UploadSigner(secret_key)

    async def handle(self, request: Request) -> Response:
        """Store the body of `request` under the name in its grant, and answer 200.

        A refused upload is answered, not raised: 400 for bad parameters, a destination outside
        of the directory or a body that ends early, 403, 410 as `UploadSigner.verify` says, 413
        for too large. If cancelled, the partial file is removed before the cancellation goes on;
        that takes no longer than a few seconds. Once the last step has begun, the new file is in
        place even so.

        Raises:
            OSError: The file could not be written; nothing of it is left.
        """
        try:
            await self._accept(request)
        except UploadRefused as refused:
            return PlainTextResponse(refused.reason, refused.status)
        except ClientDisconnect:
            # Nobody reads this answer. Raising would log every broken upload as a server error.
            return PlainTextResponse("Client disconnected", 400)
        return Response()

    async def _accept(self, request: Request) -> None:
        # The decoded path and not request.url.path, which is partly percent-encoded.
        file_name = self.signer.verify(request.scope["path"], request.query_params)
        announced = _announced_size(request)
        self._check_size(announced or 0)
        target = await anyio.to_thread.run_sync(self._prepare, file_name)
        async with aclosing(request.stream()) as body:
            await self._store(body, target, announced)

    async def _store(self, body: AsyncIterator[bytes], target: Path, announced: int | None) -> None:
        partial = target.with_name(f".{uuid.uuid4().hex}.part")
        file: anyio.AsyncFile[bytes] | None = None
        try:
            file = await anyio.open_file(partial, "xb")
            size = 0
            async for chunk in body:
                size += len(chunk)
                self._check_size(size)
                await file.write(chunk)
            if announced not in (None, size):
                raise UploadRefused(400, "Upload ended early")
            # One thread call, so that no cancellation falls between flushing and replacing.
            await anyio.to_thread.run_sync(_finish, file, partial, target)
        except BaseException:
            await _discard(file, partial)
            raise

    def _check_size(self, size: int) -> None:
        limit = self._max_upload_size
        if limit and size > limit:
            raise UploadRefused(413, f"Upload is larger than {limit} bytes")

    def _prepare(self, file_name: str) -> Path:
        """Find the destination, make the folders it needs; blocks, so for a worker thread."""
        segments = _segments(file_name)
        root = os.path.realpath(self._upload_dir)
        # Resolved, so that symlinks count for where they lead, dangling ones too.
        target = Path(os.path.realpath(os.path.join(root, *segments)))
        if not target.is_relative_to(root):
            raise UploadRefused(400, "Invalid upload destination")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                raise UploadRefused(400, "Invalid upload destination")
        except OSError as error:
            if error.errno not in _BAD_DESTINATION:
                raise
            raise UploadRefused(400, "Invalid upload destination") from error
        return target


def _choose_max_size(given: int | None) -> int | None:
    name, size = "max_upload_size", given
    if given is None and (text := os.environ.get("FLET_MAX_UPLOAD_SIZE")):
        name = "FLET_MAX_UPLOAD_SIZE"
        try:
            size = int(text)
        except ValueError:
            raise ValueError(f"{name} must be a whole number of bytes; got {text!r}") from None
    if size is not None and size < 0:
        raise ValueError(f"{name} must not be negative; got {size}")
    return size


def _announced_size(request: Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    # No file has a size of more digits, and Python refuses to convert some thousands of them.
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise UploadRefused(400, "Invalid Content-Length")
    return int(text)


def _segments(file_name: str) -> list[str]:
    """Split a relative path into its segments, refusing all that could be read in another way."""
    segments = file_name.split("/")
    if "\0" in file_name or "\\" in file_name or not all(map(_is_plain, segments)):
        raise UploadRefused(400, "Invalid upload destination")
    return segments


def _is_plain(segment: str) -> bool:
    # An empty segment is also what an absolute path starts with and a folder's ends with.
    if not segment.strip() or segment in (".", ".."):
        return False
    # On Windows a colon anywhere names an alternate stream of the file before it.
    if _DRIVE.match(segment) or (os.name == "nt" and ":" in segment):
        return False
    return len(segment.encode("utf-8", "surrogatepass")) <= _MAX_SEGMENT


def _finish(file: anyio.AsyncFile[bytes], partial: Path, target: Path) -> None:
    file.wrapped.close()  # flushes
    os.replace(partial, target)


async def _discard(file: anyio.AsyncFile[bytes] | None, partial: Path) -> None:
    with anyio.move_on_after(_CLEANUP_TIMEOUT, shield=True) as scope:
        # Abandonable, or the time-out could not end the wait; the thread then still does its work.
        await anyio.to_thread.run_sync(_remove, file, partial, abandon_on_cancel=True)
    if scope.cancelled_caught:
        logger.warning("Removing the partial upload %s takes long; not waiting for it", partial)


def _remove(file: anyio.AsyncFile[bytes] | None, partial: Path) -> None:
    try:
        if file is not None:
            # Closing writes what is buffered, which a full disk refuses; the data is not wanted.
            with contextlib.suppress(OSError):
                file.wrapped.close()
        partial.unlink(missing_ok=True)
    except OSError:
        # The failure that led here matters more and is on its way up.
        logger.warning("Could not remove the partial upload %s", partial, exc_info=True)
