"""Fuzz servers, and say whether they still serve, and are as they were before.

    python -m fuzz [--seed N] [--frames N] [--only K] … [SERVER…]

Frames come in visits of a hundred. All of a visit follows from the seed and its number. When a
server breaks a promise, the numbers of the frames that were being sent are told: `--only K` with
the same seed sends frame K, and what was sent before it in its visit, to a new server.

Throughout a client of its own clicks and must get right answers. At the end what lives in the
server must be what lived before, and nothing was logged as an error. Else the status is 1.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time

import anyio

from programs import COMMANDS, running

from .campaign import Campaign, place_for_files

_SHOWN = 12_000
"""Characters of a server's log."""
SERVERS = ["run-trio", "run-asyncio", "uvicorn-asyncio"]
FRAMES = 1_000_000 if os.environ.get("FLET_ANYIO_LONG") else 25_000


def fuzz(server: str, options: argparse.Namespace) -> list[str]:
    """Fuzz one server; return what it broke."""
    with place_for_files(), running(server, served="fuzz/fuzzed_app") as program:
        campaign = Campaign(program, options.seed, options.at_once, options.promptly)
        began = time.monotonic()
        anyio.run(campaign.run, options.frames, options.only)
        print(f"\n{server}: {campaign.report(time.monotonic() - began)}", flush=True)
        if campaign.broken:
            print(program.text[-_SHOWN:])
        return campaign.broken


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--frames", type=int, default=FRAMES, help="for each server")
    parser.add_argument("--only", type=int, metavar="K", help="send this frame and its visit's")
    parser.add_argument("--at-once", type=int, default=6, help="visits at a time")
    parser.add_argument(
        "--promptly", type=float, default=5, help="seconds in which a healthy client is answered"
    )
    parser.add_argument("servers", nargs="*", default=SERVERS, help=", ".join(COMMANDS))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    broken = {server: fuzz(server, options) for server in options.servers}
    for server, promises in broken.items():
        for promise in promises:
            print(f"BROKEN on {server}: {promise}")
    return 1 if any(broken.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
