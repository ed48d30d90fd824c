"""Each promise of docs/security.md names tests that there are."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TEXT = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
PROMISES = [
    line.strip("|").split("|")
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| promise"))
]
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


@lru_cache
def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[0].strip()[:40])
def test_a_promise_is_tried(promise: list[str]) -> None:
    named = TEST.findall(promise[-1])
    assert named
    for file, name in named:
        assert name in functions_of(TESTS / file), f"{file} has no {name}"


def test_there_are_promises() -> None:
    assert len(PROMISES) > 20
