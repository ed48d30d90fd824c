"""The cookie by which a browser is known again when a provider sends its user back.

It names a browser, not a user: a random value, good for nothing else. It is set with the page,
and at the WebSocket's handshake where the page came from elsewhere.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["browser_cookie", "browsers", "mark_browsers", "new_browser"]

_NAME = "flet_anyio_browser"
_ONE = re.compile(rf"(?:^|;)\s*{_NAME}=([A-Za-z0-9_-]{{43}})\s*(?=;|$)")
_SECURE_SCHEMES = ("https", "wss")

# What browsers leave as it is in a path, or the path of the cookie is not that of the app. "%"
# too: a prefix is written by hand, as it stands in URLs. Not ";", which would end the path.
_AS_IT_IS = "/%:@!$&'()*+,="


def new_browser() -> str:
    """Make a name for a browser that has none."""
    return secrets.token_urlsafe(32)


def browsers(headers: Mapping[str, str]) -> list[str]:
    """The names that a request brings, that of the longest path first.

    There may be several: apps at `/` and at `/app` each set one. Values of another form than
    ours are passed over.
    """
    # HTTP/2 lets browsers send one field for each cookie.
    fields = headers.getlist("cookie") if isinstance(headers, Headers) else None
    if fields is None:
        fields = [headers.get("cookie", "")]
    return _ONE.findall("; ".join(fields))


def browser_cookie(browser: str, *, path: str, scheme: str) -> str:
    """The value of the `Set-Cookie` field that names a browser.

    It is gone when the browser is closed. A provider sends its user back by a link, which `Lax`
    lets the cookie go along with.

    Args:
        browser: The name.
        path: Where the app is mounted.
        scheme: That of the request; with https or wss, the cookie goes over TLS only.
    """
    where = quote("/" + path.strip("/"), safe=_AS_IT_IS)
    cookie = f"{_NAME}={browser}; Path={where}; HttpOnly; SameSite=Lax"
    return f"{cookie}; Secure" if scheme in _SECURE_SCHEMES else cookie


def mark_browsers(app: ASGIApp, proxy_path: str | None = None) -> ASGIApp:
    """Set the cookie with each document for a browser that brings none.

    `proxy_path` is the prefix of the URL that a proxy in front strips.
    """

    async def marking(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or browsers(Headers(scope=scope)):
            await app(scope, receive, send)
            return
        path = f"{(proxy_path or '').strip('/')}{scope.get('root_path', '')}"
        cookie = browser_cookie(new_browser(), path=path, scheme=scope.get("scheme", ""))

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Set-Cookie", cookie)
                    # A cache that several browsers share would give them all one name.
                    headers["Cache-Control"] = "private, no-cache"
            await send(message)

        await app(scope, receive, send_marked)

    return marking
