"""The documents that a page starts with, filled in for the app and for where it is mounted."""

from __future__ import annotations

import html
import json
import logging
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..policy import content_security_policy
from .client import ClientMissingError
from .encodings import ENCODINGS, Encoding
from .fingerprints import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Mapping
    from pathlib import Path

__all__ = ["FONT_MANIFEST", "INDEX", "MANIFEST", "Document", "Page", "base_url"]

logger = logging.getLogger(__name__)

INDEX = "index.html"
MANIFEST = "manifest.json"
FONT_MANIFEST = "assets/FontManifest.json"

# The client's page marks with this comment where the server's settings belong.
_CONFIG_MARK = "<!-- fletAppConfig -->"


@dataclass(frozen=True)
class Document:
    """A document that is ready to be sent, as it is and compressed.

    Attributes:
        bodies: By encoding; the plain one by None.
        fingerprint: Of the content and the policy: a browser that has the page keeps the policy
            that came with it for as long as it is told that nothing has changed.
        policy: Its Content-Security-Policy, if it has one.
    """

    bodies: Mapping[Encoding | None, bytes]
    media_type: str
    fingerprint: str
    policy: str = ""

    @classmethod
    def of(cls, text: str, media_type: str, policy: str = "") -> Document:
        plain = text.encode("utf-8")
        bodies: dict[Encoding | None, bytes] = {None: plain}
        for encoding in ENCODINGS:
            compressed = encoding.compress(plain)
            if len(compressed) < len(plain):
                bodies[encoding] = compressed
        whole = fingerprint(plain + b"\0" + policy.encode("utf-8") if policy else plain)
        return cls(MappingProxyType(bodies), media_type, whole, policy)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the documents are made from: files, and the settings of an app.

    Attributes:
        client: Where the compiled client is.
        find: Locates a file by its name, the app's before the client's.
        policy: The Content-Security-Policy; "" is none, and None the one that is made for it.
        framed_by: Origins of other sites that may show the page in a frame.
    """

    client: Path
    find: Callable[[str], Path | None]
    app_name: str | None
    app_short_name: str | None
    app_description: str | None
    web_renderer: str
    route_url_strategy: str
    no_cdn: bool
    websocket_endpoint_path: str
    policy: str | None
    framed_by: Collection[str]

    def documents(
        self, base_url: str, files_path: str, fixed: Container[str]
    ) -> Mapping[str, Document]:
        """The documents of a page, by name.

        Args:
            base_url: Path of the URL where the page is, from root to the slash at its end.
            files_path: What comes before the name of a file in a URL that stands for this
                version of the client; relative to `base_url`.
            fixed: Names of the files that the page is to load from such a URL.

        Raises:
            ClientMissingError: There is no `index.html`.
            ValueError: A JSON document cannot be read.
        """
        index = self._index(base_url, files_path, fixed)
        policy = self.policy
        if policy is None:
            policy = content_security_policy(index, cdn=not self.no_cdn, framed_by=self.framed_by)
        documents = {INDEX: Document.of(index, "text/html", policy)}
        if (path := self.find(MANIFEST)) is not None:
            documents[MANIFEST] = _json_document(self._manifest(_read_json(path)))
        if (fonts := self.font_manifest()) is not None:
            documents[FONT_MANIFEST] = fonts
        return MappingProxyType(documents)

    def font_manifest(self) -> Document | None:
        """The list of fonts, if it needs to be changed for this app.

        Raises:
            ValueError: It cannot be read.
        """
        path = self.find(FONT_MANIFEST) if self.no_cdn else None
        return None if path is None else _json_document(_with_roboto(_read_json(path)))

    def _index(self, base_url: str, files_path: str, fixed: Container[str]) -> str:
        path = self.find(INDEX)
        if path is None:
            raise ClientMissingError(self.client)
        page = path.read_text(encoding="utf-8")
        if _CONFIG_MARK not in page:
            logger.warning("%s has no comment %r: the client gets no settings", path, _CONFIG_MARK)
        page = _set_base_href(page, base_url)
        page = _set_links(page, files_path, fixed)
        page = page.replace(_CONFIG_MARK, _config_script(self._config(base_url, files_path)))
        if self.app_name:
            page = _set_title(page, self.app_name)
            page = _set_meta(page, "apple-mobile-web-app-title", self.app_name)
        if self.app_description:
            page = _set_meta(page, "description", self.app_description)
        return page

    def _config(self, base_url: str, files_path: str) -> dict[str, Any]:
        endpoint = self.websocket_endpoint_path
        files_url = base_url + files_path
        config: dict[str, Any] = {
            # A page made by `flet build web` asks for Python in the browser.
            "pyodide": False,
            "noCdn": self.no_cdn,
            "webRenderer": self.web_renderer,
            "routeUrlStrategy": self.route_url_strategy,
            "entrypointBaseUrl": files_url,
            "assetBase": files_url,
            "webSocketEndpoint": endpoint if endpoint.startswith("/") else base_url + endpoint,
        }
        if self.no_cdn:
            config["canvasKitBaseUrl"] = f"{files_url}canvaskit/"
            config["fontFallbackBaseUrl"] = f"{files_url}assets/fonts/"
        return config

    def _manifest(self, manifest: dict[str, Any]) -> dict[str, Any]:
        wanted = {
            "name": self.app_name,
            "short_name": self.app_short_name or self.app_name,
            "description": self.app_description,
        }
        return manifest | {key: value for key, value in wanted.items() if value}


def base_url(mount_path: str) -> str:
    """The path of the URL of what is mounted there, with a slash at its end."""
    # Quoted, because a root path comes decoded; "%" stays, because a proxy path is written by
    # hand as it stands in URLs. Empty segments go: "//host/" would name another server.
    segments = [segment for segment in mount_path.strip().split("/") if segment]
    return "".join(f"/{quote(segment, safe='%:@!$&()*+,;=')}" for segment in segments) + "/"


def _config_script(config: Mapping[str, Any]) -> str:
    lines = (f"flet.{key}={_js(value)};" for key, value in config.items())
    return "\n".join(("<script>", *lines, "</script>"))


def _js(value: object) -> str:
    # An HTML parser looks for "</script" and "<!--" before any JavaScript is read. JSON's default
    # of pure ASCII takes care of U+2028 and U+2029.
    return json.dumps(value).replace("<", "\\u003c")


# Replacements below are functions: in a replacement string re would expand a visitor's or an
# author's backslashes.
_BASE_HREF = re.compile(r"""(<base\b[^>]*?\bhref\s*=\s*)("[^"]*"|'[^']*')""", re.IGNORECASE)
_TITLE = re.compile(r"(<title\b[^>]*>).*?(</title\s*>)", re.IGNORECASE | re.DOTALL)
_META = re.compile(r"""<meta\b(?:"[^"]*"|'[^']*'|[^'">])*>""", re.IGNORECASE)
_CONTENT = re.compile(r"""(\bcontent\s*=\s*)("[^"]*"|'[^']*')""", re.IGNORECASE)


