from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import anyio
import pytest

from flet_anyio.compat.flet_modules import PATCHED, FletAsyncio, install
from waiting import PATIENCE

LOOP_METHODS = {"create_future", "call_soon_threadsafe"}


@pytest.mark.parametrize("name", PATCHED)
def test_flet_uses_nothing_of_asyncio_that_is_not_offered(name: str) -> None:
    source = inspect.getsource(importlib.import_module(name))
    used = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "asyncio"
    }
    assert used, f"{name} no longer uses asyncio: it need not be patched"
    assert used <= set(dir(FletAsyncio))


def test_flet_uses_nothing_of_a_loop_that_is_not_offered() -> None:
    source = inspect.getsource(importlib.import_module("flet.controls.core.raw_image"))
    used = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "loop"
    }
    assert used == LOOP_METHODS


@pytest.mark.parametrize("name", PATCHED)
def test_the_stand_in_is_in_place(name: str) -> None:
    install()
    assert importlib.import_module(name).asyncio is FletAsyncio


@pytest.mark.anyio
class TestStandIn:
    async def test_an_event_may_be_set_before_and_after_waiting(self) -> None:
        event = FletAsyncio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(event.wait)
            await anyio.wait_all_tasks_blocked()
            assert not event.is_set()
            event.set()
        assert await event.wait()
        event.clear()
        assert not event.is_set()

    async def test_a_future_hands_over_its_result(self) -> None:
        future = FletAsyncio.get_running_loop().create_future()
        future.set_result(5)
        assert future.done()
        assert await FletAsyncio.wait_for(future, 1) == 5

    async def test_waiting_is_bounded(self) -> None:
        with pytest.raises(TimeoutError):
            await FletAsyncio.wait_for(FletAsyncio.Event().wait(), 0)

    async def test_a_callback_runs_soon(self) -> None:
        done = anyio.Event()
        FletAsyncio.get_running_loop().call_soon_threadsafe(done.set)
        with anyio.fail_after(PATIENCE):
            await done.wait()

    async def test_functions_run_in_threads(self) -> None:
        assert await FletAsyncio.to_thread(lambda a, b: a + b, 1, 2) == 3


def test_signing_in_uses_no_asyncio() -> None:
    """Flet exchanges codes by httpx, which runs on either backend; nothing of it is replaced."""
    import flet.auth

    folder = Path(flet.auth.__file__).parent
    sources = {path.name: path.read_text() for path in folder.rglob("*.py")}
    assert "authorization_service.py" in sources
    assert [name for name, source in sources.items() if "asyncio" in source] == []
