"""What the commands of the benchmarks have in common: measure or read figures, and keep them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .servers import cores

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

__all__ = ["add_options", "figures_of"]

T = TypeVar("T")


def add_options(parser: argparse.ArgumentParser, results: str) -> None:
    """Have a command keep its figures in the file `results`, or draw earlier ones."""
    parser.add_argument("--results", default=results, help="where figures go")
    parser.add_argument("--render", help="draw the figures of an earlier run")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")


def figures_of(arguments: argparse.Namespace, measure: Callable[[], T]) -> T:
    """Return what is measured now, away from the servers' core, or what was earlier."""
    if arguments.render:
        earlier: T = json.loads(Path(arguments.render).read_text())
        return earlier
    os.sched_setaffinity(0, cores()[1])
    figures = measure()
    Path(arguments.results).write_text(json.dumps(figures, indent=1))
    return figures
