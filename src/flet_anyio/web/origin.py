"""Which pages of the web may open a WebSocket here, or upload files."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Origins", "origin_list", "origins_of"]

logger = logging.getLogger(__name__)

_ANY = "*"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origins:
    """The origins from which a browser may use an app: its own, and those that are allowed.

    Browsers say in `Origin` which page makes a request, and do not let that page change it
    (RFC 6454). They do not keep a page from opening a WebSocket to another site, with the
    cookies that the user has there (RFC 6455, 10.2): that is for the server to do. Who sends
    no `Origin` is no browser, and could say what it likes.

    Own is what has the host and port of the request, by any scheme: behind a proxy that ends
    TLS the server does not know the one that the browser used.

    Args:
        allowed: More of them, each as `https://example.com` or `http://localhost:5000`; "*"
            allows all.

    Raises:
        ValueError: One is no origin.
    """

    def __init__(self, allowed: Iterable[str] | None = None) -> None:
        origins = origin_list(allowed)
        self._any = _ANY in origins
        self.others = frozenset(_serialized(one) for one in origins if one != _ANY)

    def allow(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these headers, named in lower case, may be served."""
        origin = headers.get("origin")
        if origin is None or self._any:
            return True
        try:
            host = _host(origin)
            own = host == _without_default_port(headers.get("host", ""), origin)
            allowed = own or _serialized(origin) in self.others
        except ValueError:
            allowed = False  # "null" too: a page without an origin of its own
        if not allowed:
            logger.warning(
                "refused a page of %.200r: the request is for %.200r. If a proxy in front changes "
                "the Host header, have it pass the one it got; if this page is to use the app, "
                "add it to allowed_origins",
                origin,
                headers.get("host", ""),
            )
        return allowed

    @property
    def any(self) -> bool:
        """Whether all origins are allowed."""
        return self._any


def origins_of(allowed: Iterable[str] | None) -> Origins:
    """`Origins(allowed)`, the same one for the same origins: each connection asks for it."""
    return _origins_of(tuple(origin_list(allowed)))


@lru_cache(maxsize=64)
def _origins_of(allowed: tuple[str, ...]) -> Origins:
    return Origins(allowed)


def origin_list(allowed: Iterable[str] | None) -> list[str]:
    """The origins of an argument, for who needs them more than once.

    Raises:
        ValueError: It is one text: its letters are no origins.
    """
    if isinstance(allowed, str):
        raise ValueError(f"allowed_origins must be a list of origins, not {allowed!r}")
    return list(allowed or ())


def _host(origin: str) -> str:
    return _serialized(origin).partition("://")[2]


def _serialized(origin: str) -> str:
    """An origin as browsers write it: in lower case, without its scheme's own port."""
    parts = urlsplit(origin)
    if not parts.scheme or not parts.hostname or origin.count("/") != 2 or "@" in origin:
        raise ValueError(
            f"{origin!r} is no origin: write a scheme, a host and, if need be, a port, as in "
            "https://example.com or http://localhost:5000"
        )
    port = parts.port
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != _DEFAULT_PORTS.get(parts.scheme):
        host = f"{host}:{port}"
    return f"{parts.scheme}://{host}"


def _without_default_port(host: str, origin: str) -> str:
    return _host(f"{urlsplit(origin).scheme}://{host}") if host else ""
