"""Every async test runs on each event loop, and leaves nothing behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import HealthCheck, settings

from backends import REAL_TIME, backend_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_HERE = Path(__file__).parent
_CODE = (str(_HERE), str(_HERE.parent / "src"), str(_HERE.parent / "examples"))
_LOOPS_OWN = "flet-anyio server"
_PATIENCE = 10.0

# How long an example takes is no property of the code: no deadline, no check of the pace.
settings.register_profile(
    "flet-anyio",
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # The same examples in every run; the long mode tries others.
    derandomize=not os.environ.get("FLET_ANYIO_LONG"),
    print_blob=True,
)
settings.load_profile("flet-anyio")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("anyio"):
            item.add_marker(pytest.mark.usefixtures("nothing_left"))


@pytest.fixture(params=REAL_TIME)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """The event loop a test runs on. Modules that test timing have one of their own."""
    return backend_options(request.param)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in os.environ:
        if name.startswith("FLET_") and not name.startswith("FLET_ANYIO_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is read from or written to the user's cache, by servers of other processes either.

    The tests have one for all workers: to compress the client takes longer than many a test.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLET_ANYIO_CACHE_DIR", str(base / "cache"))
        yield


@pytest.fixture
def client_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client of few files: the real one is tested in the browser."""
    folder = tmp_path / "client"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(
        '<html><head><base href="/"><title>Flet</title><!-- fletAppConfig --></head></html>'
    )
    (folder / "manifest.json").write_text("{}")
    (folder / "assets" / "FontManifest.json").write_text("[]")
    monkeypatch.setenv("FLET_WEB_PATH", str(folder))
    return folder


@pytest.fixture
def hypercorn_runs(request: pytest.FixtureRequest) -> None:
    """Skip where hypercorn itself fails: its HTTP streams expect tasks that start later."""
    if "asyncio+eager" in request.node.name:
        pytest.skip("hypercorn 0.18 does not run with eager tasks")


@pytest.fixture
async def nothing_left(anyio_backend: Any) -> AsyncIterator[None]:
    """Fail a test that leaves a task behind, or a thread that still runs code of ours."""
    before = {task.id for task in anyio.get_running_tasks()}
    threads = set(threading.enumerate())
    yield
    # Callbacks that end what the test has ended may still be on their way. Real time, as
    # virtual time does not pass here.
    end = time.monotonic() + _PATIENCE
    while (_tasks_since(before) or _busy_since(threads)) and time.monotonic() < end:
        await checkpoint()
    assert not _tasks_since(before), "tasks were left behind"
    assert not _busy_since(threads), "threads were left behind"


def _tasks_since(before: set[int]) -> list[anyio.TaskInfo]:
    return [
        task
        for task in anyio.get_running_tasks()
        # A bare FletApp makes the loop host a server; the loop ends it, after the test.
        if task.id not in before and _LOOPS_OWN not in (task.name or "")
    ]


def _busy_since(before: set[threading.Thread]) -> list[threading.Thread]:
    frames = sys._current_frames()
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before and _runs_ours(frames.get(thread.ident or 0))
    ]


def _runs_ours(frame: Any) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(_CODE):
            return True
        frame = frame.f_back
    return False
