"""Upstream's `FastAPI`. The only module that needs fastapi: it is imported when asked for."""

from __future__ import annotations

import inspect
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import fastapi

from .app_manager import app_manager

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

__all__ = ["FastAPI"]


class FastAPI(fastapi.FastAPI):
    """A FastAPI app whose lifespan starts and shuts down the `app_manager`.

    At the start the manager comes first, then `on_startup`, then `lifespan`; they end in the
    opposite order. All other settings are those of `fastapi.FastAPI`.

    Args:
        on_startup: Functions, sync or async, to call at the start.
        on_shutdown: Functions, sync or async, to call at the end.
        lifespan: The app's own lifespan. Unlike upstream, it may be given beside the others.
        openapi_prefix: An old name of `root_path`.
        root_path: As in fastapi.
        **settings: As in fastapi.
    """

    def __init__(
        self,
        *,
        on_startup: Sequence[Callable[[], Any]] | None = None,
        on_shutdown: Sequence[Callable[[], Any]] | None = None,
        lifespan: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None,
        openapi_prefix: str = "",
        root_path: str = "",
        **settings: Any,
    ) -> None:
        @asynccontextmanager
        async def managed(app: fastapi.FastAPI) -> AsyncIterator[Any]:
            await app_manager.start()
            try:
                await _call(on_startup)
                async with (lifespan or _nothing)(app) as state:
                    yield state
            finally:
                try:
                    await _call(on_shutdown)
                finally:
                    await app_manager.shutdown()

        super().__init__(lifespan=managed, root_path=root_path or openapi_prefix, **settings)


@asynccontextmanager
async def _nothing(app: object) -> AsyncIterator[None]:
    yield


async def _call(functions: Sequence[Callable[[], Any]] | None) -> None:
    for function in functions or ():
        result = function()
        if inspect.isawaitable(result):
            await result
