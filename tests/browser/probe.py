#!/usr/bin/env python3
"""Drive Flet's compiled web client, in headless Chromium, against a server of demo_app.py.

    probe.py --url http://127.0.0.1:8551/ --scenario all
    probe.py --url http://127.0.0.1:8551/ --scenario counter,text,reload
    probe.py --url http://127.0.0.1:8551/ --scenario restart \\
             --server-cmd "python serve_demo.py trio 8551 uploads"

One line for each check: PASS|FAIL|SKIP <scenario>.<check>: <details>. The exit status is 0 when
nothing failed, 1 when something did, 2 for wrong usage. The browser reaches no host but that of
--url; whatever the client wants from elsewhere fails the check load.offsite.

`reconnect` puts a TCP relay between browser and server, and breaks it. `restart` needs
--server-cmd. "all" leaves out `restart` and `idle`, which waits for --idle seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, urlsplit

from browser_relay import Relay
from browser_tab import CRASHED, EVENT, PATCH, REGISTER, Tab, launch, open_context, share
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    Run = Callable[["Tab", "Probe"], None]

# The client asks for this animation runtime even when it is told to use no CDN; an app without
# such animations does not miss it.
_KNOWN_OFFSITE = "/rive_native.js"

RENDERERS = ("skwasm", "canvaskit")
_WHITE = ((236, 255), (0, 255), (0, 255))
_ERROR_PINK = ((246, 255), (201, 229), (201, 229))


class Scenario(NamedTuple):
    run: Run
    in_all: bool
    own_tab: bool


SCENARIOS: dict[str, Scenario] = {}


def scenario(*, in_all: bool = True, own_tab: bool = False) -> Callable[[Run], Run]:
    """Register a scenario under its function's name.

    Those without a tab of their own follow one another in one tab, so they compare with what
    they found there.
    """

    def register(run: Run) -> Run:
        SCENARIOS[run.__name__] = Scenario(run, in_all, own_tab)
        return run

    return register


@dataclass
class Probe:
    """One run: its settings and its results."""

    options: argparse.Namespace
    url: SplitResult
    server: Server | None = None
    relay: Relay | None = None
    loaded: float = 0  # seconds until the demo app was usable
    passed: int = 0
    failed: list[str] = field(default_factory=list)

    def check(self, name: str, ok: object, detail: str = "") -> None:
        print(f"{'PASS' if ok else 'FAIL'} {name}: {detail}", flush=True)
        if ok:
            self.passed += 1
        else:
            self.failed.append(name)

    def shot(self, tab: Tab, name: str) -> None:
        if self.options.shots is not None:
            self.keep(tab.picture(2), name)

    def keep(self, png: bytes, name: str) -> None:
        if self.options.shots is not None:
            (self.options.shots / f"{name}.png").write_bytes(png)


# What a page shows and does


def token(tab: Tab) -> str:
    """What the tab was last given to come back with."""
    held: str = tab.received(REGISTER)[-1].body["session_id"]
    return held


@scenario()
def load(tab: Tab, probe: Probe) -> None:
    session = tab.value("Session")
    sent, received = tab.sent(REGISTER), tab.received(REGISTER)
    probe.check("load.title", tab.page.title() == "Flet probe demo", repr(tab.page.title()))
    probe.check(
        "load.register",
        len(sent) == len(received) == 1,
        f"{len(sent)} sent, {len(received)} received, {tab.sockets[0].url}",
    )
    probe.check(
        "load.session",
        session and token(tab) and session not in token(tab),
        "the client is given a token, and not the session's id",
    )
    offsite = [
        u
        for u in tab.requests
        if u.startswith("http") and urlsplit(u).netloc != urlsplit(tab.url).netloc
    ]
    ok = all(u.endswith(_KNOWN_OFFSITE) for u in offsite)
    probe.check("load.offsite", ok, f"requests to other hosts: {sorted(set(offsite))}")
    blocked = [text for text in tab.console if "Content Security Policy" in text]
    probe.check("load.policy", not blocked, f"the page's policy forbids: {blocked}")
    wanted = probe.options.renderer
    fetched = [one for one in RENDERERS if any(u.endswith(f"/{one}.wasm") for u in tab.requests)]
    ok = fetched == [wanted] if wanted else len(fetched) == 1
    probe.check("load.renderer", ok, f"want {wanted or 'any'}, fetched {fetched}")
    white = share(tab.picture(), *_WHITE)
    probe.check("load.painted", 0.5 < white < 0.995, f"{1 - white:.1%} is not background")
    probe.check(
        "load.time",
        True,
        f"usable after {probe.loaded:.2f} s and {len(tab.requests)} requests, "
        f"WebSocket opened at {tab.sockets[0].opened:.2f} s",
    )


@scenario()
def counter(tab: Tab, probe: Probe) -> None:
    start = tab.count("Count")
    for i, (label, change) in enumerate((("+", 1), ("+", 2), ("-", 1))):
        began = time.monotonic()
        tab.click(label)
        ok, shown = tab.wait_value("Count", str(start + change))
        took = (time.monotonic() - began) * 1000
        detail = f"{label!r} clicked, want {start + change}, shown {shown}, {took:.0f} ms"
        probe.check(f"counter.{i}", ok, detail)


@scenario()
def burst(tab: Tab, probe: Probe) -> None:
    want, before = str(tab.count("Count") + 50), len(tab.received(PATCH))
    tab.click("Burst")
    ok, shown = tab.wait_value("Count", want)
    updates = len(tab.received(PATCH)) - before
    probe.check("burst.count", ok, f"want {want}, shown {shown}, {updates} updates")


@scenario()
def text(tab: Tab, probe: Probe) -> None:
    words = "Hello wörld 42"
    tab.type_into("Name", words)
    ok, shown = tab.wait_value("Echo", words)
    probe.check("text.change", ok, f"want {words!r}, shown {shown!r}")
    tab.page.keyboard.press("Enter")
    ok, shown = tab.wait_value("Submitted", words)
    probe.check("text.submit", ok, f"want {words!r}, shown {shown!r}")


@scenario()
def checkbox(tab: Tab, probe: Probe) -> None:
    was = tab.value("Checked")
    tab.click("Agree", role="checkbox")
    ok, shown = tab.wait_value("Checked", "False" if was == "True" else "True")
    probe.check("checkbox.toggle", ok, f"{was} -> {shown}")


@scenario()
def rows(tab: Tab, probe: Probe) -> None:
    for _ in range(3):
        tab.click("Add row")
    ok, shown = tab.wait_value("Rows", "3")
    probe.check("rows.add", ok and tab.wait_text("Row number 3"), f"want 3, shown {shown}")
    tab.click("Delete row")
    ok, shown = tab.wait_value("Rows", "2")
    gone = tab.wait_text("Row number 1", present=False)
    probe.check("rows.delete", ok and gone, f"want 2, shown {shown}, first row gone: {gone}")


@scenario()
def dialog(tab: Tab, probe: Probe) -> None:
    tab.click("Open dialog")
    shown = tab.wait_text("Confirm content")
    probe.shot(tab, "dialog_open")
    probe.check("dialog.open", shown, f"its content is shown: {shown}")
    tab.click("Confirm")
    ok, value = tab.wait_value("Dialog", "confirmed")
    gone = tab.wait_text("Confirm content", present=False)
    probe.check("dialog.close", ok and gone, f"Dialog: {value}, its content is gone: {gone}")


@scenario()
def route(tab: Tab, probe: Probe) -> None:
    tab.click("Go about")
    ok, shown = tab.wait_value("Route", "/about")
    path = urlsplit(tab.page.url).path
    probe.check("route.push", ok and path.endswith("/about"), f"Route: {shown}, address {path}")
    tab.page.go_back()
    ok, shown = tab.wait_value("Route", "/")
    probe.check("route.back", ok, f"Route after the browser's Back: {shown}")


@scenario()
def upload(tab: Tab, probe: Probe) -> None:
    data = os.urandom(300_000)
    name = upload_file(tab, probe, data)
    # The client's JavaScript build sends a whole float as an integer: 1, not 1.0.
    ok, shown = tab.wait_value("Upload", f"{name} 1.0 None", f"{name} 1 None", timeout=15)
    probe.check("upload.done", ok, f"Upload: {shown}")
    ok, shown = tab.wait_value("Progress", "from 0 to 1, rising")
    probe.check("upload.progress", ok, f"Progress: {shown}")
    if probe.options.upload_dir is None:
        print("SKIP upload.bytes: needs --upload-dir", flush=True)
        return
    stored: Path = probe.options.upload_dir / name
    same = stored.exists() and stored.read_bytes() == data
    probe.check("upload.bytes", same, f"stored what was sent: {same}")


@scenario()
def upload_refused(tab: Tab, probe: Probe) -> None:
    name = upload_file(tab, probe, bytes(5_000_000))
    told = "The file is larger than 1000000 bytes. Choose a smaller one."
    error = f"{name} None Upload endpoint returned code 413: {told}"
    ok, shown = tab.wait_value("Upload", error, timeout=15)
    probe.check("upload_refused.told", ok, f"Upload: {shown}")
    if probe.options.upload_dir is not None:
        stored = list(probe.options.upload_dir.glob(f"{name}*"))
        probe.check("upload_refused.nothing", not stored, f"stored: {stored}")


def upload_file(tab: Tab, probe: Probe, data: bytes) -> str:
    """Pick a file, which the app then uploads; return its name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"probe_{os.urandom(6).hex()}.bin")
        path.write_bytes(data)
        with tab.page.expect_file_chooser(timeout=10_000) as chooser:
            tab.click("Pick file")
        chooser.value.set_files(path)
        ok, shown = tab.wait_value("Picked", f"{path.name} {len(data)}", timeout=15)
        probe.check("upload.picked", ok, f"Picked: {shown}")
        # The browser reads it as it sends it.
        tab.wait(lambda: path.name in (tab.value("Upload") or ""), 15)
        tab.wait(lambda: not (tab.value("Upload") or "").startswith(f"{path.name} 0"), 15)
        return path.name


