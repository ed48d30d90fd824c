"""Routes of apps that lie below a path, in the browser: `routes_probe.py URL`, of routes_app.py."""

from __future__ import annotations

import sys

from browser_tab import Tab, launch, open_context
from playwright.sync_api import Browser, sync_playwright


def expect(tab: Tab, step: str, route: str, address: str) -> bool:
    right, seen = tab.wait_value("route", route)
    arrived = tab.wait(lambda: tab.page.url.endswith(address))
    good = right and arrived
    print("PASS" if good else "FAIL", step, f"route {seen}, address {tab.page.url}")
    return good


def walk(browser: Browser, url: str, base: str, mark: str) -> bool:
    """Open a page deep in the app, go on, load it again, and go back."""
    first, second = f"{base}{mark}/item/1", f"{base}{mark}/item/2"
    tab = Tab(open_context(browser), url.rstrip("/") + first)
    tab.open()
    good = expect(tab, f"{first} opened", "/item/1", first)
    good &= tab.value("name") == base.strip("/")
    tab.click("go on")
    good &= expect(tab, f"{first} left", "/item/2", second)
    tab.reload()
    good &= expect(tab, f"{second} loaded again", "/item/2", second)
    tab.page.go_back()
    good &= expect(tab, f"{first} gone back to", "/item/1", first)
    tab.context.close()
    return good


def main() -> int:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        url = sys.argv[1]
        good = [walk(browser, url, "/dash", ""), walk(browser, url, "/shop/desk", "/#")]
        browser.close()
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
