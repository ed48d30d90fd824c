"""From figures to Markdown: what is held, and how clients fare under attack."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.report import short, table, verdict, where

from .capacity import MOST, Held, Rate
from .clicking import LATE
from .siege import Measured, bound

__all__ = ["Figures", "tables"]

Figures = dict[str, dict[str, dict[str, Any]]]
"""By server, then by what was measured: the fields of `Held`, `Rate` or `Measured`."""

_GOALS = {"hypercorn asyncio": 5_000}
_UPSTREAM = "upstream"
_MUCH_MEMORY = 100
_HELD = {"sessions": "idle sessions in 350 MiB", "compressed": "the same, compressed"}
_CLICKS = "clicks"
_QUIET = "quiet"


def tables(figures: Figures) -> str:
    """The figures, as Markdown."""
    parts = [where(), *_capacity(figures), *_siege(figures)]
    return "\n".join(parts)


# --- what is held -----------------------------------------------------------------------------


def _capacity(figures: Figures) -> list[str]:
    servers = [name for name, of in figures.items() if {*_HELD, _CLICKS} & {*of}]
    rows = [
        [title, *(_held(figures[server].get(name), server, name) for server in servers)]
        for name, title in _HELD.items()
    ]
    rows.append(["clicks per second, p99 < 100 ms", *(_rate(figures[s]) for s in servers)])
    return _table(["what is held", *servers], [row for row in rows if any(row[1:])])


def _held(fields: dict[str, Any] | None, server: str, name: str) -> str:
    if fields is None:
        return ""
    held = Held(**fields)
    text = f"{'over ' if held.more else ''}{held.sessions:,} in {held.mebibytes:.0f} MiB"
    goal = _GOALS.get(server) if name == "sessions" else None
    # One that was not filled says nothing of a goal, unless it has reached that.
    if goal is not None and (held.sessions >= goal or not held.more):
        text += verdict(held.sessions >= goal, f"≥ {goal:,}")
    return f"{text}, {short(held.kilobytes_each)} kB each"


def _rate(of: dict[str, dict[str, Any]]) -> str:
    if _CLICKS not in of:
        return ""
    rate = Rate(**of[_CLICKS])
    text = f"{rate.rate:,.0f}/s, p50 {short(rate.p50)} ms, server {rate.server:.0%}"
    return text + (f" **(the load: {rate.load:.0%})**" if rate.is_the_loads else "")


# --- under attack -----------------------------------------------------------------------------


def _siege(figures: Figures) -> list[str]:
    kept = {
        server: {n: Measured(**m) for n, m in of.items() if n not in (*_HELD, _CLICKS)}
        for server, of in figures.items()
        if _QUIET in of
    }
    names = list(dict.fromkeys(name for of in kept.values() for name in of))
    rows = [[name, *(_fared(of, name) for of in kept.values())] for name in names]
    remarks = [f"- {server}: {text}" for server, of in kept.items() if (text := _remarks(of))]
    return [*_table(["p50 / p99 of a click, ms", *kept], rows), "", *remarks]


def _fared(of: dict[str, Measured], name: str) -> str:
    if name not in of:
        return ""
    quiet, measured = of[_QUIET], of[name]
    text = f"{_time(measured.p50)} / {_time(measured.p99)}"
    if measured is not quiet:
        text += verdict(measured.holds(quiet), f"≤ {short(bound(quiet))}")
    return text + (" *(disturbed)*" if measured.late > LATE else "")


def _time(milliseconds: float) -> str:
    return "never" if math.isinf(milliseconds) else short(milliseconds)


def _remarks(of: dict[str, Measured]) -> str:
    """All that is not as it should be, beside the times."""
    said = []
    for name, measured in of.items():
        troubles = _troubles(measured)
        if troubles:
            said.append(f"{name}: {', '.join(troubles)}")
    return "; ".join(said)


def _troubles(measured: Measured) -> list[str]:
    possible = {
        "**serves nobody afterwards**": not measured.alive,
        f"**{measured.lost} clicks without an answer**": measured.lost,
        f"**{measured.left} connections stay**": measured.left,
        f"connections gone after {short(measured.back)} s": measured.back > 1 and not measured.left,
        f"{measured.tracebacks} tracebacks": measured.tracebacks,
        f"{measured.memory:.0f} MiB more": measured.memory > _MUCH_MEMORY,
    }
    return [what for what, is_so in possible.items() if is_so]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    return ["", *table(head, rows)]


assert max(_GOALS.values()) <= MOST, "a goal out of reach"