# What becomes of a session


@scenario()
def reload(tab: Tab, probe: Probe) -> None:
    session, want = tab.value("Session"), str(tab.count("Count") + 1)
    tab.click("+")
    tab.wait_value("Count", want)
    reloaded, held = tab.now(), token(tab)
    tab.reload()
    tab.wait(lambda: tab.value("Session"), 20)
    probe.check(
        "reload.session", tab.value("Session") == session, f"{session} -> {tab.value('Session')}"
    )
    ok, shown = tab.wait_value("Count", want)
    probe.check("reload.state", ok, f"want {want}, shown {shown}")
    offered = [f.body["session_id"] for f in tab.sent(REGISTER, after=reloaded)]
    probe.check("reload.register", offered == [held], f"held {held}, offered {offered}")
    probe.check("reload.token", token(tab) != held, f"{held} -> {token(tab)}")


@scenario()
def twotabs(tab: Tab, probe: Probe) -> None:
    with contextlib.closing(Tab(tab.context, tab.url)) as other:
        other.open()
        ok, _ = other.wait_value("Count", "0", timeout=20)
        first, second = tab.value("Session"), other.value("Session")
        probe.check("twotabs.separate", ok and first != second, f"{first} and {second}")
        count = tab.value("Count")
        other.click("+")
        ok, shown = other.wait_value("Count", "1")
        detail = f"second tab {shown}, first {tab.value('Count')} as before"
        probe.check("twotabs.isolated", ok and tab.value("Count") == count, detail)


