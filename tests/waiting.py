"""Waiting in tests, where a client cannot be waited for in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from flet_anyio.testing import Client

__all__ = ["PATIENCE", "gone", "reached", "read_until"]

PATIENCE = 20
"""Seconds in which what is waited for must have come, however slow the machine is."""


async def reached(condition: Callable[[], Any]) -> None:
    """Wait until the condition holds, for real seconds; a virtual clock would not go on."""
    with anyio.fail_after(PATIENCE):
        while not condition():
            await checkpoint()


async def gone(client: Client) -> None:
    """Lose the client's connection, and wait until it has noticed."""
    client.drop()
    await client.until(lambda: client.closed)


async def read_until(client: Client, text: str) -> None:
    """Take frames until this text is on the page, for a client that was given room for none."""
    with anyio.fail_after(PATIENCE):
        while text not in client.texts:
            await client.read_one()
