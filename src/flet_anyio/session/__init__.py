"""One user's state and work: it outlives connections, and nothing it began outlives it."""

from ..compat.flet_modules import install
from .interfaces import Client
from .session import Session

__all__ = ["Client", "Session"]

# Before any session runs: flet's controls must find what works on both backends.
install()
