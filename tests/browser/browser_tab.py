"""A browser tab with Flet's compiled client in it: what it shows, and what it says on the wire."""

from __future__ import annotations

import io
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgpack
from PIL import Image, ImageChops
from playwright.sync_api import Error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import (
        Browser,
        BrowserContext,
        Playwright,
        Request,
        ViewportSize,
        WebSocket,
    )

    Role = Literal["button", "checkbox"]

__all__ = [
    "CRASHED",
    "EVENT",
    "PATCH",
    "REGISTER",
    "Frame",
    "Tab",
    "differing",
    "find_chromium",
    "launch",
    "open_context",
    "open_profile",
    "share",
]

REGISTER, PATCH, EVENT, CRASHED = 1, 2, 3, 6

_BLANK_BYTES = 6000  # a PNG of one colour has fewer
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing but this machine is reached. Routes of Playwright's would turn off the cache, and have
    # each request of a page wait for the probe.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_TEXT = "document.querySelector('flt-semantics-host')?.innerText || ''"
# The document has the nodes in the order in which they came to be.
_LINES = """[...document.querySelectorAll('flt-semantics-host *')]
    .filter(node => !node.childElementCount && node.innerText)
    .map(node => ({box: node.getBoundingClientRect(), text: node.innerText.trim()}))
    .sort((a, b) => a.box.top - b.box.top || a.box.left - b.box.left)
    .map(node => node.text)"""
_PRESS = "document.querySelector('flt-semantics-placeholder')?.click()"
_READABLE = "document.querySelectorAll('flt-semantics').length > 0"
_FOCUSED = """(({ariaLabel, tagName, value}) => [ariaLabel || tagName, value || ''])(
    document.activeElement || {tagName: 'nothing'})"""


def find_chromium(playwright: Playwright) -> str | None:
    """The system's Chromium, else the one that Playwright installed, else None."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    own = playwright.chromium.executable_path
    return found or shutil.which(own)


def launch(playwright: Playwright, executable: str | None = None) -> Browser:
    path = executable or find_chromium(playwright)
    return playwright.chromium.launch(executable_path=path, headless=True, args=_ARGUMENTS)


def open_context(browser: Browser, *, width: int = 1000, height: int = 900) -> BrowserContext:
    """A fresh profile."""
    size: ViewportSize = {"width": width, "height": height}
    return browser.new_context(viewport=size)


def open_profile(playwright: Playwright, folder: Path) -> BrowserContext:
    """A browser with its profile in `folder`, where it keeps a cache as users' browsers do."""
    return playwright.chromium.launch_persistent_context(
        folder,
        executable_path=find_chromium(playwright),
        headless=True,
        args=_ARGUMENTS,
    )


@dataclass(frozen=True)
class Frame:
    """One WebSocket frame, decoded."""

    time: float  # seconds since the tab was opened
    socket: int  # index in Tab.sockets
    sent: bool  # by the client
    action: int | str
    body: Any
    size: int


@dataclass
class Socket:
    """One WebSocket of a tab."""

    url: str
    opened: float
    closed: float | None = None
    error: str | None = None


