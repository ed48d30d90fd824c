#!/usr/bin/env python3
"""Break the connections of Flet's compiled web client, and see what becomes of its session.

    resume_probe.py --url http://127.0.0.1:8551/ --control 8552 --scenario drops,away
    resume_probe.py --url http://127.0.0.1:8551/ --control 8552 --scenario fuzz --drops 200
    resume_probe.py --url http://127.0.0.1:8551/ --control 8552 --scenario restart \\
        --server-cmd "python serve_demo.py trio 8551 uploads --app resume_app.py --control 8552"

The server serves resume_app.py, with its side channel on the port --control. Lines and exit
status are those of probe.py. The fuzz says which --seed it ran with.
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from probe import Probe, checked
from resume_desk import Control, Desk
from resume_drops import address, blind, drops, half_open, overflow, silence
from resume_fuzz import fuzz
from resume_pages import (
    changes,
    dialogs,
    duplicate,
    looks,
    redrawn,
    reloads,
    restart,
    typing,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Each has a fresh tab.
SCENARIOS = {
    run.__name__: run
    for run in (
        *(drops, blind, silence, half_open, address, overflow),
        *(changes, redrawn, looks, dialogs, typing, reloads, duplicate, restart, fuzz),
    )
}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def names(value: str) -> list[str]:
        chosen = value.split(",")
        if unknown := set(chosen) - set(SCENARIOS):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
        return chosen

    parser.add_argument("--url", required=True, type=urlsplit)
    parser.add_argument("--control", required=True, type=int, help="port of the side channel")
    parser.add_argument("--scenario", required=True, type=names, help=", ".join(SCENARIOS))
    parser.add_argument("--server-cmd", help="a server that the probe starts, stops and restarts")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--drops", type=int, default=25, help="how often the fuzz cuts")
    parser.add_argument("--shots", type=Path, help="folder for pictures of what failed")
    parser.add_argument("--frames", type=Path, help="file to which frames of failures are added")
    parser.add_argument("--chromium", help="the program, if it is not found by itself")
    return parser.parse_args(arguments)


def run(name: str, browser: Browser, probe: Probe, control: Control) -> None:
    failures, began = len(probe.failed), time.monotonic()
    desk: Desk | None = None
    try:
        desk = Desk.open(browser, probe.url, control)
        SCENARIOS[name](desk, probe)
    except Exception as error:
        # A broken page is one scenario's failure; the next has a page of its own.
        traceback.print_exc()
        probe.check(f"{name}.exception", False, f"{type(error).__name__}: {error}"[:300])
    print(f"{name} took {time.monotonic() - began:.1f} s", flush=True)
    if desk is None:
        return
    if failures != len(probe.failed):
        with contextlib.suppress(Exception):  # the page may be gone
            probe.shot(desk.tab, f"{name}_failed")
            for side, png in desk.compared.items():
                probe.keep(png, f"{name}_{side}")
        if probe.options.frames is not None:
            desk.tab.write_frames(probe.options.frames, name)
    desk.close()


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)

    def run_all(browser: Browser, probe: Probe) -> None:
        for name in options.scenario:
            run(name, browser, probe, Control(options.control))

    return checked(options, run_all)


if __name__ == "__main__":
    sys.exit(main())
