from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import flet
import pytest

from flet_anyio.serving.script import ScriptError, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _import_state() -> Iterator[None]:
    path, modules = sys.path.copy(), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder: Path, text: str) -> str:
    file = folder / "some_app.py"
    file.write_text(text)
    return str(file)


def test_a_program_that_calls_run_is_served_as_it_is(tmp_path: Path) -> None:
    target = write(
        tmp_path,
        "import flet as ft\n"
        "def main(page): ...\n"
        "def first(page): ...\n"
        "if __name__ == '__main__':\n"
        "    ft.run(main, before_main=first, port=9, view=ft.AppView.WEB_BROWSER)\n",
    )
    script = load(target)
    assert script.main.__name__ == "main"
    assert script.settings["before_main"].__name__ == "first"
    assert script.settings == {"before_main": script.settings["before_main"], "port": 9}
    assert script.directory == tmp_path


def test_run_may_be_imported_by_name(tmp_path: Path) -> None:
    script = load(write(tmp_path, "from flet import run\ndef go(page): ...\nrun(main=go)\n"))
    assert script.main.__name__ == "go"


def test_run_async_is_noted_too(tmp_path: Path) -> None:
    text = (
        "import asyncio, flet as ft\n"
        "def main(page): ...\n"
        "asyncio.run(ft.run_async(main, upload_dir='up'))\n"
    )
    script = load(write(tmp_path, text))
    assert script.settings == {"upload_dir": "up"}


def test_flet_is_as_before_afterwards(tmp_path: Path) -> None:
    before = flet.run
    load(write(tmp_path, "import flet as ft\nft.run(lambda page: None)\n"))
    assert flet.run is before
    with pytest.raises(ZeroDivisionError):
        load(write(tmp_path, "1 / 0\n"))
    assert flet.run is before


def test_a_name_picks_a_function(tmp_path: Path) -> None:
    target = write(tmp_path, "def main(page): ...\ndef other(page): ...\n")
    assert load(f"{target}:other").main.__name__ == "other"


def test_neighbours_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_app.py").write_text("def main(page): ...\n")
    target = write(tmp_path, "from neighbour_of_app import main\n")
    assert load(f"{target}:main").main.__name__ == "main"


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ScriptError, match=r"nowhere\.py: no such file"):
        load("nowhere.py")


def test_a_missing_name_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="no function 'nope'"):
        load(write(tmp_path, "def main(page): ...\n") + ":nope")


def test_a_program_that_serves_nothing_is_told_how(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"ft\.run\(main\).*some_app\.py:main"):
        load(write(tmp_path, "def main(page): ...\n"))
