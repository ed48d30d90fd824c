"""Count to 7 with examples/counter.py, and write a picture of it.

picture.py URL FILE
"""

from __future__ import annotations

import io
import sys
from functools import partial
from pathlib import Path

from browser_tab import Tab, launch, open_context, share
from PIL import Image
from playwright.sync_api import sync_playwright

COUNT = 7
ANY = (0, 255)


def main(url: str, path: Path) -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        tab = Tab(open_context(browser, width=900, height=560), url)
        tab.open()
        for count in range(1, COUNT + 1):
            tab.click("+")
            assert tab.wait(partial(shows, tab, str(count))), tab.text()
        tab.page.mouse.move(5, 5)
        tab.page.wait_for_timeout(1000)  # ripples and tooltips fade
        png = tab.picture()
        browser.close()
    dark = share(png, (0, 160), (0, 160), ANY)
    assert 0.005 < dark < 0.5, f"{dark:.2%} of the picture is dark"
    write_small(png, path)


def shows(tab: Tab, word: str) -> bool:
    return word in tab.text().split()


def write_small(png: bytes, path: Path) -> None:
    """Write a picture of few colours, as a user interface is."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
