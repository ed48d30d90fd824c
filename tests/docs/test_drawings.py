from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PROGRAM = DOCS / "draw_lifecycle.py"

pytestmark = pytest.mark.anyio


async def test_the_life_of_a_session_is_drawn_as_it_is() -> None:
    text = (DOCS / "lifecycle.md").read_text(encoding="utf-8")
    drawn = await runpy.run_path(str(PROGRAM))["redrawn"](text)
    assert text == drawn, "docs/lifecycle.md is not up to date: run `python docs/draw_lifecycle.py`"
