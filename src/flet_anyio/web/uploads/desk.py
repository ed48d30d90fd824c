"""What one server remembers of uploads: used grants, and how much each session took."""

from __future__ import annotations

import heapq
import logging
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import anyio

from .refusal import SOON, UploadRefused, busy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...limits import Limits
    from .grants import Grant

__all__ = ["UploadDesk"]

logger = logging.getLogger(__name__)

_Owner: TypeAlias = tuple[str, str]  # a server and one of its sessions

# Threads that write at the same time: a slow disk must not take those that others wait for.
_THREADS = 8

# Directories that are remembered as swept; an app may have one for each user.
_SWEPT = 1000


@dataclass(slots=True)
class _Account:
    """What the uploads of one session, or all of them, took.

    Attributes:
        running: How many there are now.
        stored: Bytes of those that succeeded, and of those that run.
        used: Grants that are remembered.
    """

    running: int = 0
    stored: int = 0
    used: int = 0


class _Used(NamedTuple):
    """A grant that was used.

    Attributes:
        expires: When it does, by the clock that nobody sets.
        deadline: The same by the wall clock.
        nonce: Which one it is.
        owner: Whose.
    """

    expires: int
    deadline: int
    nonce: str
    owner: _Owner


class UploadDesk:
    """Admits uploads to one server: each grant once, each session and all within their limits.

    Use it in the event loop's thread. Other processes know nothing of it: where they share the
    secret key, a grant can be used once in each.

    Args:
        server: Name of the server, as its grants have it.
        limits: The server's.
        now: The wall clock by which grants expire.
        uptime: A clock that nobody sets. What was used is forgotten once it has expired by both:
            one that is set forward for a moment and back makes no used grant good again.
        remembered: How many used grants are remembered. Beyond that, the one that expires first
            is forgotten: who has its URL could replace their own file once more, while turning
            uploads away would hit everybody.

    Attributes:
        threads: Bounds the threads that write.
    """

    def __init__(
        self,
        server: str,
        limits: Limits,
        *,
        now: Callable[[], float] = time.time,
        uptime: Callable[[], float] = time.monotonic,
        remembered: int = 100_000,
    ) -> None:
        self._server = server
        self._limits = limits
        self._now = now
        self._uptime = uptime
        self._remembered = remembered
        self.threads = anyio.CapacityLimiter(_THREADS)
        self._swept: set[str] = set()
        self._all = _Account()
        self._accounts: dict[_Owner, _Account] = {}
        self._living: set[_Owner] = set()
        self._claimed: set[str] = set()
        self._used: list[_Used] = []  # a heap: who expires first is first

    def enter(self, session: str) -> None:
        """A session of this server begins."""
        self._living.add((self._server, session))

    def leave(self, session: str) -> None:
        """A session of this server is over: its grants are good no more."""
        self._living.discard((self._server, session))
        self._settle((self._server, session))

    def first_at(self, folder: str) -> bool:
        """Whether nobody asked for this directory before. Also false once there are too many."""
        if folder in self._swept or len(self._swept) >= _SWEPT:
            return False
        self._swept.add(folder)
        return True

    @contextmanager
    def admit(self, grant: Grant, announced: int) -> Iterator[Callable[[int], None]]:
        """Claim `grant` for one upload; it is used up when the block ends with no error.

        Yields what must be told the number of bytes each time some arrive; it raises
        `UploadRefused` when they are more than may be stored. Bytes of an upload that fails do
        not count in the end, and its grant may be used again.

        Args:
            grant: Of this or another server.
            announced: How many bytes will come, 0 if that is not known.

        Raises:
            UploadRefused: 410 when the session is over, 409 when the grant is used or in use,
                429 when the session and 503 when the server has too many uploads under way, 413
                when the session and 507 when the server may not store so many bytes.
        """
        self._forget_expired()
        owner = (grant.server, grant.session)
        self._check_grant(grant, owner)
        account = self._accounts.get(owner, _Account())
        self._check_running(account)
        self._check_stored(account, announced)
        arrived = 0

        def take(size: int) -> None:
            nonlocal arrived
            arrived += size
            for each in (account, self._all):
                each.stored += size
            self._check_stored(account)

        self._accounts[owner] = account
        self._claimed.add(grant.nonce)
        for each in (account, self._all):
            each.running += 1
        try:
            yield take
            self._remember(grant, owner)
        except BaseException:
            self._claimed.discard(grant.nonce)
            for each in (account, self._all):
                each.stored -= arrived
            raise
        finally:
            for each in (account, self._all):
                each.running -= 1
            self._settle(owner)

    def _check_grant(self, grant: Grant, owner: _Owner) -> None:
        # Of the sessions of another server nothing is known.
        if grant.session and grant.server == self._server and owner not in self._living:
            raise UploadRefused(410, "The session of this upload is over. Load the page again.")
        if grant.nonce in self._claimed:
            raise UploadRefused(409, "This upload URL was used before. Ask the app for a new one.")

    def _check_running(self, account: _Account) -> None:
        limits = self._limits
        # Who sends too much is told so; that others do is no fault of the client.
        if _reached(account.running, limits.session_uploads):
            reason = "Too many uploads at the same time. Wait."
            raise UploadRefused(429, reason, headers=SOON, limit="session_uploads")
        if _reached(self._all.running, limits.uploads):
            raise busy(limit="uploads")

    def _check_stored(self, account: _Account, more: int = 0) -> None:
        limits = self._limits
        if _exceeded(account.stored + more, limits.session_upload_bytes):
            reason = "No more can be uploaded in this session."
            raise UploadRefused(413, reason, limit="session_upload_bytes")
        if _exceeded(self._all.stored + more, limits.upload_bytes):
            raise UploadRefused(507, "The server takes no more uploads.", limit="upload_bytes")

    def _remember(self, grant: Grant, owner: _Owner) -> None:
        self._accounts[owner].used += 1
        # Whole numbers, as deadlines are: no lifetime is too long for them.
        expires = math.ceil(self._uptime()) + grant.deadline - math.floor(self._now())
        heapq.heappush(self._used, _Used(expires, grant.deadline, grant.nonce, owner))
        if len(self._used) > self._remembered:
            self._forget_first()

    def _forget_expired(self) -> None:
        now, uptime = self._now(), self._uptime()
        while self._used and self._used[0].expires <= uptime and self._used[0].deadline <= now:
            self._forget_first()

    def _forget_first(self) -> None:
        used = heapq.heappop(self._used)
        self._claimed.discard(used.nonce)
        self._accounts[used.owner].used -= 1
        self._settle(used.owner)

    def _settle(self, owner: _Owner) -> None:
        """Forget the account of a session that can have no upload any more, as far as is known."""
        account = self._accounts.get(owner)
        if account and not account.running and not account.used and owner not in self._living:
            del self._accounts[owner]


def _reached(value: int, limit: int | None) -> bool:
    return limit is not None and value >= limit


def _exceeded(value: int, limit: int | None) -> bool:
    return limit is not None and value > limit
