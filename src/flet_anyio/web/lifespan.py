"""The lifespans of apps that are mounted: nothing else would run them."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette

__all__ = ["lifespan"]


@asynccontextmanager
async def lifespan(*apps: Starlette) -> AsyncIterator[None]:
    """Run the lifespans of apps that are mounted, as a part of the host's own lifespan.

    Mounted apps run without it. With it, the host's shutdown ends their sessions in order, and
    what comes after the block in the host's lifespan finds them ended. Enter and leave it in
    one task.

    Args:
        apps: Apps made by `flet_anyio.app`, or other apps of Starlette. They start in this
            order, and end in the opposite one.
    """
    async with AsyncExitStack() as running:
        for app in apps:
            await running.enter_async_context(app.router.lifespan_context(app))
        yield