class Tab:
    """A tab that records its requests, its WebSockets and their frames."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.frames: list[Frame] = []
        self.sockets: list[Socket] = []
        self.requests: list[str] = []
        self.console: list[str] = []
        self.page = context.new_page()
        self.page.on("websocket", self._watch)
        self.page.on("request", self._note)
        self.page.on("console", lambda message: self.console.append(message.text))
        self._began = time.monotonic()

    def now(self) -> float:
        """Seconds since the tab was opened: the clock of frames and sockets."""
        return time.monotonic() - self._began

    # loading

    def open(self, timeout: float = 60) -> None:
        self._began = time.monotonic()
        self.page.goto(self.url, wait_until="commit", timeout=timeout * 1000)
        self.enable_semantics(timeout)

    def reload(self, timeout: float = 60, *, semantics: bool = True) -> None:
        self.page.reload(wait_until="commit", timeout=timeout * 1000)
        if semantics:
            self.enable_semantics(timeout)

    def close(self) -> None:
        self.page.close()

    def enable_semantics(self, timeout: float = 60) -> None:
        # Flutter paints on a canvas. Its hidden "Enable accessibility" button makes it put what
        # it shows into the document too, for screen readers.
        placeholder = "flt-semantics-placeholder"
        self.page.wait_for_selector(placeholder, state="attached", timeout=timeout * 1000)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.page.evaluate(_PRESS)
            try:
                self.page.wait_for_function(_READABLE, timeout=2000)
            except Error:
                continue
            return
        raise TimeoutError("the semantics tree did not appear")

    # reading

    def text(self) -> str:
        return str(self.page.evaluate(_TEXT))

    def lines(self) -> list[str]:
        """The texts from top to bottom."""
        return list(self.page.evaluate(_LINES))

    def value(self, key: str) -> str | None:
        """What follows "key:" on the screen."""
        for line in self.text().splitlines():
            if line.startswith(f"{key}:"):
                return line.removeprefix(f"{key}:").strip()
        return None

    def focused(self) -> tuple[str, str]:
        """The label, or else the element's name, of what has the focus; and its value.

        Only a field with the focus shows its value in the document.
        """
        label, value = self.page.evaluate(_FOCUSED)
        return label, value

    def count(self, key: str) -> int:
        return int(self.value(key) or 0)

    def wait(self, condition: Callable[[], object], timeout: float = 10) -> bool:
        """Poll until `condition` holds; tell whether it did in time."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                return False
            self.page.wait_for_timeout(25)
        return True

    def wait_value(self, key: str, *wanted: str, timeout: float = 10) -> tuple[bool, str | None]:
        """Wait until the value of `key` is one of `wanted`; also return the last one seen."""
        return self.wait(lambda: self.value(key) in wanted, timeout), self.value(key)

    def wait_text(self, text: str, *, present: bool = True) -> bool:
        return self.wait(lambda: (text in self.text()) == present)

    def picture(self, timeout: float = 8) -> bytes:
        """A PNG of the tab, once two in a row are equal and not merely background.

        The wasm renderer paints its first frame some 100 ms after the semantics tree is there.
        """
        end, last = time.monotonic() + timeout, b""
        while True:
            png = self.page.screenshot()
            if (png == last and len(png) > _BLANK_BYTES) or time.monotonic() > end:
                return png
            last = png
            self.page.wait_for_timeout(150)

    # driving

    def click(self, label: str, role: Role = "button") -> None:
        self.page.get_by_role(role, name=label, exact=True).click(timeout=10_000)

    def middle(self, label: str) -> tuple[float, float]:
        """Where the field or button with this label is."""
        box = (
            self.page.get_by_label(label, exact=True)
            .or_(self.page.get_by_role("button", name=label, exact=True))
            .bounding_box(timeout=10_000)
        )
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def type_into(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).click(timeout=10_000)
        self.page.wait_for_timeout(200)  # Flutter moves its own text input there
        self.page.keyboard.type(text, delay=20)

    # the wire

    def sent(self, action: int, *, after: float = -1) -> list[Frame]:
        return [f for f in self.frames if f.sent and f.action == action and f.time > after]

    def received(self, action: int, *, after: float = -1) -> list[Frame]:
        return [f for f in self.frames if not f.sent and f.action == action and f.time > after]

    def wait_patch(self, value: str, *, after: float, timeout: float = 10) -> bool:
        """Whether an update that sets a control's `value` was received after `after`."""

        def arrived() -> bool:
            return any(
                operation[0] == 0 and operation[2:] == ["value", value]
                for frame in self.received(PATCH, after=after)
                for operation in frame.body["patch"][1:]
            )

        return self.wait(arrived, timeout)

    def write_frames(self, path: Path, title: str) -> None:
        with path.open("a", encoding="utf-8") as file:
            print(f"### {title}", *self.sockets, *self.frames, sep="\n", file=file)

    def _note(self, request: Request) -> None:
        self.requests.append(request.url)

    def _watch(self, websocket: WebSocket) -> None:
        socket, index = Socket(websocket.url, self.now()), len(self.sockets)
        self.sockets.append(socket)

        def note(payload: str | bytes, *, sent: bool) -> None:
            action, body = _decode(payload)
            self.frames.append(Frame(self.now(), index, sent, action, body, len(payload)))

        def close(_: object) -> None:
            socket.closed = self.now()

        def fail(error: str) -> None:
            socket.error = error

        websocket.on("framesent", lambda payload: note(payload, sent=True))
        websocket.on("framereceived", lambda payload: note(payload, sent=False))
        websocket.on("close", close)
        websocket.on("socketerror", fail)


def share(png: bytes, *ranges: tuple[int, int]) -> float:
    """Share of the pixels whose red, green and blue all lie in these inclusive ranges."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    masks = [
        band.point([255 * (low <= level <= high) for level in range(256)])
        for band, (low, high) in zip(image.split(), ranges, strict=True)
    ]
    both = ImageChops.darker(ImageChops.darker(masks[0], masks[1]), masks[2])
    return both.histogram()[255] / (image.width * image.height)


def differing(one: bytes, other: bytes) -> float:
    """Share of the pixels that differ in two pictures of the same size."""
    images = [Image.open(io.BytesIO(png)).convert("RGB") for png in (one, other)]
    same = ImageChops.difference(*images).convert("L").histogram()[0]
    return 1 - same / (images[0].width * images[0].height)


def _decode(payload: str | bytes) -> tuple[int | str, Any]:
    if isinstance(payload, str):
        return "text", payload
    if payload[:1] == b"\x00":
        message = msgpack.unpackb(
            payload[1:],
            ext_hook=lambda code, data: f"<ext {code}: {data!r}>",
            strict_map_key=False,
        )
        return message[0], message[1]
    if payload[:1] == b"\x01":
        return "data", payload[1:]
    return "unknown", payload
