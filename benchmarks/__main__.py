"""`python -m benchmarks`: run the cases on all servers, upstream's in turn, and print the table."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from .cases import CASES, Case
from .command import add_options, figures_of
from .rendering import first_page
from .report import NICEGUI, Figures, plotted, tables, write_into_readme
from .serve import SERVERS
from .servers import serving

_PLOT = Path(__file__).parents[1] / "docs" / "images" / "click_by_page.svg"
_UPSTREAM = "upstream"


def main() -> None:
    arguments = _arguments()
    figures = figures_of(arguments, lambda: _measured(arguments))
    table = tables(figures, arguments.servers)
    print(table)
    if arguments.write:
        write_into_readme(table)
        _PLOT.write_text(plotted(figures))


def _measured(arguments: argparse.Namespace) -> Figures:
    figures: Figures = {}
    chosen = [case for case in CASES if not arguments.cases or arguments.cases in case.name]
    if not _has_nicegui() and any(case.nicegui is not None for case in chosen):
        print("NiceGUI is left out: it is not installed here.", file=sys.stderr)
    for case in chosen:
        kept = figures[case.name] = {}
        for _ in range(arguments.rounds):
            for name, server, app in _runs(case, arguments.servers):
                kept.setdefault(name, []).append(_run(case, server, app, arguments.seconds))
        print(case.name, {k: [round(x, 1) for x in v] for k, v in kept.items()}, file=sys.stderr)
    if not arguments.cases:
        figures["first page"] = {app: [first_page(app)] for app in ("ours", _UPSTREAM)}
    return figures


def _runs(case: Case, servers: list[str]) -> list[tuple[str, str, str]]:
    """What is run in a round, upstream's first: its name in the figures, the server, the app."""
    chosen = servers if case.everywhere else [name for name in servers if name == "uvicorn"]
    runs = [(_UPSTREAM, "uvicorn", _UPSTREAM)]
    if case.nicegui is not None and "uvicorn" in chosen and _has_nicegui():
        runs.append((NICEGUI, "uvicorn", "nicegui"))
    runs += [(server, server, "ours") for server in chosen]
    if case.name == "click, 5 controls, 50 clients":
        runs += [(f"transport {server}", server, "transport") for server in chosen]
    return runs


def _has_nicegui() -> bool:
    return find_spec("nicegui") is not None


def _run(case: Case, server: str, app: str, seconds: float) -> float:
    with serving(server, app) as running:
        return case.run(running, seconds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--cases", help="only those whose names contain this")
    parser.add_argument("--servers", nargs="+", default=list(SERVERS), choices=list(SERVERS))
    parser.add_argument("--rounds", type=int, default=3, help="each figure is their median")
    parser.add_argument("--seconds", type=float, default=2, help="how long each case runs")
    add_options(parser, "benchmark-results.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
