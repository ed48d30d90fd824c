"""An upload that is not accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SOON", "UploadRefused", "busy"]

SOON = {"Retry-After": "1"}
"""Headers of a refusal that will not last."""


class UploadRefused(Exception):  # noqa: N818 - an answer to the client, not a fault of the program
    """An upload is not accepted.

    Attributes:
        status: The HTTP status to answer with.
        reason: A short text for the client: what is wrong, and what to do.
        headers: Further headers of the answer.
        limit: The one of `Limits` that was passed, if it was one.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        *,
        headers: Mapping[str, str] | None = None,
        limit: str = "",
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.limit = limit
        super().__init__(f"{status}: {reason}")


def busy(*, limit: str = "") -> UploadRefused:
    """The server cannot take another upload now, through no fault of the client."""
    reason = "The server is busy with uploads. Try again."
    return UploadRefused(503, reason, headers=SOON, limit=limit)
