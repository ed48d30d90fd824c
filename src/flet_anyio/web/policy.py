"""What browsers are told about a page: where its parts may come from, and who may frame it."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HEADERS", "ISOLATION", "content_security_policy"]

HEADERS = {
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer that does not say otherwise."""

ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
"""Of pages and files: browsers give the wasm renderer no threads in a page that is not isolated."""

_CDN = "https://www.gstatic.com"
"""Where the client's engine comes from without `no_cdn`."""

_RIVE = "https://cdn.jsdelivr.net/npm/@rive-app/"
"""Where the client always looks for the engine of its Rive animations."""

_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script\s*>", re.IGNORECASE | re.DOTALL)
_HAS_SOURCE = re.compile(r"\bsrc\s*=", re.IGNORECASE)


def content_security_policy(page: str, *, cdn: bool, framed_by: Iterable[str] = ()) -> str:
    """The policy for a start page: only its own scripts run, whatever finds its way into it.

    Inline scripts are named by their hashes, so none can be added on the way or by a value.
    Pictures, sounds and data may come from anywhere, as apps show them from anywhere, and the
    client fetches pictures as data. Styles may be inline, as Flutter writes them into the page.

    Args:
        page: The HTML.
        cdn: Whether the engine comes from a public server.
        framed_by: Origins of other sites that may show the page in a frame; "*" is any.
    """
    engines = [_RIVE, _CDN] if cdn else [_RIVE]
    scripts = ["'self'", "'wasm-unsafe-eval'", *_hashes(page), *engines]
    directives = {
        "default-src": ["'self'"],
        "script-src": scripts,
        "worker-src": ["'self'", "blob:"],
        "style-src": ["'self'", "'unsafe-inline'", "https:"],
        "font-src": ["'self'", "data:", "https:"],
        "img-src": ["*", "data:", "blob:"],
        "media-src": ["*", "data:", "blob:"],
        "frame-src": ["*", "data:", "blob:"],
        "connect-src": ["'self'", "http:", "https:", "ws:", "wss:", "data:", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'self'", *framed_by],
    }
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items())


def _hashes(page: str) -> list[str]:
    # Of the text between the tags as it stands (CSP 3, 6.7.3.3), with line ends as browsers
    # read them.
    bodies = [
        body.replace("\r\n", "\n")
        for attributes, body in _SCRIPT.findall(page)
        if not _HAS_SOURCE.search(attributes)
    ]
    digests = [hashlib.sha256(body.encode()).digest() for body in dict.fromkeys(bodies)]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
