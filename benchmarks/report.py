"""From figures to Markdown, and to a plot."""

from __future__ import annotations

import math
import os
import platform
import re
import statistics
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from .cases import CASES, PAGE_SIZES, Case

__all__ = [
    "NICEGUI",
    "plotted",
    "short",
    "table",
    "tables",
    "verdict",
    "where",
    "write_into_readme",
]

Figures = dict[str, dict[str, list[float]]]
"""By case, then by server, "upstream" or NICEGUI: one figure for each round."""

NICEGUI = "NiceGUI"

_README = Path(__file__).with_name("README.md")
_PACKAGES = ("flet", "flet-web", "hypercorn", "uvicorn", "uvloop", "trio", "anyio", "starlette")


def tables(figures: Figures, servers: list[str]) -> str:
    """The figures, as Markdown."""
    rows = [_case_row(case, figures[case.name], servers) for case in CASES if case.name in figures]
    lines = table(["case", "upstream", *servers], rows)
    beside = _beside_nicegui(figures)
    return "\n".join([where(), "", *lines, "", *beside, *_remarks(figures, servers)])


def _case_row(case: Case, figures: dict[str, list[float]], servers: list[str]) -> list[str]:
    base = _median(figures.get("upstream"))
    cells = [_cell(case, server, _median(figures.get(server)), base) for server in servers]
    return [case.name, _amount(base, case.unit), *cells]


def _cell(case: Case, server: str, amount: float | None, base: float | None) -> str:
    if amount is None:
        return ""
    text = _amount(amount, case.unit)
    if base is not None:
        text += f", {short(base / amount)}x"
        if (goal := case.goals.get(server)) is not None:
            text += verdict(base / amount >= goal, f"≥ {short(goal)}x")
    if (bound := case.bounds.get(server)) is not None:
        text += verdict(amount <= bound, f"≤ {short(bound)}")
    return text


def _beside_nicegui(figures: Figures) -> list[str]:
    rows = [_nicegui_row(case, figures[case.name]) for case in CASES if _has_both(case, figures)]
    if not rows:
        return []
    lines = table(["case", NICEGUI, "uvicorn"], rows)
    return [f"Beside {NICEGUI}, which is on uvicorn too:", "", *lines, ""]


def _has_both(case: Case, figures: Figures) -> bool:
    return {NICEGUI, "uvicorn"} <= figures.get(case.name, {}).keys()


def _nicegui_row(case: Case, figures: dict[str, list[float]]) -> list[str]:
    theirs, ours = (statistics.median(figures[name]) for name in (NICEGUI, "uvicorn"))
    cell = f"{_amount(ours, case.unit)}, {theirs / ours:.2f}x"
    if case.nicegui is not None:
        cell += verdict(theirs / ours >= case.nicegui, f"≥ {short(case.nicegui)}x")
    return [case.name, _amount(theirs, case.unit), cell]


def verdict(met: bool, goal: str) -> str:
    """The words beside a figure that has a goal."""
    return f" ({goal})" if met else f" **(missed: {goal})**"


def _remarks(figures: Figures, servers: list[str]) -> list[str]:
    return [*_growth(figures), *_own_work(figures, servers), *_first_page(figures)]


def _growth(figures: Figures) -> list[str]:
    small, large = (_median(_of_rows(figures, n).get("uvicorn")) for n in (10, PAGE_SIZES[-1]))
    if small is None or large is None:
        return []
    each = (large - small) / (3 * (PAGE_SIZES[-1] - 10)) * 1e3
    met = verdict(each <= 25, "at most 25")
    return [f"- What a click costs more for each control on the page: {each:.1f} ns{met}."]


def _own_work(figures: Figures, servers: list[str]) -> list[str]:
    clicks = figures.get("click, 5 controls, 50 clients", {})
    own = []
    for server in servers:
        all_of_it, bare = _median(clicks.get(server)), _median(clicks.get(f"transport {server}"))
        if all_of_it is not None and bare is not None:
            met = verdict(all_of_it - bare <= 60, "at most 60")
            own.append(f"{server} {all_of_it:.0f} less {bare:.0f}: {all_of_it - bare:.0f} µs{met}")
    if not own:
        return []
    return ["- A click above what the server takes to carry it: " + "; ".join(own) + "."]


