"""Apps in files: the function that a file names, or the one it gives to `ft.run`."""

from __future__ import annotations

import importlib.util
import inspect
import runpy
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flet

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Script", "ScriptError", "load"]

_RUN_FUNCTIONS = ("run", "run_async")
_TAKEN = {
    "before_main",
    "host",
    "port",
    "assets_dir",
    "upload_dir",
    "web_renderer",
    "route_url_strategy",
    "no_cdn",
}


class ScriptError(Exception):
    """A file holds no app that could be served; the text says what to do."""


@dataclass(frozen=True)
class Script:
    """An app from a file.

    Attributes:
        main: The app, or an ASGI app.
        settings: What the file passed to `ft.run` and `flet_anyio` understands.
        directory: Where the file lies; its relative paths start there.
    """

    main: Any
    directory: Path
    settings: dict[str, Any] = field(default_factory=dict)


def load(target: str) -> Script:
    """Load an app from `FILE` or `FILE:NAME`.

    Without a name the file is run as a program. It is not changed for this: where it calls
    `ft.run(main, …)`, the call is noted and nothing is started.

    Raises:
        ScriptError: There is no such file or name, or the file never calls `ft.run`.
    """
    file_name, _, name = target.partition(":") if ".py:" in target else (target, "", "")
    path = Path(file_name).resolve()
    if not path.is_file():
        raise ScriptError(f"{file_name}: no such file")
    # As Python does for a program: its neighbours can be imported.
    sys.path.insert(0, str(path.parent))
    return _named(path, name) if name else _run(path)


def _named(path: Path, name: str) -> Script:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    main = getattr(module, name, None)
    if not callable(main):
        raise ScriptError(f"{path.name} has no function {name!r}")
    return Script(main, path.parent)


def _run(path: Path) -> Script:
    with _noting_runs() as calls:
        runpy.run_path(str(path), run_name="__main__")
    if not calls:
        raise ScriptError(
            f"{path.name} never calls ft.run(main); add the call, or name the function: "
            f"{path.name}:main"
        )
    main, settings = calls[0]
    return Script(main, path.parent, settings)


@contextmanager
def _noting_runs() -> Iterator[list[tuple[Any, dict[str, Any]]]]:
    calls: list[tuple[Any, dict[str, Any]]] = []
    before = {name: getattr(flet, name) for name in _RUN_FUNCTIONS}
    for name, function in before.items():
        setattr(flet, name, _noting(function, calls))
    try:
        yield calls
    finally:
        for name, function in before.items():
            setattr(flet, name, function)


def _noting(function: Any, calls: list[tuple[Any, dict[str, Any]]]) -> Any:
    signature = inspect.signature(function)

    def note(*args: Any, **kwargs: Any) -> None:
        given = signature.bind(*args, **kwargs).arguments
        settings = {name: given[name] for name in _TAKEN & given.keys()}
        if given.get("name"):
            settings["path"] = given["name"]
        calls.append((given["main"], settings))

    async def note_async(*args: Any, **kwargs: Any) -> None:
        note(*args, **kwargs)

    return note_async if inspect.iscoroutinefunction(function) else note