@scenario(own_tab=True)
def reconnect(tab: Tab, probe: Probe) -> None:
    assert probe.relay is not None
    tab.click("+")
    tab.wait_value("Count", "1")
    _reconnect_at_once(tab, probe, probe.relay)
    _reconnect_later(tab, probe, probe.relay)


def _reconnect_at_once(tab: Tab, probe: Probe, relay: Relay) -> None:
    session = tab.value("Session")
    cut = tab.now()
    relay.cut()
    ok = tab.wait(lambda: tab.received(REGISTER, after=cut), 20)
    probe.check("reconnect.cut", ok, f"registered {tab.now() - cut:.2f} s after a reset")
    tab.page.wait_for_timeout(300)
    now = tab.value("Session")
    probe.check("reconnect.session", now == session, f"{session} -> {now}")
    shown = tab.value("Count")
    probe.check("reconnect.state", shown == "1", f"want 1, shown {shown}")
    clicked = tab.now()
    tab.click("+")
    ok = tab.wait_patch("Count: 2", after=clicked)
    probe.check("reconnect.delivered", ok, f"the update after '+' was received: {ok}")
    ok, shown = tab.wait_value("Count", "2", timeout=3)
    probe.shot(tab, "reconnect_rendered")
    probe.check("reconnect.rendered", ok, f"that update on the screen: want 2, shown {shown}")