def _set_base_href(page: str, base_url: str) -> str:
    return _BASE_HREF.sub(lambda m: f'{m[1]}"{html.escape(base_url)}"', page, count=1)


_LINK = re.compile(r"""<(?:img|link|script)\b(?:"[^"]*"|'[^']*'|[^'">])*>""", re.IGNORECASE)
_URL = re.compile(r"""(\b(?:href|src)\s*=\s*)("[^"]*"|'[^']*')""", re.IGNORECASE)


def _set_links(page: str, files_path: str, fixed: Container[str]) -> str:
    """Have the page load the fixed files from where their version is in the URL."""

    def replace(url: re.Match[str]) -> str:
        name = html.unescape(url[2][1:-1])
        return f'{url[1]}"{html.escape(files_path + name)}"' if name in fixed else url[0]

    return _LINK.sub(lambda tag: _URL.sub(replace, tag[0], count=1), page)


def _set_title(page: str, title: str) -> str:
    return _TITLE.sub(lambda m: f"{m[1]}{html.escape(title)}{m[2]}", page, count=1)


def _set_meta(page: str, name: str, content: str) -> str:
    named = re.compile(rf"""\bname\s*=\s*(["']){re.escape(name)}\1""", re.IGNORECASE)

    def replace(tag: re.Match[str]) -> str:
        if not named.search(tag[0]):
            return tag[0]
        return _CONTENT.sub(lambda m: f'{m[1]}"{html.escape(content)}"', tag[0], count=1)

    return _META.sub(replace, page)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error


def _json_document(value: object) -> Document:
    return Document.of(json.dumps(value, ensure_ascii=False), "application/json")


def _with_roboto(fonts: list[Any]) -> list[Any]:
    # Material's default font; the engine would fetch it from Google unless the manifest has it.
    if any(font.get("family") == "Roboto" for font in fonts):
        return fonts
    return [*fonts, {"family": "Roboto", "fonts": [{"asset": "fonts/roboto.woff2"}]}]
