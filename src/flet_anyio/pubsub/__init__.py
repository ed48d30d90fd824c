"""Messages between the sessions of one app."""

from .hub import Hub

__all__ = ["Hub"]