def _reconnect_later(tab: Tab, probe: Probe, relay: Relay) -> None:
    sockets, down, held = len(tab.sockets), tab.now(), token(tab)
    relay.refuse()
    relay.cut()
    tab.page.wait_for_timeout(1500)
    probe.shot(tab, "reconnect_down")
    tab.click("+")
    tab.page.wait_for_timeout(2000)
    tries, up = tab.sockets[sockets:], tab.now()
    relay.resume()
    ok = tab.wait_patch("Count: 3", after=up, timeout=15)
    detail = f"{len(tries)} attempts in {up - down:.1f} s without a server"
    probe.check("reconnect.down", len(tries) >= 2, detail)
    offered = [f.body["session_id"] for f in tab.sent(REGISTER, after=up)]
    probe.check("reconnect.back", offered[-1:] == [held], f"held {held}, offered {offered}")
    probe.check("reconnect.token", token(tab) == held, f"{held} -> {token(tab)}")
    clicks = [f for f in tab.sent(EVENT, after=up) if f.body["name"] == "click"]
    detail = f"'+' clicked meanwhile: sent {len(clicks)} times, its update received: {ok}"
    probe.check("reconnect.queued_click", ok and len(clicks) == 1, detail)
    ok, shown = tab.wait_value("Count", "3", timeout=3)
    probe.check("reconnect.queued_rendered", ok, f"want 3, shown {shown}")


@scenario(own_tab=True)
def crash(tab: Tab, probe: Probe) -> None:
    before = share(tab.picture(), *_ERROR_PINK)
    tab.click("Crash")
    tab.wait(lambda: tab.received(CRASHED))
    messages = [str(f.body["message"]) for f in tab.received(CRASHED)]
    ok = len(messages) == 1 and "probe crash" in messages[0]
    probe.check("crash.frame", ok, f"received {[m[:40] for m in messages]}")
    # The error box is only on the canvas: the semantics tree keeps its old content.
    tab.page.wait_for_timeout(500)
    after = share(tab.picture(), *_ERROR_PINK)
    detail = f"the error box covers {before:.1%} before, {after:.1%} after"
    probe.check("crash.shown", before < 0.005 and after > 0.03, detail)


@scenario(in_all=False)
def idle(tab: Tab, probe: Probe) -> None:
    frames, sockets = len(tab.frames), len(tab.sockets)
    tab.page.wait_for_timeout(probe.options.idle * 1000)
    new_frames, new_sockets = len(tab.frames) - frames, len(tab.sockets) - sockets
    detail = f"in {probe.options.idle} s {new_frames} frames, {new_sockets} new sockets"
    probe.check("idle.quiet", new_sockets == 0, detail)
    want = str(tab.count("Count") + 1)
    tab.click("+")
    ok, shown = tab.wait_value("Count", want)
    probe.check("idle.live", ok, f"'+' after idling: want {want}, shown {shown}")


@scenario(in_all=False, own_tab=True)
def restart(tab: Tab, probe: Probe) -> None:
    if probe.server is None:
        print("SKIP restart: needs --server-cmd", flush=True)
        return
    session, held = tab.value("Session"), token(tab)
    tab.click("+")
    tab.wait_value("Count", "1")
    stopping = tab.now()
    code = probe.server.stop()
    down = tab.now()
    probe.check("restart.stop", code is not None, f"{code} after {down - stopping:.2f} s")
    tab.page.wait_for_timeout(1500)
    probe.shot(tab, "restart_down")
    probe.server.start()
    up = tab.now()
    ok, shown = tab.wait_value("Count", "0", timeout=20)
    probe.check("restart.fresh", ok, f"want 0, shown {shown}, {tab.now() - up:.2f} s after start")
    now = tab.value("Session")
    probe.check("restart.session", now and now != session, f"{session} -> {now}")
    offered = [f.body["session_id"] for f in tab.sent(REGISTER, after=stopping)]
    probe.check("restart.register", offered[-1:] == [held], f"held {held}, offered {offered}")
    tab.click("+")
    ok, shown = tab.wait_value("Count", "1")
    probe.check("restart.live", ok, f"'+' after the restart: want 1, shown {shown}")


