"""Where clients of this process come from, and how many files it may open."""

from __future__ import annotations

__all__ = ["ATTACKER", "allow_files", "healthy", "visitor"]

ATTACKER = "127.0.0.2"
"""All attacks come from one address, as limits on addresses are there for that."""

_HOSTS = 250


def healthy(number: int) -> str:
    """The address of a client that is measured: each has its own."""
    return f"127.1.{number // _HOSTS}.{number % _HOSTS + 1}"


def visitor(number: int) -> str:
    """The address of one of many clients that only stay: each has its own."""
    return f"127.2.{number // _HOSTS}.{number % _HOSTS + 1}"


def allow_files() -> int:
    """Let this process, and those it starts, open as many files as it may. Return that number."""
    import resource  # not on Windows, where others may want the rest of this

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
