"""Serve Flet apps to browsers, on trio or asyncio."""

from .errors import (
    AsyncioNeeded,
    FletAnyioError,
    OutboxFull,
    PeerError,
    SessionClosed,
    TransportClosed,
)
from .flet_app import FletApp
from .limits import Limits
from .server import Server
from .serving import run, serve
from .web.app import app
from .web.oauth import FletOAuth
from .web.static import ClientMissingError, FletStaticFiles
from .web.uploads import FletUpload

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
    "TransportClosed",
    "app",
    "run",
    "serve",
]
