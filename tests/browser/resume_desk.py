"""A tab with resume_app.py behind a relay, and the comparison of what it shows with the server."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from typing import TYPE_CHECKING, Any

from browser_relay import Relay
from browser_tab import REGISTER, Tab, differing, open_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from urllib.parse import SplitResult

    from playwright.sync_api import Browser
    from probe import Probe

__all__ = ["Control", "Desk", "expect", "shown"]

State = dict[str, Any]

_COMPARED = ("Bar:", "Session:", "Count:", "Word:", "Echo:", "Row ", "Dialog:")
_COVER = "Working"
# Only once: a reload keeps what the client has stored since.
_COPY = """if (!sessionStorage.length)
    for (const [key, value] of STORED) sessionStorage.setItem(key, value)"""


class Control:
    """The test server's side channel."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"

    def sessions(self) -> list[str]:
        with urllib.request.urlopen(self._url, timeout=30) as answer:
            return list(json.load(answer))

    def act(self, session: str, *edits: Any) -> State:
        """Make edits in a session; return what its page should show then."""
        data = json.dumps({"session": session, "edits": edits}).encode()
        with urllib.request.urlopen(self._url, data, timeout=30) as answer:
            return dict(json.load(answer))


class Desk:
    """One session as its server, its user and the network between them have it."""

    def __init__(self, tab: Tab, relay: Relay, control: Control) -> None:
        self.tab = tab
        self.relay = relay
        self.control = control
        self.session = ""
        self.compared: dict[str, bytes] = {}  # pictures, the last time

    @classmethod
    def open(cls, browser: Browser, url: SplitResult, control: Control) -> Desk:
        """Load the app in a tab of a fresh profile."""
        relay = Relay(url.hostname or "127.0.0.1", url.port or 80)
        address = url._replace(netloc=f"127.0.0.1:{relay.port}").geturl()
        desk = cls(Tab(open_context(browser), address), relay, control)
        desk.load()
        return desk

    def duplicate(self) -> Desk:
        """Load the app in a tab that begins with a copy of this one's storage."""
        stored = self.tab.page.evaluate("JSON.stringify(Object.entries(sessionStorage))")
        other = Desk(Tab(self.tab.context, self.tab.url), self.relay, self.control)
        other.tab.page.add_init_script(_COPY.replace("STORED", stored))
        other.load()
        return other

    def load(self) -> None:
        self.tab.open()
        if not self.tab.wait(lambda: self.tab.value("Session"), 60):
            raise TimeoutError(f"the app is not shown, but {self.tab.text()[:200]!r}")
        self.session = self.tab.value("Session") or ""
        # A busy Chromium without a GPU may else never paint, and take white pictures later on.
        self.tab.picture()

    def close(self) -> None:
        self.tab.context.close()
        self.relay.close()

    # the network

    @contextlib.contextmanager
    def away(self, *, reset: bool) -> Iterator[None]:
        """Break the connection with RST or FIN, and keep the client from coming back meanwhile."""
        self.relay.refuse()
        self.relay.cut(reset=reset)
        if not self.wait_closed():
            raise TimeoutError("the tab has not noticed that its WebSocket is gone")
        try:
            yield
        finally:
            now = self.tab.now()
            self.relay.resume()
        self.wait_back(after=now)

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Have the network lose everything, until the client notices; the server does not."""
        self.relay.freeze()
        yield
        now = self.tab.now()
        self.relay.drop_near()
        self.wait_back(after=now)

    def wait_closed(self) -> bool:
        """Wait until the tab has noticed that its WebSocket is gone."""
        socket = self.tab.sockets[-1]
        return self.tab.wait(lambda: socket.closed is not None)

    def wait_back(self, *, after: float) -> None:
        if not self.tab.wait(lambda: self.tab.received(REGISTER, after=after), 20):
            raise TimeoutError("the client has not come back")

    # the server's side

    def act(self, *edits: Any) -> State:
        return self.control.act(self.session, *edits)

    # the user's side

    def difference(self, state: State) -> str:
        """What is on the screen and not in the state, or the other way round; "" if nothing."""
        lines = self.tab.lines()
        shown: State = {
            "texts": [line for line in lines if line.startswith(_COMPARED)],
            "over": [line for line in lines if line.startswith("Over:")],
            "title": self.tab.page.title(),
            "cover": any(line.startswith(_COVER) for line in lines),
        }
        wanted: State = {
            # An open dialog hides what is below it from screen readers.
            "texts": [text.strip() for text in state["dialog"] or state["texts"]],
            "over": [] if state["dialog"] else state["over"],
            "title": state["title"],
            "cover": False,
        }
        label, value = self.tab.focused()
        if label in state["fields"]:
            shown[label], wanted[label] = value, state["fields"][label]
        return "; ".join(
            f"{key}: shown {shown[key]}, want {wanted[key]}"
            for key in wanted
            if shown[key] != wanted[key]
        )

    def agrees(self, timeout: float = 10) -> str:
        """Wait until screen and server agree; return "", else what differed in the end."""
        found = ""

        def same() -> bool:
            nonlocal found
            found = self.difference(self.act())
            return not found

        self.tab.wait(same, timeout)
        return found

    def fields_agree(self) -> str:
        """As `agrees`, with the focus in each of the fields in turn."""
        for label in self.act()["fields"]:
            self.tab.type_into(label, "")
            if difference := self.agrees():
                return difference
        return ""

    def acts(self, *edits: Any) -> str:
        """As `agrees`, after some edits."""
        self.act(*edits)
        return self.agrees()

    def scrolled(self) -> str | None:
        """The first line of the list that is near enough to the visible ones to be built."""
        return next(filter(_is_line, self.tab.lines()), None)

    def retype(self, text: str) -> None:
        """Write this in the place of what stands in the field."""
        self.tab.type_into("Name", "")
        self.tab.page.keyboard.press("Control+A")
        self.tab.page.keyboard.type(text, delay=20)

    def unlike_fresh(self) -> float:
        """Share of the pixels in which the tab differs from the same page loaded anew."""
        self.tab.page.mouse.move(995, 895)
        self.tab.page.wait_for_timeout(700)  # ripples and transitions end
        kept = self.tab.picture()
        self.tab.reload()
        if difference := self.agrees(30):
            raise AssertionError(f"after a reload: {difference}")
        fresh = self.tab.picture()
        self.compared = {"kept": kept, "fresh": fresh}
        return differing(kept, fresh)


def expect(probe: Probe, name: str, difference: str) -> None:
    """Check that there is no difference."""
    probe.check(name, not difference, difference or "as on the server")


def shown(tab: Tab, key: str, value: str) -> tuple[bool, str]:
    """Whether this value is, or soon will be, on the screen; and what is."""
    ok, now = tab.wait_value(key, value)
    return ok, f"want {value!r}, shown {now!r}"


def _is_line(text: str) -> bool:
    return text.startswith("Line ")
