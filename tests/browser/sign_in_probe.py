#!/usr/bin/env python3
"""Sign in at a provider with Flet's compiled web client, in headless Chromium.

    sign_in_probe.py --url http://127.0.0.1:8551/ --scenario popup,denial

The server serves sign_in_app.py; the provider is that of oauth_provider.py. For `late` the server
has FLET_OAUTH_STATE_TIMEOUT of a few seconds. Lines and exit status are those of probe.py.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from browser_tab import Tab, open_context
from probe import Probe, checked

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_CALLBACK = "**/oauth_callback*"


class Desk:
    """A fresh profile with the app open in a tab."""

    def __init__(self, browser: Browser, probe: Probe) -> None:
        self.browser = browser
        self.probe = probe
        self.url = probe.url.geturl()
        self.tab = self.another()
        self.context = self.tab.context

    def another(self) -> Tab:
        """Open the app in another profile."""
        tab = Tab(open_context(self.browser), self.url)
        tab.open()
        shown, _ = tab.wait_value("User", "nobody", timeout=60)
        assert shown, tab.text()
        return tab

    def sign_in(self, label: str = "Sign in") -> Page:
        """Begin, and return the window of the provider."""
        with self.context.expect_page(timeout=10_000) as opened:
            self.tab.click(label)
        opened.value.get_by_role("button", name="Allow").wait_for(timeout=10_000)
        return opened.value

    def answer(self, window: Page, label: str) -> str | None:
        """Say yes or no to the provider; return what the window shows then, if it stays."""
        with contextlib.suppress(Exception):  # it may close itself
            window.get_by_role("button", name=label).click(timeout=10_000)
            window.wait_for_url(_CALLBACK, timeout=10_000)
        self.tab.wait(window.is_closed, timeout=1)
        return None if window.is_closed() else window.inner_text("body")

    def allow_and_stay(self) -> str:
        """Sign in, but have the provider say where it would send the browser; return that."""
        window = self.sign_in()
        window.get_by_role("button", name="Show").click(timeout=10_000)
        address = window.locator("output").inner_text(timeout=10_000)
        window.close()
        return address

    def visit(self, tab: Tab, address: str) -> tuple[int, str]:
        """Open an address in another tab of the same profile."""
        page = tab.context.new_page()
        response = page.goto(address, timeout=10_000)
        text = page.inner_text("body")
        page.close()
        return response.status if response is not None else 0, text

    def check(self, name: str, key: str, value: str, timeout: float = 15) -> None:
        ok, shown = self.tab.wait_value(key, value, timeout=timeout)
        self.probe.check(name, ok, f"{key}: {shown}")


def popup(desk: Desk) -> None:
    session = desk.tab.value("Session")
    cookies = [c for c in desk.context.cookies() if c.get("name") == "flet_anyio_browser"]
    kept = [(c.get("httpOnly"), c.get("sameSite"), c.get("path")) for c in cookies]
    path = desk.probe.url.path.rstrip("/") or "/"
    desk.probe.check("popup.cookie", kept == [(True, "Lax", path)], str(kept))
    shown = desk.answer(desk.sign_in(), "Allow")
    desk.probe.check("popup.window", shown is None or "You are signed in" in shown, str(shown))
    desk.check("popup.user", "User", "ada")
    desk.probe.check("popup.session", desk.tab.value("Session") == session)
    desk.tab.click("Sign out")
    desk.check("popup.logout", "User", "nobody")


def denial(desk: Desk) -> None:
    shown = desk.answer(desk.sign_in(), "Deny") or ""
    desk.probe.check("denial.window", "You are not signed in. access_denied" in shown, shown)
    desk.check("denial.error", "Error", "access_denied")
    desk.answer(desk.sign_in(), "Allow")
    desk.check("denial.again", "User", "ada")


def replay(desk: Desk) -> None:
    address = desk.allow_and_stay()
    status, _ = desk.visit(desk.tab, address)
    desk.probe.check("replay.first", status == 200, str(status))
    desk.check("replay.user", "User", "ada")
    status, text = desk.visit(desk.tab, address)
    desk.probe.check("replay.again", status == 400, f"{status} {text}")


def foreign(desk: Desk) -> None:
    address = desk.allow_and_stay()
    other = desk.another()
    status, text = desk.visit(other, address)
    desk.probe.check("foreign.refused", status == 403, f"{status} {text}")
    desk.probe.check("foreign.nobody", desk.tab.value("User") == "nobody")
    desk.probe.check("foreign.other", other.value("User") == "nobody")
    other.context.close()
    status, text = desk.visit(desk.tab, address)
    desk.probe.check("foreign.own", status == 200, f"{status} {text}")
    desk.check("foreign.user", "User", "ada")


def silence(desk: Desk) -> None:
    desk.answer(desk.sign_in("Sign in in vain"), "Allow")
    told = desk.tab.wait(lambda: desk.tab.value("Error") != "none", timeout=20)
    desk.probe.check("silence.error", told, str(desk.tab.value("Error")))
    desk.tab.click("Add")
    desk.check("silence.goes_on", "Count", "1")


def here(desk: Desk) -> None:
    """The app's own tab goes to the provider, and comes back to its session."""
    session = desk.tab.value("Session")
    desk.tab.click("Add")
    desk.check("here.count", "Count", "1")
    desk.tab.click("Sign in here")
    desk.tab.page.get_by_role("button", name="Allow").click(timeout=10_000)
    desk.tab.enable_semantics()
    desk.check("here.user", "User", "ada")
    desk.probe.check("here.session", desk.tab.value("Session") == session)
    desk.check("here.state", "Count", "1")
    desk.probe.check("here.address", desk.tab.page.url == desk.url, desk.tab.page.url)


def late(desk: Desk) -> None:
    window = desk.sign_in()
    desk.check("late.error", "Error", "timeout", timeout=30)
    shown = desk.answer(window, "Allow") or ""
    desk.probe.check("late.window", "This sign-in is over" in shown, shown)
    desk.probe.check("late.user", desk.tab.value("User") == "nobody")


SCENARIOS = {run.__name__: run for run in (popup, denial, replay, foreign, silence, here, late)}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True, type=urlsplit)
    parser.add_argument("--scenario", required=True, type=lambda value: value.split(","))
    parser.add_argument("--shots", type=Path, help="folder for pictures of what failed")
    parser.add_argument("--chromium", help="the program, if it is not found by itself")
    parser.set_defaults(server_cmd=None)
    return parser.parse_args(arguments)


def run(name: str, browser: Browser, probe: Probe) -> None:
    failures = len(probe.failed)
    desk: Desk | None = None
    try:
        desk = Desk(browser, probe)
        SCENARIOS[name](desk)
    except Exception as error:
        # A broken page is one scenario's failure; the next has a page of its own.
        traceback.print_exc()
        probe.check(f"{name}.exception", False, f"{type(error).__name__}: {error}"[:300])
    if desk is None:
        return
    if failures != len(probe.failed):
        with contextlib.suppress(Exception):  # the page may be gone
            probe.shot(desk.tab, f"{name}_failed")
    desk.context.close()


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)

    def run_all(browser: Browser, probe: Probe) -> None:
        for name in options.scenario:
            run(name, browser, probe)

    return checked(options, run_all)


if __name__ == "__main__":
    sys.exit(main())
