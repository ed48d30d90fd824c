"""The compiled Flet web client: where it is, and what is in it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ClientMissingError", "client_dir", "client_files"]


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


def client_files(client: Path) -> Iterator[str]:
    """The names of all files of a client, as URLs have them, always in the same order."""
    for folder, folders, files in os.walk(client):
        folders.sort()
        for name in sorted(files):
            yield Path(folder, name).relative_to(client).as_posix()


def _configured_client() -> Path | None:
    configured = os.environ.get("FLET_WEB_PATH")
    return Path(configured).resolve() if configured else None


def _packaged_client() -> Path | None:
    spec = importlib.util.find_spec("flet_web")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "web"
