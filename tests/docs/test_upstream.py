"""That docs/upstream.md names guards and tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flet_anyio.compat import servers

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/upstream.md").read_text()


@pytest.mark.parametrize("guard", sorted(set(re.findall(r"`(_[A-Z]\w+(?:\.\w+)?)`", TEXT))))
def test_a_guard_is_there(guard: str) -> None:
    place, _, method = guard.partition(".")
    assert method in {"", *vars(getattr(servers, place))}


@pytest.mark.parametrize("section", re.findall(r"\*\*Guard, test\.\*\*.*?\n\n", TEXT, re.DOTALL))
def test_tests_are_where_they_are_said_to_be(section: str) -> None:
    files = re.findall(r"`(\w+/test_\w+\.py)`", section)
    tests = re.findall(r"`(test_\w+)`", section)
    text = "".join((ROOT / "tests" / name).read_text() for name in files)
    assert files
    assert [name for name in tests if f"def {name}(" not in text] == []


def test_links_lead_to_headings() -> None:
    headings = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    places = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\(#([^)]+)\)", TEXT)) == places