class Server:
    """A server that the probe starts and stops."""

    def __init__(self, command: str, url: SplitResult) -> None:
        self._command = shlex.split(command)
        self._address = (url.hostname or "127.0.0.1", url.port or 80)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended with {self._process.returncode}")
            with contextlib.suppress(OSError), socket.create_connection(self._address, 1):
                return
            time.sleep(0.05)
        raise RuntimeError("the server does not listen")

    def stop(self) -> int | None:
        """Ask it to stop, and return its exit status; None when it had to be killed."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.terminate()
        try:
            return process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None


class Tabs:
    """Opens the tabs: one that scenarios share for as long as they pass, or one for each."""

    def __init__(self, browser: Browser, probe: Probe) -> None:
        self._browser = browser
        self._probe = probe
        self._shared: Tab | None = None

    def run(self, name: str) -> None:
        tab: Tab | None = None
        failures = len(self._probe.failed)
        own = SCENARIOS[name].own_tab
        try:
            tab = self._open(name) if own else self._shared or self._open(name)
            SCENARIOS[name].run(tab, self._probe)
        except Exception as error:
            # A broken page is one scenario's failure; the next has a page of its own.
            traceback.print_exc()
            self._probe.check(f"{name}.exception", False, f"{type(error).__name__}: {error}"[:300])
        if tab is None:
            return
        passed = failures == len(self._probe.failed)
        with contextlib.suppress(Exception):  # the page may be gone
            self._probe.shot(tab, name if passed else f"{name}_failed")
        keep = passed and not own
        self._shared = tab if keep else None if tab is self._shared else self._shared
        if not keep:
            self._close(tab, name)

    def close(self) -> None:
        if self._shared is not None:
            self._close(self._shared, "the others")

    def _open(self, name: str) -> Tab:
        url = self._probe.url
        if name == "reconnect":
            self._probe.relay = Relay(url.hostname or "127.0.0.1", url.port or 80)
            url = url._replace(netloc=f"127.0.0.1:{self._probe.relay.port}")
        timeout = self._probe.options.timeout
        tab = Tab(open_context(self._browser), url.geturl())
        tab.open(timeout)
        ok, _ = tab.wait_value("Count", "0", timeout=timeout)
        if not ok:
            raise TimeoutError(f"the demo app is not shown, but {tab.text()[:200]!r}")
        self._probe.loaded = tab.now()
        return tab

    def _close(self, tab: Tab, title: str) -> None:
        if self._probe.options.frames is not None:
            tab.write_frames(self._probe.options.frames, title)
        tab.context.close()
        if self._probe.relay is not None:
            self._probe.relay.close()
            self._probe.relay = None


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    everything = [name for name, one in SCENARIOS.items() if one.in_all]

    def names(value: str) -> list[str]:
        chosen = everything if value == "all" else value.split(",")
        if unknown := set(chosen) - set(SCENARIOS):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
        return chosen

    chosen = f"a list with commas, of {', '.join(SCENARIOS)}; or all"
    parser.add_argument("--url", required=True, type=urlsplit)
    parser.add_argument("--scenario", default="all", type=names, help=chosen)
    parser.add_argument("--server-cmd", help="a server that the probe starts, stops and restarts")
    parser.add_argument("--upload-dir", type=Path, help="where the server puts uploaded files")
    parser.add_argument("--renderer", choices=RENDERERS, help="the one that must be in use")
    parser.add_argument("--shots", type=Path, help="folder for pictures of each scenario")
    parser.add_argument("--frames", type=Path, help="file to which all frames are added")
    parser.add_argument("--idle", type=float, default=65, help="seconds without a click")
    parser.add_argument("--chromium", help="the program, if it is not found by itself")
    parser.add_argument("--timeout", type=float, default=60, help="seconds to load a page")
    return parser.parse_args(arguments)


@contextlib.contextmanager
def served(probe: Probe) -> Iterator[None]:
    """With --server-cmd, its server as long as the probe runs."""
    if probe.options.server_cmd is None:
        yield
        return
    probe.server = Server(probe.options.server_cmd, probe.url)
    try:
        probe.server.start()
        yield
    finally:
        probe.server.stop()


def main(arguments: list[str] | None = None) -> int:
    def run(browser: Browser, probe: Probe) -> None:
        with contextlib.closing(Tabs(browser, probe)) as tabs:
            for name in probe.options.scenario:
                tabs.run(name)

    return checked(parse(arguments), run)


def give_up(*_: object) -> None:
    """Say where the probe waits, and end: for whoever has waited for it long enough.

    Playwright runs the probe in a greenlet, beside that of its event loop.
    """
    for one in gc.get_objects():
        if type(one).__name__ == "greenlet" and one.gr_frame is not None:
            print("--- waits in:", flush=True)
            traceback.print_stack(one.gr_frame)
    os._exit(1)


def checked(options: argparse.Namespace, run: Callable[[Browser, Probe], None]) -> int:
    """Run checks in a browser, and say how many passed. Return 0 when all did, else 1."""
    signal.signal(signal.SIGUSR1, give_up)
    probe = Probe(options, options.url)
    if options.shots is not None:
        options.shots.mkdir(parents=True, exist_ok=True)
    with served(probe), sync_playwright() as playwright:
        browser = launch(playwright, options.chromium)
        run(browser, probe)
        browser.close()
    failed = f"; failed: {', '.join(probe.failed)}" if probe.failed else ""
    print(f"{probe.passed}/{probe.passed + len(probe.failed)} checks passed{failed}")
    return 1 if probe.failed or not probe.passed else 0


if __name__ == "__main__":
    sys.exit(main())
