"""Serve the compiled Flet web client, with its start documents filled in per mount path."""

from __future__ import annotations

import hashlib
import html
import importlib.util
import json
import logging
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import anyio.to_thread
from flet.controls.types import RouteUrlStrategy, WebRenderer
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from ..settings import flag, setting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum

    from starlette.types import Scope

    _E = TypeVar("_E", bound=Enum)

__all__ = ["ClientMissingError", "FletStaticFiles", "client_dir"]

logger = logging.getLogger(__name__)

_INDEX = "index.html"
_MANIFEST = "manifest.json"
_FONT_MANIFEST = "assets/FontManifest.json"

# The client's page marks with this comment where the server's settings belong.
_CONFIG_MARK = "<!-- fletAppConfig -->"

# The root path may hold a part of the URL (`Mount("/{tenant}", ...)`): then visitors choose it.
# Beyond this many, the oldest are forgotten and made again when asked for.
_MAX_MOUNTS = 256

# Windows reads its table from the registry, where any installed program may have changed it, and
# a browser refuses to run a module or to stream wasm that comes under another type.
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
}


class ClientMissingError(RuntimeError):
    """The compiled web client is not there, so there is no page to serve.

    Attributes:
        path: Where it was looked for; None when the package `flet-web` is not installed.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        where = "flet-web is not installed" if path is None else f"nothing usable at {path}"
        super().__init__(
            f"The Flet web client was not found ({where}). "
            'Install it with: pip install "flet-anyio[web]", '
            "or set FLET_WEB_PATH to the directory of a built client."
        )


def client_dir() -> Path:
    """Find the directory of the compiled web client.

    FLET_WEB_PATH wins; otherwise it is the `web` directory of the installed `flet_web`. That
    package is located and never imported: importing it would bring in upstream's server.

    Raises:
        ClientMissingError: There is no such directory.
    """
    path = _configured_client() or _packaged_client()
    if path is None or not path.is_dir():
        raise ClientMissingError(path)
    return path


def _configured_client() -> Path | None:
    configured = os.environ.get("FLET_WEB_PATH")
    return Path(configured).resolve() if configured else None


def _packaged_client() -> Path | None:
    spec = importlib.util.find_spec("flet_web")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "web"


@dataclass(frozen=True)
class _Document:
    """A start document with its settings in place, ready to be sent."""

    body: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, text: str, media_type: str) -> _Document:
        body = text.encode("utf-8")
        return cls(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')

    def headers(self) -> dict[str, str]:
        return {
            "cache-control": "no-cache",
            # Written out, because the answer to HEAD has the length and no body.
            "content-length": str(len(self.body)),
            "etag": self.etag,
        }


class FletStaticFiles(StaticFiles):
    """Serve one Flet app's page, its assets and the compiled client; GET and HEAD only.

    Files come from `assets_dir` first, then from the client's directory. `index.html`,
    `manifest.json` and, with `no_cdn`, `assets/FontManifest.json` are taken from the same places
    and filled in in memory: once per mount path, in a worker thread, and kept as long as this
    object lives (a changed file is seen after a restart). Nothing is written to disk. A path
    that names no file gives the start page when it has no extension or ends in `.html`, so that
    the client can route it, and 404 otherwise.

    Cancellation of a request leaves nothing behind. One object may serve several event loops.

    None means "not given" for every argument; then the environment variable named below counts,
    if it is set, and after it the default. An argument that was given always wins.

    Args:
        proxy_path: Path under which a reverse proxy publishes the app and which it strips.
        assets_dir: The app's own files; relative to the working directory. A directory that is
            missing is logged and left out. FLET_ASSETS_DIR.
        app_name: Title of the page, and name of the installable app.
        app_short_name: Short name of the installable app; `app_name` if not given.
        app_description: Description of the page and of the installable app.
        web_renderer: Flet's enum or its value. FLET_WEB_RENDERER; default "auto".
        route_url_strategy: Flet's enum or its value. FLET_WEB_ROUTE_URL_STRATEGY; default "path".
        no_cdn: Load renderer and fonts from this server, not from public ones.
            FLET_WEB_NO_CDN; default True.
        websocket_endpoint_path: Where the client connects. Without a leading slash it counts from
            the mount path. Default "ws".

    Raises:
        ClientMissingError: There is no client directory or no `index.html`. Raised at once.
        ValueError: A setting is not one of the allowed values, or a JSON document in `assets_dir`
            cannot be read.
    """

    def __init__(
        self,
        proxy_path: str | None = None,
        assets_dir: str | os.PathLike[str] | None = None,
        app_name: str | None = None,
        app_short_name: str | None = None,
        app_description: str | None = None,
        web_renderer: WebRenderer | str | None = None,
        route_url_strategy: RouteUrlStrategy | str | None = None,
        no_cdn: bool | None = None,
        websocket_endpoint_path: str | None = None,
    ) -> None:
        self._proxy_path = proxy_path or ""
        self._app_name = app_name
        self._app_short_name = app_short_name
        self._app_description = app_description
        self._web_renderer = _choose(
            "web_renderer", web_renderer, "FLET_WEB_RENDERER", WebRenderer.AUTO
        )
        self._route_url_strategy = _choose(
            "route_url_strategy",
            route_url_strategy,
            "FLET_WEB_ROUTE_URL_STRATEGY",
            RouteUrlStrategy.PATH,
        )
        self._no_cdn = setting(no_cdn, "FLET_WEB_NO_CDN", flag) is not False
        self._websocket_endpoint_path = websocket_endpoint_path or "ws"
        self._mounts: dict[str, Mapping[str, _Document]] = {}
        # A thread lock and not anyio's: once we serve it is only taken inside worker threads, and
        # it does not tie this object to one event loop.
        self._mounts_lock = threading.Lock()

        client = client_dir()
        assets = _choose_assets(assets_dir)
        super().__init__(directory=client, html=True)
        if assets is not None:
            self.all_directories.insert(0, assets)
        if self._find(_INDEX) is None:
            raise ClientMissingError(client)
        # Whatever is wrong with the documents is better told now than to the first visitor.
        self._documents_at(self._proxy_path)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer a request for `path`, which is relative to the mount and already normalised.

        Raises:
            HTTPException: 404 or 405, for the application that this one is mounted in.
        """
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        documents = await self._documents(self._proxy_path + scope.get("root_path", ""))
        name = _INDEX if path == "." else path.replace(os.sep, "/")
        if name in documents:
            return self._document_response(documents[name], scope)
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or not _is_route(path):
                raise
        else:
            # An app may ship a 404.html, which starlette returns instead of raising.
            if response.status_code != 404 or not _is_route(path):
                return response
        return self._document_response(documents[_INDEX], scope)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a file, the app's before the client's. See starlette's `StaticFiles`."""
        # Starlette turns the file system's ValueError into a 404 only in its later versions.
        return ("", None) if "\0" in path else super().lookup_path(path)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Answer with a file. See starlette's `StaticFiles`."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        media_type = _MEDIA_TYPES.get(os.path.splitext(full_path)[1].lower())
        if media_type is not None and "content-type" in response.headers:
            charset = "; charset=utf-8" if media_type.startswith("text/") else ""
            response.headers["content-type"] = media_type + charset
        return response

    def _document_response(self, document: _Document, scope: Scope) -> Response:
        body = b"" if scope["method"] == "HEAD" else document.body
        response = Response(body, headers=document.headers(), media_type=document.media_type)
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            return NotModifiedResponse(response.headers)
        return response

    async def _documents(self, mount_path: str) -> Mapping[str, _Document]:
        documents = self._mounts.get(mount_path)
        if documents is None:
            documents = await anyio.to_thread.run_sync(self._documents_at, mount_path)
        return documents

    def _documents_at(self, mount_path: str) -> Mapping[str, _Document]:
        with self._mounts_lock:
            documents = self._mounts.get(mount_path)
            if documents is None:
                documents = self._build(_base_url(mount_path))
                while len(self._mounts) >= _MAX_MOUNTS:
                    del self._mounts[next(iter(self._mounts))]
                self._mounts[mount_path] = documents
            return documents

    def _build(self, base_url: str) -> Mapping[str, _Document]:
        documents = {_INDEX: _Document.of(self._index(base_url), "text/html")}
        if (path := self._find(_MANIFEST)) is not None:
            documents[_MANIFEST] = _json_document(self._manifest(_read_json(path)))
        if self._no_cdn and (path := self._find(_FONT_MANIFEST)) is not None:
            documents[_FONT_MANIFEST] = _json_document(_with_roboto(_read_json(path)))
        return documents

    def _find(self, name: str) -> Path | None:
        """Locate a file as a request for it would, so that the same rules on symlinks hold."""
        full_path, stat_result = self.lookup_path(name)
        return None if stat_result is None else Path(full_path)

    def _index(self, base_url: str) -> str:
        path = self._find(_INDEX)
        if path is None:
            raise ClientMissingError(Path(str(self.directory)))
        page = path.read_text(encoding="utf-8")
        if _CONFIG_MARK not in page:
            logger.warning("%s has no comment %r: the client gets no settings", path, _CONFIG_MARK)
        page = _set_base_href(page, base_url)
        page = page.replace(_CONFIG_MARK, _config_script(self._config(base_url)))
        if self._app_name:
            page = _set_title(page, self._app_name)
            page = _set_meta(page, "apple-mobile-web-app-title", self._app_name)
        if self._app_description:
            page = _set_meta(page, "description", self._app_description)
        return page

    def _config(self, base_url: str) -> dict[str, Any]:
        endpoint = self._websocket_endpoint_path
        config: dict[str, Any] = {
            # A page made by `flet build web` asks for Python in the browser.
            "pyodide": False,
            "noCdn": self._no_cdn,
            "webRenderer": self._web_renderer.value,
            "routeUrlStrategy": self._route_url_strategy.value,
            "entrypointBaseUrl": base_url,
            "assetBase": base_url,
            "webSocketEndpoint": endpoint if endpoint.startswith("/") else base_url + endpoint,
        }
        if self._no_cdn:
            config["canvasKitBaseUrl"] = f"{base_url}canvaskit/"
            config["fontFallbackBaseUrl"] = "assets/fonts/"
        return config

    def _manifest(self, manifest: dict[str, Any]) -> dict[str, Any]:
        wanted = {
            "name": self._app_name,
            "short_name": self._app_short_name or self._app_name,
            "description": self._app_description,
        }
        return manifest | {key: value for key, value in wanted.items() if value}


def _choose(name: str, given: _E | str | None, variable: str, default: _E) -> _E:
    kind = type(default)
    value: _E | str = default
    if given is not None:
        value = given
    elif from_environment := os.environ.get(variable):
        name, value = variable, from_environment
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(repr(member.value) for member in kind)
        raise ValueError(f"{name} must be one of {allowed}; got {value!r}") from None


def _choose_assets(given: str | os.PathLike[str] | None) -> Path | None:
    chosen = os.environ.get("FLET_ASSETS_DIR") if given is None else os.fspath(given)
    if not chosen:
        return None
    path = Path(chosen).resolve()
    if not path.is_dir():
        logger.warning("Assets directory does not exist: %s", path)
        return None
    return path


def _is_route(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in ("", ".html")


def _base_url(mount_path: str) -> str:
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


def _json_document(value: object) -> _Document:
    return _Document.of(json.dumps(value, ensure_ascii=False), "application/json")


def _with_roboto(fonts: list[Any]) -> list[Any]:
    # Material's default font; the engine would fetch it from Google unless the manifest has it.
    if any(font.get("family") == "Roboto" for font in fonts):
        return fonts
    return [*fonts, {"family": "Roboto", "fonts": [{"asset": "fonts/roboto.woff2"}]}]
