"""`python -m benchmarks.load`: what each server holds, and how its clients fare under attack."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.command import add_options, figures_of
from benchmarks.report import write_into_readme
from benchmarks.serve import SERVERS
from benchmarks.servers import serving

from .addresses import allow_files
from .attacks import ATTACKS, Attack
from .capacity import MOST, clicks_per_second, sessions_held
from .report import Figures, tables
from .siege import Siege

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.servers import Server

_UPSTREAM = "upstream"
_DEFAULT = ["hypercorn asyncio", "hypercorn trio", "uvicorn"]
_OTHER_FILES = 100
_QUIET = 2


def main() -> None:
    arguments = _arguments()
    figures = figures_of(arguments, lambda: _Run(arguments).figures())
    table = tables(figures)
    print(table)
    if arguments.write:
        write_into_readme(table, "load")


class _Run:
    """All that is to be measured, on one server after the other."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._only: str = arguments.only
        self._seconds: float = arguments.seconds
        self._servers: list[str] = arguments.servers
        self._limits: dict[str, Any] = json.loads(arguments.limits)
        self._files = allow_files() - _OTHER_FILES
        self._attacks = [attack for attack in ATTACKS if self._wants(attack.name)]

    def figures(self) -> Figures:
        return {server: self._measured(server) for server in self._beside_upstream()}

    def _beside_upstream(self) -> list[str]:
        others = [name for name in self._servers if name != _UPSTREAM]
        asked = _UPSTREAM in self._servers or any(map(self._wants, ("sessions", "clicks")))
        return [*([_UPSTREAM] if asked else []), *others]

    def _wants(self, name: str) -> bool:
        return self._only in name

    def _measured(self, name: str) -> dict[str, dict[str, Any]]:
        kept: dict[str, dict[str, Any]] = {}
        most = min(MOST, self._files)
        for what, deflate in (("sessions", False), ("compressed", True)):
            if self._wants("sessions") and not (deflate and name == _UPSTREAM):
                with self._serving(name) as (server, _):
                    held = sessions_held(server, deflate=deflate, most=most)
                    _note(kept, name, what, asdict(held))
        if self._wants("clicks"):
            with self._serving(name) as (server, _):
                _note(kept, name, "clicks", asdict(clicks_per_second(server, self._seconds)))
        if self._attacks and name in self._servers:
            with self._serving(name) as (server, log):
                self._besiege(kept, name, Siege(server, log))
        return kept

    def _besiege(self, kept: dict[str, dict[str, Any]], name: str, siege: Siege) -> None:
        _note(kept, name, "quiet", asdict(siege.quiet(_QUIET * self._seconds)))
        for attack in self._attacks:
            measured = siege.attacked(self._bounded(attack), self._seconds)
            _note(kept, name, attack.name, asdict(measured))
        siege.close()

    def _bounded(self, attack: Attack) -> Attack:
        return Attack(attack.name, attack.run, min(attack.number, self._files))

    @contextmanager
    def _serving(self, name: str) -> Iterator[tuple[Server, Path]]:
        """Serve the app by a new process; give its log, too."""
        server, app = ("uvicorn", "load_upstream") if name == _UPSTREAM else (name, "load")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            log, uploads = Path(folder, "log"), str(Path(folder, "uploads"))
            with (
                log.open("w") as lines,
                serving(server, app, log=lines, limits=self._limits, upload_dir=uploads) as running,
            ):
                yield running, log


def _note(kept: dict[str, dict[str, Any]], server: str, what: str, fields: dict[str, Any]) -> None:
    kept[what] = fields
    rounded = {k: round(v, 1) if isinstance(v, float) else v for k, v in fields.items()}
    print(f"{time.strftime('%X')} {server}: {what} {rounded}", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument(
        "--only", default="", help='"sessions", "clicks" or part of the name of an attack'
    )
    parser.add_argument(
        "--servers",
        nargs="+",
        default=_DEFAULT,
        choices=[*SERVERS, _UPSTREAM],
        help="upstream, too, is attacked if it is named",
    )
    parser.add_argument("--seconds", type=float, default=3, help="how long each attack goes on")
    parser.add_argument("--limits", default="{}", help="for `flet_anyio.Limits`, as JSON")
    add_options(parser, "load-results.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
