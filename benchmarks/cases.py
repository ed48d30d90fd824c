"""The table: what is measured, how, and what it is to reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from .scenarios import broadcast, clicks, connects, idle, typing

if TYPE_CHECKING:
    from collections.abc import Callable

    from .servers import Server

__all__ = ["CASES", "PAGE_SIZES", "Case"]

PAGE_SIZES = (10, 100, 1_000, 5_000, 10_000)


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes:
        name: What it is called.
        run: Measures one server for so many seconds.
        unit: Of what `run` returns; less is better.
        goals: By server: how many times less than upstream it is to be.
        bounds: By server: what it is to be at most, in `unit`.
        nicegui: How many times less than NiceGUI it is to be, on uvicorn. None keeps NiceGUI out.
        everywhere: Whether to run it on each server, or on uvicorn only.
    """

    name: str
    run: Callable[[Server, float], float]
    unit: str = "µs"
    goals: dict[str, float] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)
    nicegui: float | None = None
    everywhere: bool = True


def _goals(asyncio: float, trio: float, uvicorn: float) -> dict[str, float]:
    return {"hypercorn asyncio": asyncio, "hypercorn trio": trio, "uvicorn": uvicorn}


def _rows(rows: int, goals: dict[str, float] | None = None) -> Case:
    run = partial(clicks, route=f"/rows/{rows}")
    name, often = f"click among {rows:,} rows", rows in (1_000, 5_000)
    nicegui = _LESS_THAN_NICEGUI if often else None
    return Case(name, run, goals=goals or {}, nicegui=nicegui, everywhere=often)


_LESS_THAN_NICEGUI = 2.0
_EDITS = _goals(40, 25, 50)
_MEMORY = {"hypercorn asyncio": 55.0, "hypercorn trio": 55.0, "uvicorn": 50.0}
_CONNECT = dict.fromkeys(("hypercorn asyncio", "hypercorn trio", "uvicorn"), 1 / 0.7)

CASES = [
    Case("click, 5 controls, 1 client", clicks, nicegui=_LESS_THAN_NICEGUI),
    Case(
        "click, 5 controls, 50 clients",
        partial(clicks, clients=50),
        goals=_goals(5, 3.5, 7),
        nicegui=_LESS_THAN_NICEGUI,
    ),
    Case("the same, async handler", partial(clicks, clients=50, key="async")),
    Case("click that changes a nested control", partial(clicks, route="/deep", key="inner")),
    Case("click on a deep page", partial(clicks, route="/deep"), everywhere=False),
    _rows(10),
    _rows(100),
    _rows(1_000, _goals(100, 60, 150)),
    _rows(5_000, _goals(300, 200, 400)),
    _rows(10_000),
    Case(
        "append or remove one of 1,000 rows",
        partial(clicks, route="/edit/1000", key="edit"),
        goals=_EDITS,
    ),
    Case(
        "move one of 1,000 rows", partial(clicks, route="/edit/1000", key="move"), everywhere=False
    ),
    Case("a component of 1,000", partial(clicks, route="/list/1000"), everywhere=False),
    Case("typing into a field", typing),
    Case("connect", connects, "ms", goals=_CONNECT),
    Case("idle session", idle, "kB", bounds=_MEMORY),
    Case("idle session, deflate", partial(idle, deflate=True), "kB", everywhere=False),
    Case("broadcast to 300, time", broadcast, "ms", goals=_goals(3, 2, 4)),
]
