"""The app that docs/deployment.md is about, as its command lines name it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flet_anyio.serving.apps import is_asgi
from flet_anyio.serving.script import load

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The app in its file, in the working directory."""
    (tmp_path / "shop.py").write_text(PROGRAMS[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield
    sys.modules.pop("shop", None)


@pytest.mark.usefixtures("shop")
def test_its_app_can_be_run_as_it_says() -> None:
    (target,) = re.findall(r"`flet-anyio run (\S+)", PAGE)
    script = load(target)
    assert is_asgi(script.main)
    names: dict[str, Any] = {"app": script.main}
    exec(PROGRAMS[1], names)
    assert is_asgi(names["app"])
    assert names["app"] is not script.main


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
def test_its_app_is_where_servers_look_for_it(server: str) -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith(f"{server} ")]
    assert lines
    assert all("shop:app" in line for line in lines)
    assert is_asgi(load("shop.py:app").main)
