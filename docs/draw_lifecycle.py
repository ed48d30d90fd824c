"""Draws the tables and the task tree of `docs/lifecycle.md` from the code and from a live app.

    python docs/draw_lifecycle.py

rewrites what stands between the marks of that file, and leaves the rest as it is.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import flet as ft

from flet_anyio import FletApp, Limits
from flet_anyio.server import Server
from flet_anyio.session import lifecycle
from flet_anyio.session.lifecycle import TRANSITIONS, Reason, Signal, State
from flet_anyio.testing import Client, MemoryTransport
from flet_anyio.transports.base import PeerInfo

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import Enum

__all__ = ["PAGE", "redrawn"]

PAGE = Path(__file__).with_name("lifecycle.md")
_PART = re.compile(r"(<!-- drawn: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NOTHING = "\N{EN DASH}"
_NOT_THE_NAME = re.compile(r"^([0-9a-f]{8}: )?(.*<locals>\.)?")
"""A label that no two runs share, and where in this file a function of the app stands."""


async def redrawn(text: str) -> str:
    """The page with its drawn parts made anew. Raises nothing for parts that it does not know."""
    parts = {
        "states": _states(),
        "reasons": _described(Reason),
        "transitions": _transitions(),
        "deadlines": _deadlines(),
        "tree": await _tree(),
    }
    return _PART.sub(lambda found: f"{found[1]}{parts[found[2]]}\n{found[3]}", text)


# --- tables -----------------------------------------------------------------------------------


def _transitions() -> str:
    rows = [
        [f"**{state.value}**", *(_to(TRANSITIONS.get((state, signal))) for signal in Signal)]
        for state in State
    ]
    return _table(["", *(signal.value for signal in Signal)], rows)


def _to(state: State | None) -> str:
    return _NOTHING if state is None else state.value


def _states() -> str:
    rows = [[f"**{state.value}**", "yes" if _open(state) else "no"] for state in State]
    return _table(["state", "takes work and connections"], rows)


def _open(state: State) -> bool:
    life = lifecycle.Lifecycle()
    life.state = state
    return life.open


def _described(names: type[Enum]) -> str:
    said = _said(names)
    if not said:
        return "\n".join(f"- {name.value}" for name in names)
    return "\n".join(f"- **{name.value}**: {said.get(name.name, '')}" for name in names)


def _said(names: type[Enum]) -> dict[str, str]:
    """What stands below each member in the source."""
    (tree,) = ast.parse(inspect.getsource(names)).body
    assert isinstance(tree, ast.ClassDef)
    said = {}
    for line, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(line, ast.Assign)
            and isinstance(line.targets[0], ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            said[line.targets[0].id] = " ".join(str(below.value.value).split())
    return said


def _deadlines() -> str:
    """The limits that are times, and what they say of themselves."""
    text = inspect.getdoc(Limits) or ""
    said = dict(re.findall(r"^ {4}(\w+): (.*?)(?=^ {4}\w+: |\Z)", text, re.DOTALL | re.MULTILINE))
    times = [field for field in fields(Limits) if field.name.endswith(("_timeout", "_grace"))]
    rows = [
        [f"`Limits.{f.name}`", _seconds(f.default), " ".join(said[f.name].split())] for f in times
    ]
    return _table(["limit", "default", "what it bounds"], rows)


def _seconds(default: Any) -> str:
    return _NOTHING if default is None else f"{default} s"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# --- the tree ---------------------------------------------------------------------------------


async def everything(page: ft.Page) -> None:
    """An app that has one of each kind of task."""
    session: Any = page.session

    async def an_effect() -> None:
        await anyio.sleep_forever()

    async def a_background_task() -> None:
        await anyio.sleep_forever()

    async def call_the_client() -> None:
        await session.invoke_method(1, "method", None)

    @ft.component
    def App() -> ft.Control:  # noqa: N802
        ft.use_effect(an_effect, [])
        return ft.Button("call", on_click=call_the_client)

    page.render(App)
    page.run_task(a_background_task)
    session.authorization = object()
    session.oauth_authorize({"state": "a state"})
    await anyio.sleep_forever()


async def _tree() -> str:
    """The tasks of a server with one session and its connection, by their own names."""
    info = PeerInfo(url="ws://test/ws", path="/ws", client_ip="127.0.0.1", headers={})
    transport = MemoryTransport(info)
    client = Client(transport)
    client.silent = True
    server = Server()

    async def own(*, task_status: Any) -> None:
        async with server:
            task_status.started()
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        await tasks.start(own, name="whoever opened the server")
        connection = FletApp(main=everything, server=server)
        tasks.start_soon(connection.handle, transport, name="FletApp.handle")
        tasks.start_soon(client.run)
        client.register()
        await client.click("call")
        await client.until(lambda: client.calls)
        await anyio.wait_all_tasks_blocked()
        running = anyio.get_running_tasks()
        transport.drop()
        tasks.cancel_scope.cancel()
    roots = [t for t in running if t.name in ("whoever opened the server", "FletApp.handle")]
    lines: list[str] = []
    for root in sorted(roots, key=lambda task: str(task.name), reverse=True):
        _draw(root, running, lines, "", "")
    return "\n".join(["```text", *lines, "```"])


def _draw(
    task: anyio.TaskInfo, running: list[anyio.TaskInfo], lines: list[str], here: str, below: str
) -> None:
    lines.append(here + _name(task))
    children = sorted((one for one in running if one.parent_id == task.id), key=_name)
    for child in children:
        branch, beside = ("└─ ", "   ") if child is children[-1] else ("├─ ", "│  ")
        _draw(child, running, lines, below + branch, below + beside)


def _name(task: anyio.TaskInfo) -> str:
    return _NOT_THE_NAME.sub("", task.name or "?", count=1)


if __name__ == "__main__":
    drawn = anyio.run(redrawn, PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(drawn, encoding="utf-8")
