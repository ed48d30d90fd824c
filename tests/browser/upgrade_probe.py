"""Load a page, load it again, exchange the client behind it, and load it once more.

upgrade_probe.py FOLDER

Fails when the second load passes more bytes than it may, or the third shows the old client.
FOLDER is for a copy of the client and for the browser's profile.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from browser_tab import Tab, open_profile
from counting_relay import CountingRelay
from load_bytes import DEMO, SECOND_BYTES, serving, spent
from playwright.sync_api import sync_playwright

from flet_anyio.web.files.client import client_dir

NOT_LOADED = ("pyodide", "*.symbols", "*.map", "main.dart.js")
SETTLE = 1.0


def main(folder: Path) -> None:
    client = folder / "client"
    shutil.copytree(client_dir(), client, ignore=shutil.ignore_patterns(*NOT_LOADED))
    with sync_playwright() as playwright:
        context = open_profile(playwright, folder / "profile")
        with serving(DEMO, folder, FLET_WEB_PATH=str(client)) as port:
            relay = CountingRelay(port)
            relay.accept_encoding = b"gzip"
            tab = Tab(context, f"http://127.0.0.1:{relay.port}/some/page")
            tab.open()
            first = spent(relay, tab, SETTLE)
            tab.open()
            second = spent(relay, tab, SETTLE)
        assert second <= SECOND_BYTES < first, (first, second)
        with (client / "flutter_bootstrap.js").open("a") as script:
            script.write("\nwindow.upgraded = true;\n")
        with serving(DEMO, folder, FLET_WEB_PATH=str(client)) as port:
            relay.target = port
            tab.open()
            spent(relay, tab, SETTLE)
            assert tab.page.evaluate("window.upgraded") is True
            tab.open()
            again = spent(relay, tab, SETTLE)
        assert again <= SECOND_BYTES, again
        context.close()
        relay.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
