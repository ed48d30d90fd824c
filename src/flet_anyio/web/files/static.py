"""Serve the compiled Flet web client, an app's assets and the page that puts them together."""

from __future__ import annotations

import logging
import os
import re
import threading
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import anyio.to_thread
from flet.controls.types import RouteUrlStrategy, WebRenderer
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from ...settings import flag, setting
from ..policy import HEADERS, ISOLATION
from .client import ClientMissingError, client_dir, client_files
from .compressed import CompressedFiles
from .documents import FONT_MANIFEST, INDEX, MANIFEST, Document, Page, base_url
from .encodings import choose_encoding, worth_compressing
from .fingerprints import Fingerprints

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from enum import Enum

    from starlette.types import Scope

    _E = TypeVar("_E", bound=Enum)

__all__ = ["ClientMissingError", "FletStaticFiles", "client_dir"]

logger = logging.getLogger(__name__)

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

# Before the name of a file, the version of the client that the page was made for. No app's own
# files or routes are likely to begin with a dash alone.
_VERSIONED = re.compile(r"-/([0-9a-f]{16})/(.+)")

_REVALIDATE = "no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"


class FletStaticFiles(StaticFiles):
    """Serve one Flet app's page, its assets and the compiled client; GET and HEAD only.

    Files come from `assets_dir` first, then from the client's directory. `index.html`,
    `manifest.json` and, with `no_cdn`, `assets/FontManifest.json` are taken from the same places
    and filled in in memory: once per mount path, in a worker thread, and kept as long as this
    object lives (a changed file is seen after a restart). Nothing is written beside the files.
    A path that names no file gives the start page when it has no extension or ends in `.html`,
    so that the client can route it, and 404 otherwise.

    What gets smaller by it is sent compressed to clients that accept it (`CompressedFiles` has
    the copies); ranges are of the plain file.

    The page loads the client's files from URLs that hold a fingerprint of all of them, and
    browsers need not ask again for those; for everything else they ask whether it has changed.
    So a page of a new version loads new files at once, and an app's assets may change at any
    time.

    Browsers are told not to guess at types, and to isolate the page: else they give the wasm
    renderer no threads.

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
        content_security_policy: That of the page; "" sends none. Default: one that lets only
            the page's own scripts run, and only this site show it in a frame.
        framed_by: Origins of other sites that may do so too; "*" is any.

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
        *,
        content_security_policy: str | None = None,
        framed_by: Iterable[str] = (),
    ) -> None:
        client = client_dir()
        self._proxy_path = proxy_path or ""
        self._page = Page(
            client=client,
            find=self._find,
            app_name=app_name,
            app_short_name=app_short_name,
            app_description=app_description,
            web_renderer=_choose(
                "web_renderer", web_renderer, "FLET_WEB_RENDERER", WebRenderer.AUTO
            ).value,
            route_url_strategy=_choose(
                "route_url_strategy",
                route_url_strategy,
                "FLET_WEB_ROUTE_URL_STRATEGY",
                RouteUrlStrategy.PATH,
            ).value,
            no_cdn=setting(no_cdn, "FLET_WEB_NO_CDN", flag) is not False,
            websocket_endpoint_path=websocket_endpoint_path or "ws",
            policy=content_security_policy,
            framed_by=tuple(framed_by),
        )
        self._fingerprints = Fingerprints()
        self._compressed = CompressedFiles()
        self._mounts: dict[str, Mapping[str, Document]] = {}
        # A thread lock and not anyio's: once we serve it is only taken inside worker threads, and
        # it does not tie this object to one event loop.
        self._mounts_lock = threading.Lock()

        assets = _choose_assets(assets_dir)
        super().__init__(directory=client, html=True)
        if assets is not None:
            self.all_directories.insert(0, assets)
        if self._find(INDEX) is None:
            raise ClientMissingError(client)
        self._fixed = self._fingerprint_client(client)
        self._version = self._fingerprint_version()
        # Whatever is wrong with the documents is better told now than to the first visitor.
        self._documents_at(self._proxy_path)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer a request for `path`, which is relative to the mount and already normalised.

        Raises:
            HTTPException: 404 or 405, for the application that this one is mounted in.
        """
        response = await self._respond(path, scope)
        for name, value in (HEADERS | ISOLATION).items():
            response.headers.setdefault(name, value)
        return response

    async def _respond(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        documents = await self._documents(self._proxy_path + scope.get("root_path", ""))
        name = INDEX if path == "." else path.replace(os.sep, "/")
        versioned = _VERSIONED.fullmatch(name)
        version, name = versioned.groups() if versioned else (None, name)
        if name in documents:
            fixed = version == self._version and name == FONT_MANIFEST
            return self._document_response(documents[name], scope, fixed=fixed)
        is_route = versioned is None and _is_route(path)
        try:
            response = await super().get_response(name.replace("/", os.sep), scope)
        except HTTPException as error:
            if error.status_code != 404 or not is_route:
                raise
        else:
            if isinstance(response, RedirectResponse):
                return _to_folder(scope)
            if isinstance(response, FileResponse) and response.status_code == 200:
                return await self._represent(response, scope, name, version)
            # An app may ship a 404.html, which starlette returns instead of raising.
            if response.status_code != 404 or not is_route:
                return response
        return self._document_response(documents[INDEX], scope, fixed=False)

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
        """The plain file. `get_response` makes of it what the client is sent."""
        return FileResponse(full_path, status_code=status_code, stat_result=stat_result)

    async def _represent(
        self, plain: FileResponse, scope: Scope, name: str, version: str | None
    ) -> Response:
        """The answer that has a file in the encoding that suits the client."""
        request = Headers(scope=scope)
        path, found = Path(plain.path), plain.stat_result
        assert found is not None
        content = await self._fingerprint(path, found)
        fixed = version == self._version and self._fixed.get(name) == content
        headers = {
            "cache-control": _FOR_EVER if fixed else _REVALIDATE,
            "etag": f'"{content}"',
            "last-modified": plain.headers["last-modified"],
        }
        if worth_compressing(path.name, found.st_size):
            headers["vary"] = "Accept-Encoding"
            encoding = choose_encoding(request.get("accept-encoding", ""))
            # Ranges are of the plain file; those of a copy would change with its level.
            if encoding is not None and "range" not in request:
                copy = await self._compressed.get(path, content, encoding)
                if copy is not None:
                    path, found = copy.path, copy.stat_result
                    headers["etag"] = f'"{content}-{encoding.name}{copy.level}"'
                    headers["content-encoding"] = encoding.name
                    headers["accept-ranges"] = "none"
        media_type = _media_type(plain.path)
        response = FileResponse(path, headers=headers, stat_result=found, media_type=media_type)
        return self._unless_not_modified(response, request)

    async def _fingerprint(self, path: Path, found: os.stat_result) -> str:
        try:
            return await anyio.to_thread.run_sync(self._fingerprints.of, path, found)
        except OSError:
            # It went since it was found, or cannot be read.
            raise HTTPException(404) from None

    def _document_response(self, document: Document, scope: Scope, *, fixed: bool) -> Response:
        request = Headers(scope=scope)
        encoding = choose_encoding(request.get("accept-encoding", ""))
        encoding = encoding if encoding in document.bodies else None
        body = document.bodies[encoding]
        suffix = "" if encoding is None else f"-{encoding.name}"
        headers = {
            "cache-control": _FOR_EVER if fixed else _REVALIDATE,
            # Written out, because the answer to HEAD has the length and no body.
            "content-length": str(len(body)),
            "etag": f'"{document.fingerprint}{suffix}"',
            "vary": "Accept-Encoding",
        }
        if encoding is not None:
            headers["content-encoding"] = encoding.name
        if document.policy:
            headers["content-security-policy"] = document.policy
        sent = b"" if scope["method"] == "HEAD" else body
        response = Response(sent, headers=headers, media_type=document.media_type)
        return self._unless_not_modified(response, request)

    def _unless_not_modified(self, response: Response, request: Headers) -> Response:
        if self.is_not_modified(response.headers, request):
            return NotModifiedResponse(response.headers)
        return response

    async def _documents(self, mount_path: str) -> Mapping[str, Document]:
        documents = self._mounts.get(mount_path)
        if documents is None:
            documents = await anyio.to_thread.run_sync(self._documents_at, mount_path)
        return documents

    def _documents_at(self, mount_path: str) -> Mapping[str, Document]:
        with self._mounts_lock:
            documents = self._mounts.get(mount_path)
            if documents is None:
                files = f"-/{self._version}/"
                documents = self._page.documents(base_url(mount_path), files, self._fixed)
                while len(self._mounts) >= _MAX_MOUNTS:
                    del self._mounts[next(iter(self._mounts))]
                self._mounts[mount_path] = documents
            return documents

    def _find(self, name: str) -> Path | None:
        """Locate a file as a request for it would, so that the same rules on symlinks hold."""
        full_path, stat_result = self.lookup_path(name)
        return None if stat_result is None else Path(full_path)

    def _fingerprint_client(self, client: Path) -> dict[str, str]:
        """The client's files that the app has none of its own for, and what is in them."""
        fixed = {}
        for name in client_files(client):
            if name in (INDEX, MANIFEST):  # what is in them is relative to where they are
                continue
            full_path, found = self.lookup_path(name)
            if found is not None and os.path.realpath(client / name) == full_path:
                fixed[name] = self._fingerprints.of(full_path, found)
        return fixed

    def _fingerprint_version(self) -> str:
        """Changes with anything that browsers are told to keep for ever."""
        fonts = self._page.font_manifest()
        whole = (sorted(self._fixed.items()), fonts and fonts.fingerprint)
        return sha256(repr(whole).encode()).hexdigest()[:16]


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


def _to_folder(scope: Scope) -> Response:
    """Send a browser that asks for a folder, which has a page of its own, to its slash.

    By a relative address: what a proxy strips, and the scheme that it is asked by, are not known.
    """
    name, query = scope["path"].rpartition("/")[2], scope.get("query_string", b"").decode("latin-1")
    return RedirectResponse(f"./{quote(name)}/{query and '?'}{query}")


def _is_route(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in ("", ".html")


def _media_type(path: str | os.PathLike[str]) -> str:
    known = _MEDIA_TYPES.get(os.path.splitext(path)[1].lower())
    return known or guess_type(path)[0] or "application/octet-stream"