def _first_page(figures: Figures) -> list[str]:
    page = figures.get("first page", {})
    ours, upstreams = _median(page.get("ours")), _median(page.get("upstream"))
    if ours is None or upstreams is None:
        return []
    met = verdict(upstreams / ours >= 4, "≥ 4x")
    text = f"{upstreams:.0f} ms upstream, {ours:.0f} ms here, {upstreams / ours:.1f}x{met}"
    return [f"- First page of 1,000 rows, found, set up and packed: {text}."]


def plotted(figures: Figures) -> str:
    """The cost of a click by the size of the page, log-log, as SVG."""

    def along(name: str) -> list[float | None]:
        return [_median(_of_rows(figures, n).get(name)) for n in PAGE_SIZES]

    series = {
        "upstream": _Series("#b3261e", along("upstream")),
        NICEGUI: _Series("#5f6368", along(NICEGUI)),
        # Below its line, for NiceGUI's is close above.
        "flet-anyio": _Series("#1a56b0", along("uvicorn"), below=20),
    }
    return _svg([3 * n + 5 for n in PAGE_SIZES], series)


class _Series(NamedTuple):
    colour: str
    amounts: list[float | None]
    below: int = -10  # how far below the last of its points its name is


def _svg(sizes: list[int], series: dict[str, _Series]) -> str:
    def x(size: float) -> float:
        return 70 + (math.log10(size) - 1) / 4 * 520

    def y(micros: float) -> float:
        return 330 - (math.log10(micros) - 1) / 5 * 300

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 380" font-family="sans-serif">'
    ]
    parts.append('<rect width="640" height="380" fill="white"/>')
    for power in range(1, 7):
        label = f"{10**power:,} µs" if power < 3 else f"{10 ** (power - 3):,} ms"
        parts.append(_rule(70, y(10**power), 590, y(10**power)))
        parts.append(_text(64, y(10**power) + 4, label, "end"))
    for power in range(1, 6):
        parts.append(_rule(x(10**power), 30, x(10**power), 330))
        parts.append(_text(x(10**power), 348, f"{10**power:,}", "middle"))
    parts.append(_text(330, 370, "controls on the page", "middle"))
    parts.append(_text(70, 20, "CPU of a click, its handler and its update", "start"))
    for name, (colour, amounts, below) in series.items():
        known = [(x(s), y(a)) for s, a in zip(sizes, amounts, strict=True) if a is not None]
        if not known:
            continue
        points = " ".join(f"{px:.1f},{py:.1f}" for px, py in known)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in known]
        parts.append(_text(known[-1][0] - 8, known[-1][1] + below, name, "end", colour))
    return "\n".join([*parts, "</svg>\n"])


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="#ddd"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="12"'
    return f"<text {place}>{text}</text>"


def write_into_readme(text: str, name: str = "figures") -> None:
    """Put a text where the marks of this name say, in the README of the benchmarks."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    page = _README.read_text()
    _README.write_text(marks.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page))


def _of_rows(figures: Figures, rows: int) -> dict[str, list[float]]:
    return figures.get(f"click among {rows:,} rows", {})


def _median(amounts: list[float] | None) -> float | None:
    return statistics.median(amounts) if amounts else None


def _amount(amount: float | None, unit: str) -> str:
    if amount is None:
        return ""
    if unit == "µs" and amount >= 10_000:
        return f"{amount / 1e3:.0f} ms"
    return f"{short(amount)} {unit}"


def short(number: float) -> str:
    """A figure with no more digits than it is worth."""
    return f"{number:.0f}" if number >= 20 else f"{number:.2g}"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a table: what is measured to the left, figures to the right."""
    return [_line(cells) for cells in (head, ["---", *["--:"] * (len(head) - 1)], *rows)]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def where() -> str:
    """When and on what it was measured."""
    import datetime

    names = (*_PACKAGES, "nicegui")
    versions = ", ".join(f"{name} {found}" for name in names if (found := _version(name)))
    return (
        f"{datetime.date.today():%d %B %Y}, {_processor()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; {versions}."
    )


def _version(package: str) -> str:
    """Empty where it is not installed, which NiceGUI need not be."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    cpuinfo: Any = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return found[1] if found else platform.machine()
