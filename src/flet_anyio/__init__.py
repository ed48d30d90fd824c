"""Serve Flet apps to browsers, on trio or asyncio."""

from typing import TYPE_CHECKING, Any

from .errors import (
    AsyncioNeeded,
    FletAnyioError,
    OutboxFull,
    PeerError,
    SessionClosed,
    TooManyCalls,
    TransportClosed,
)
from .flet_app import FletApp
from .limits import Limits, limits_reached
from .server import Server
from .serving import run, serve
from .web.app import app
from .web.app_manager import app_manager
from .web.files.static import ClientMissingError, FletStaticFiles
from .web.lifespan import lifespan
from .web.oauth import FletOAuth
from .web.uploads.endpoint import FletUpload

if TYPE_CHECKING:
    from .web.fastapi import FastAPI as FastAPI

# `FastAPI` is not in it: whoever imports all names need not have fastapi.
__all__ = [
    "AsyncioNeeded",
    "ClientMissingError",
    "FletAnyioError",
    "FletApp",
    "FletOAuth",
    "FletStaticFiles",
    "FletUpload",
    "Limits",
    "OutboxFull",
    "PeerError",
    "Server",
    "SessionClosed",
    "TooManyCalls",
    "TransportClosed",
    "app",
    "app_manager",
    "lifespan",
    "limits_reached",
    "run",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name == "FastAPI":
        from .web.fastapi import FastAPI

        return FastAPI
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
