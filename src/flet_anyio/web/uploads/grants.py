"""Grants: signed, expiring permissions to upload one file.

No I/O. A grant is as good as a password until it is used or expires: it belongs in no log.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from itsdangerous import BadData, URLSafeSerializer

from .refusal import UploadRefused

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Grant", "GrantSigner"]

_NONCE_BYTES = 9


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission to upload one file to one place.

    Attributes:
        endpoint: Path at which the server takes the file, without slashes at its ends.
        file_name: Path of the file inside the upload directory, with forward slashes.
        deadline: When it expires: seconds of Unix time.
        max_size: Bytes that the file may have, or None: it is for the endpoint to say.
        server: Which server gave it.
        session: Which session asked for it, by its label in the log.
        nonce: Tells grants apart that are otherwise the same.
    """

    endpoint: str
    file_name: str
    deadline: int
    max_size: int | None = None
    server: str = ""
    session: str = ""
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(_NONCE_BYTES))


class GrantSigner:
    """Makes the URLs that hold a grant, and reads grants back.

    All methods are pure computation and may be called from any thread.

    Args:
        secret_key: Shared by every server process of the app; not empty.
        now: The wall clock, in seconds of Unix time: processes and restarts share no other.

    Raises:
        ValueError: `secret_key` is empty.
    """

    def __init__(self, secret_key: str, *, now: Callable[[], float] = time.time) -> None:
        if not secret_key:
            raise ValueError(
                "Uploads need a secret key: pass secret_key or set the FLET_SECRET_KEY "
                "environment variable"
            )
        self._now = now
        self._serializer = URLSafeSerializer(
            secret_key,
            salt=b"flet-anyio.upload",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def sign(
        self,
        endpoint: str,
        file_name: str,
        expires: int,
        *,
        max_size: int | None = None,
        prefix: str = "",
        server: str = "",
        session: str = "",
    ) -> str:
        """Return a URL, relative to the root of the host, that allows to upload `file_name`.

        Args:
            endpoint: Path under which the server sees the upload; slashes at its ends do not
                matter.
            file_name: Path of the file inside the upload directory, with forward slashes.
            expires: Seconds from now for which the grant is good.
            max_size: Bytes that the file may have.
            prefix: What a proxy takes off the path on the way, as it stands in URLs. Not signed.
            server: Which server gives it.
            session: Which session asks for it.

        Raises:
            ValueError: `expires` or `max_size` is not a positive int, or `file_name` is empty or
                has halves of characters.
        """
        if not file_name:
            raise ValueError("file_name must not be empty")
        _require_positive("expires", expires)
        if max_size is not None:
            _require_positive("max_size", max_size)
        endpoint = endpoint.strip("/")
        # Whole numbers: no lifetime is too long for them.
        deadline = math.ceil(self._now()) + expires
        grant = Grant(endpoint, file_name, deadline, max_size, server, session)
        token = self._serializer.dumps(astuple(grant))
        return f"{_path(prefix, endpoint)}?grant={token!s}"

    def read(self, token: str | None, endpoint: str) -> Grant:
        """Return the grant in `token`.

        Args:
            token: What the query of the request has as `grant`.
            endpoint: Path of the request, percent-decoded, as the server sees it.

        Raises:
            UploadRefused: 400 when there is no token, 403 when it is not one of ours or is for
                another endpoint, 410 when it has expired.
        """
        if not token:
            raise UploadRefused(400, "Not an upload URL: it has no grant. Ask the app for one.")
        try:
            # Compares in constant time, and looks into nothing that is not signed.
            grant = Grant(*self._serializer.loads(token))
        except (BadData, UnicodeError):
            raise _forged() from None
        if grant.endpoint != endpoint.strip("/"):
            raise _forged()
        if self._now() >= grant.deadline:
            raise UploadRefused(410, "This upload URL has expired. Ask the app for a new one.")
        return grant


def _forged() -> UploadRefused:
    return UploadRefused(403, "This upload URL is not valid here. Ask the app for a new one.")


def _require_positive(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} must be a positive whole number; got {value!r}")


def _path(prefix: str, endpoint: str) -> str:
    # A prefix is written by hand, as it stands in URLs; the endpoint comes decoded.
    parts = [*quote(prefix, safe="/%").split("/"), *quote(endpoint).split("/")]
    # Empty segments go: "//host/" would name another server.
    return "/" + "/".join(part for part in parts if part)
