"""The endpoint that takes uploads."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from ...limits.overruns import overrun
from ...server import default_server
from ...settings import largest_upload, setting
from ...transports.asgi import full_path
from ..origin import origins_of
from .body import UploadBody
from .grants import GrantSigner
from .refusal import UploadRefused
from .storage import PartialFile, free_space, sweep

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from starlette.requests import Request

    from ...server import Server

__all__ = ["FletUpload"]

logger = logging.getLogger(__name__)

# Seconds that a failed upload may spend on removing its partial file.
_CLEANUP_TIMEOUT = 5


class FletUpload:
    """Stores the raw bodies of signed upload requests as files under one directory.

    A body is streamed, in constant memory, to a hidden partial file beside its destination,
    which it replaces in one step when it is complete. Until then, and whatever goes wrong, an
    earlier file of that name stays as it was.

    It may be made anew for each request: what must be remembered is with the server.

    None means "not given"; then the environment variable named below counts, if it is set.

    Args:
        upload_dir: Made when the first file comes. Relative to the working directory of now.
        max_upload_size: Bytes of one file; 0 is no limit. FLET_MAX_UPLOAD_SIZE; default no limit.
        secret_key: Signs the grants. FLET_SECRET_KEY; required one way or the other.
        server: Remembers grants and quotas, and has the limits. Default: the event loop's own.
        allowed_origins: Pages of other sites that may upload too, as `https://example.com`; "*"
            allows all. Their browsers need the route to answer by CORS as well.

    Raises:
        ValueError: No directory, no secret key, a size that is not a whole number from 0 up, or
            what is no origin.

    Follows `flet_web.fastapi.FletUpload`; unlike there, an explicit argument wins over the
    environment.
    """

    def __init__(
        self,
        upload_dir: str | os.PathLike[str],
        max_upload_size: int | None = None,
        secret_key: str | None = None,
        *,
        server: Server | None = None,
        allowed_origins: Iterable[str] | None = None,
    ) -> None:
        if not os.fspath(upload_dir):
            raise ValueError("upload_dir must not be empty")
        self._upload_dir = os.path.abspath(upload_dir)
        self._max_upload_size = largest_upload(max_upload_size)
        self._signer = GrantSigner(setting(secret_key, "FLET_SECRET_KEY", str) or "")
        self._server = server
        self._origins = origins_of(allowed_origins)

    async def handle(self, request: Request) -> Response:
        """Store the body of `request` under the name in its grant, and return an empty answer.

        If cancelled, the partial file is removed before the cancellation goes on; that takes no
        longer than a few seconds. Once the last step has begun, the new file is in place even so.

        Raises:
            HTTPException: The upload is refused: 400 for a URL without grant, a name that cannot
                be a file or a body that ends early, 403 for a page of another site or a grant
                that is not ours, 408 for silence, 409 for a used grant, 410 for an expired one
                or when its session is over, 413 for too many bytes, 429 and 503 for too many
                uploads, 503 for too many open files, 507 for a full disk. An exception and no
                answer, so that it cannot be lost in a route that returns nothing. Nothing of the
                upload is left.
            OSError: The file could not be written; nothing of it is left.
        """
        if not self._origins.allow(request.headers):
            raise HTTPException(403, "This page may not upload files here.")
        server = self._server or await default_server()
        self.sweep(server)
        try:
            await self._accept(request, server)
        except UploadRefused as refused:
            if refused.limit:
                text = "an upload was refused with %d"
                overrun(logger, refused.limit, text, refused.status)
            raise HTTPException(refused.status, refused.reason, refused.headers) from None
        except ClientDisconnect:
            # Nobody reads this. It is no fault of ours, to be logged with a traceback.
            raise HTTPException(400, "The client went away.") from None
        return Response()

    def sweep(self, server: Server) -> None:
        """Have `server` remove what ended processes left of uploads, unless it was asked before."""
        if server.uploads.first_at(self._upload_dir):
            server.start_soon(_sweep, self._upload_dir, name="the sweep of partial uploads")

    async def _accept(self, request: Request, server: Server) -> None:
        grant = self._signer.read(request.query_params.get("grant"), full_path(request.scope))
        bounds = [size for size in (grant.max_size, self._max_upload_size) if size]
        timeout = server.limits.upload_timeout
        body = UploadBody(request, most=min(bounds, default=None), timeout=timeout)
        threads = server.uploads.threads
        with server.uploads.admit(grant, body.announced) as take:
            await self._check_room(body.announced, threads)
            async with (
                _stored(PartialFile(self._upload_dir, grant.file_name), threads) as file,
                aclosing(body.blocks(take)) as blocks,
            ):
                async for block in blocks:
                    await run_sync(file.write, block, limiter=threads)

    async def _check_room(self, announced: int, threads: anyio.CapacityLimiter) -> None:
        """Say at once what a disk would say once it is full, and others suffer."""
        free = await run_sync(free_space, self._upload_dir, limiter=threads)
        if free is not None and announced > free:
            raise UploadRefused(507, "There is no room for this file on the server.")


@asynccontextmanager
async def _stored(file: PartialFile, threads: anyio.CapacityLimiter) -> AsyncGenerator[PartialFile]:
    """Open a file. It gets its place when the block ends with no error, and else leaves nothing."""
    try:
        await run_sync(file.open, limiter=threads)
        yield file
        # One thread call, so that no cancellation falls between writing out and replacing.
        await run_sync(file.commit, limiter=threads)
    except BaseException:
        await _discard(file)
        raise


async def _discard(file: PartialFile) -> None:
    with anyio.move_on_after(_CLEANUP_TIMEOUT, shield=True) as scope:
        # Abandonable, or the time-out could not end the wait; the thread then still does its
        # work. Not one of the few that write: those may all be stuck.
        await run_sync(file.discard, abandon_on_cancel=True)
    if scope.cancelled_caught:
        logger.warning("removing a partial upload takes long; not waiting for it")


async def _sweep(folder: str) -> None:
    stop = threading.Event()
    try:
        await run_sync(sweep, folder, stop, abandon_on_cancel=True)
    except Exception:
        # The server, whose task this is, does without.
        logger.exception("sweeping %s for partial uploads failed", folder)
    finally:
        stop.set()
