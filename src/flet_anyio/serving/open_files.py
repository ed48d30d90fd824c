"""How many files the process may have open: each connection is one."""

from __future__ import annotations

from contextlib import suppress

__all__ = ["allow_all_files"]


def allow_all_files() -> None:
    """Raise the bound on open files as far as the process may.

    It often stands at 1,024, for programs that use `select`, though the system allows hundreds of
    thousands. The Go runtime does the same. Windows has no such bound.
    """
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS says "infinity" and takes less
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
