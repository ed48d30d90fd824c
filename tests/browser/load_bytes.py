#!/usr/bin/env python3
"""Count the bytes of a page's loads in headless Chromium: this package's server, and upstream's.

    load_bytes.py [--settle SECONDS] [--files]

Each server runs examples/counter.py in a process of its own, and everything comes from it. A
relay between it and the browser counts all that passes, in both directions, headers and the
WebSocket included. "first" is a browser that was never there; "second" the page opened again in
a new tab; "reload" is F5 in that one. The very first visitor of a server gets copies that were
compressed quickly; that is the row "newly installed". --files lists what a first load consists
of. Prints a table in Markdown; the exit status is 1 if what docs/benchmarks.md says does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browser_tab import Tab, open_profile
from counting_relay import CountingRelay
from playwright.sync_api import sync_playwright
from sites import free_port, wait_listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Playwright

HERE = Path(__file__).parent
EXAMPLE = HERE.parent.parent / "examples" / "counter.py"
DEMO = [str(HERE / "serve_demo.py"), "trio", "PORT", "unused", "--app", str(EXAMPLE)]
UPSTREAM = [str(HERE / "serve_upstream.py"), str(EXAMPLE), "PORT"]
GZIP_RATIO, BROTLI_RATIO, SECOND_BYTES = 2.5, 3.0, 10_000


@dataclass
class Loads:
    """Bytes of the loads of one page."""

    first: int
    second: int
    reload: int
    files: Counter[str]


@contextlib.contextmanager
def serving(program: list[str], folder: Path, **environment: str) -> Iterator[int]:
    """Run a server on the port it yields, with its cache and its log in `folder`."""
    port = free_port()
    command = [sys.executable, *(part.replace("PORT", str(port)) for part in program)]
    environment = {**os.environ, "FLET_ANYIO_CACHE_DIR": str(folder / "cache"), **environment}
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            wait_listening(process, port, folder / "server.log")
            yield port
        finally:
            process.terminate()
            process.wait(30)


def measure(playwright: Playwright, port: int, encoding: bytes | None, settle: float) -> Loads:
    relay = CountingRelay(port)
    relay.accept_encoding = encoding
    url = f"http://127.0.0.1:{relay.port}/"
    with tempfile.TemporaryDirectory() as profile:
        context = open_profile(playwright, Path(profile))
        files: Counter[str] = Counter()
        first = Tab(context, url)
        note_sizes(context, first, files)
        first.open()
        cold = spent(relay, first, settle)
        first.close()
        second = Tab(context, url)
        second.open()
        again = spent(relay, second, settle)
        second.reload()
        reloaded = spent(relay, second, settle)
        context.close()
    relay.close()
    return Loads(cold, again, reloaded, files)


def spent(relay: CountingRelay, tab: Tab, settle: float) -> int:
    """How much passed since this was asked the last time, once the page is complete."""
    assert tab.wait(lambda: "You have counted to" in tab.text(), 30), tab.text()
    tab.page.wait_for_timeout(settle * 1000)
    passed, relay.passed = relay.passed, 0
    return passed


def note_sizes(context: BrowserContext, tab: Tab, files: Counter[str]) -> None:
    session = context.new_cdp_session(tab.page)
    urls: dict[str, str] = {}

    def note_url(event: dict[str, Any]) -> None:
        urls[event["requestId"]] = event["request"]["url"]

    def note_size(event: dict[str, Any]) -> None:
        files[urls.get(event["requestId"], "?")] += int(event["encodedDataLength"])

    session.on("Network.requestWillBeSent", note_url)
    session.on("Network.loadingFinished", note_size)
    session.send("Network.enable")


def wait_for_best_copies(folder: Path) -> None:
    """Wait until nothing was written for a while."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 5:
        time.sleep(0.5)
        under_way = any(folder.rglob("*.claim"))
        made = len(list(folder.rglob("*.br10")))
        if under_way or made != last:
            last, since = made, time.monotonic()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settle", type=float, default=2, help="seconds for late requests")
    parser.add_argument("--files", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        rows: dict[str, Loads] = {}
        with serving(UPSTREAM, folder) as port:
            rows["upstream"] = measure(playwright, port, None, options.settle)
        with serving(DEMO, folder) as port:
            rows["flet-anyio, gzip"] = measure(playwright, port, b"gzip, deflate", options.settle)
            rows["flet-anyio, brotli, newly installed"] = measure(
                playwright, port, None, options.settle
            )
            wait_for_best_copies(folder)
            rows["flet-anyio, brotli"] = measure(playwright, port, None, options.settle)
        print((folder / "server.log").read_text(), file=sys.stderr)
    show(rows, files=options.files)
    return 0 if holds(rows) else 1


def show(rows: dict[str, Loads], *, files: bool) -> None:
    base = rows["upstream"].first
    print("| server | first | fewer than upstream's | second | reload |")
    print("|---|--:|--:|--:|--:|")
    for name, loads in rows.items():
        print(
            f"| {name} | {loads.first:,} | {base / loads.first:.2f} times "
            f"| {loads.second:,} | {loads.reload:,} |"
        )
    if files:
        for name, loads in rows.items():
            print(f"\n{name}")
            for url, size in loads.files.most_common():
                print(f"{size:>10,} {url}")


def holds(rows: dict[str, Loads]) -> bool:
    base = rows["upstream"].first
    gzip, brotli = rows["flet-anyio, gzip"], rows["flet-anyio, brotli"]
    return (
        base >= GZIP_RATIO * gzip.first
        and base >= BROTLI_RATIO * brotli.first
        and max(gzip.second, brotli.second) <= SECOND_BYTES
    )


if __name__ == "__main__":
    sys.exit(main())
