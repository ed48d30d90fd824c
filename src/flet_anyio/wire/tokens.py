"""What a client shows to get back to its session: signed, and new with each full page.

No I/O and no clock. A token is not tied to an address or a browser, which may both change while
a tab stays open. It is as good as a password: it belongs in no log.
"""

from __future__ import annotations

import hashlib
import secrets
from hmac import compare_digest

from itsdangerous import BadSignature, Signer

__all__ = ["ResumeToken", "TokenSigner"]

_KEY_BYTES = 12
_SECRET_BYTES = 24


class TokenSigner:
    """Signs tokens with the key of one server, and tells its own from others."""

    def __init__(self, secret_key: bytes | None = None) -> None:
        key = secrets.token_bytes(32) if secret_key is None else secret_key
        self._signer = Signer(key, salt="flet-anyio resume", digest_method=hashlib.sha256)

    def sign(self, session_key: str) -> str:
        """Make a token for the session with this key; no two are the same."""
        return self._signer.sign(f"{session_key}:{secrets.token_urlsafe(_SECRET_BYTES)}").decode()

    def session_key(self, token: str) -> str | None:
        """The key of the session that a token was made for, or None: it is not one of ours."""
        try:
            return self._signer.unsign(token).decode().partition(":")[0]
        except (BadSignature, UnicodeError):
            return None


class ResumeToken:
    """The tokens that one session takes.

    Each full page brings a new one. The one that the client showed for it stays good until the
    client has said anything over the new page: the answer that carried the new one may be lost.
    """

    __slots__ = ("_shown", "_signer", "session_key", "value")

    def __init__(self, signer: TokenSigner) -> None:
        self.session_key = secrets.token_urlsafe(_KEY_BYTES)
        self._signer = signer
        self._shown: str | None = None
        self.value = signer.sign(self.session_key)

    def renew(self, shown: str | None) -> str:
        """Make the next token, for a client that showed `shown`, and return it."""
        self._shown = shown
        self.value = self._signer.sign(self.session_key)
        return self.value

    def confirm(self) -> None:
        """The client has the newest token: no other one is good any more."""
        self._shown = None

    def accepts(self, token: str | None) -> bool:
        """Whether the client that shows this may have the session. In constant time."""
        if token is None:
            return False
        shown = token.encode()
        good = compare_digest(shown, self.value.encode())
        return good | (self._shown is not None and compare_digest(shown, self._shown.encode()))
