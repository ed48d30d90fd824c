"""Break a tab's connection in each way that a network has, and see what the user is left with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resume_desk import expect, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe import Probe
    from resume_desk import Desk

__all__ = ["address", "blind", "drops", "half_open", "overflow", "silence"]


def kept(desk: Desk, probe: Probe, name: str) -> Callable[[], None]:
    """Type a word, move the cursor into it and scroll; return a check that all is still so."""
    tab = desk.tab
    tab.page.mouse.move(100, 350)
    tab.page.mouse.wheel(0, 600)
    desk.retype("hello")
    for _ in "lo":
        tab.page.keyboard.press("ArrowLeft")
    probe.check(f"{name}.typed", *shown(tab, "Echo", "hello"))
    tab.wait(lambda: desk.scrolled() != "Line 0")
    scrolled = desk.scrolled()

    def check() -> None:
        now = desk.scrolled()
        probe.check(f"{name}.scroll", now == scrolled != "Line 0", f"{scrolled} -> {now}")
        focused = tab.focused()
        probe.check(f"{name}.focus", focused == ("Name", "hello"), str(focused))
        tab.page.keyboard.type("p")
        probe.check(f"{name}.cursor", *shown(tab, "Echo", "helplo"))

    return check


def drops(desk: Desk, probe: Probe) -> None:
    for kind in ("rst", "fin"):
        name, reset = f"drops.{kind}", kind == "rst"
        check = kept(desk, probe, name)
        before = desk.act()
        with desk.away(reset=reset):
            desk.act(["word", f"{kind} away"], ["add"])
        expect(probe, f"{name}.screen", desk.agrees())
        check()
        with desk.away(reset=reset):
            desk.act(["word_alone", f"{kind} away again"])
            desk.tab.click("Add one")
        expect(probe, f"{name}.click_screen", desk.agrees())
        one_click(desk, probe, name, before["clicks"])
        expect(probe, f"{name}.later", desk.acts(["word", f"{kind} later"], ["add"]))
        now = desk.act()
        turns = [now[what] - before[what] for what in ("connects", "disconnects")]
        probe.check(f"{name}.events", turns == [2, 2], f"connects and disconnects: {turns}")


def one_click(desk: Desk, probe: Probe, name: str, before: int) -> None:
    """The button was clicked once: its handler ran once, and what it did is shown."""
    ok, shown = desk.tab.wait_value("Count", str(before + 1))
    # The answer to a call that goes out now comes after everything the client sent before.
    clicks = desk.act()["clicks"] - before
    probe.check(f"{name}.click", ok and clicks == 1, f"{clicks} clicks, shown {shown}")


def blind(desk: Desk, probe: Probe) -> None:
    """Without the semantics tree, which moves the focus in ways of its own."""
    tab, keyboard = desk.tab, desk.tab.page.keyboard
    field = tab.middle("Name")
    tab.reload(semantics=False)
    tab.wait(lambda: desk.act()["connects"] == 1, 30)
    tab.picture()  # it is painted

    def written(text: str) -> tuple[bool, str]:
        ok = tab.wait(lambda: desk.act()["fields"]["Name"] == text)
        return ok, f"{desk.act()['fields']['Name']}, focus in {tab.focused()[0]}"

    for kind in ("rst", "fin", "half open"):
        tab.page.mouse.click(*field)
        tab.page.wait_for_timeout(300)
        keyboard.press("Control+A")
        keyboard.type("hello", delay=20)
        for _ in "lo":
            keyboard.press("ArrowLeft")
        probe.check(f"blind.{kind}.typed", *written("hello"))
        before = desk.act()
        with desk.silent() if kind == "half open" else desk.away(reset=kind == "rst"):
            desk.act(["word", kind], ["add"])
        keyboard.type("p")
        probe.check(f"blind.{kind}.cursor", *written("helplo"))
        with desk.away(reset=True):
            keyboard.type("q")
        probe.check(f"blind.{kind}.key", *written("helpqlo"))
        with desk.away(reset=True):
            # The client's own cover takes no clicks, but keys get through.
            keyboard.press("Shift+Tab")
            keyboard.press("Enter")
        wait_click(desk, before["clicks"])
        clicks = desk.act()["clicks"] - before["clicks"]
        probe.check(f"blind.{kind}.click", clicks == 1, f"{clicks} clicks")
    tab.enable_semantics()
    expect(probe, "blind.screen", desk.agrees())


def silence(desk: Desk, probe: Probe) -> None:
    """Nothing passes for a while, as when a laptop sleeps; then everything does."""
    check = kept(desk, probe, "silence")
    sockets = len(desk.tab.sockets)
    desk.relay.freeze()
    desk.act(["word", "silent"], ["add"])
    desk.relay.thaw()
    expect(probe, "silence.thawed", desk.agrees())
    check()
    before = desk.act()["clicks"]
    desk.relay.freeze()
    desk.act(["add"], ["word", "silent again"])
    desk.tab.click("Add one")
    desk.relay.thaw()
    one_click(desk, probe, "silence", before)
    expect(probe, "silence.later", desk.acts(["word", "after the silence"]))
    opened = len(desk.tab.sockets) - sockets
    probe.check("silence.socket", opened == 0, f"{opened} new sockets")


def half_open(desk: Desk, probe: Probe) -> None:
    """The browser has lost its connection, and the server does not know."""
    check = kept(desk, probe, "half_open")
    with desk.silent():
        desk.act(["word", "into the void"], ["add"])
    expect(probe, "half_open.screen", desk.agrees())
    check()
    before = desk.act()
    desk.relay.freeze()
    desk.relay.refuse()
    desk.relay.drop_near(reset=False)
    desk.wait_closed()
    desk.act(["word_alone", "into the void again"], ["remove"])
    desk.tab.click("Add one")
    desk.relay.resume()
    expect(probe, "half_open.click_screen", desk.agrees())
    one_click(desk, probe, "half_open", before["clicks"])
    # The old connections end at last: that must not touch the new one. Each takeover counts once.
    desk.relay.thaw()
    desk.tab.page.wait_for_timeout(500)
    expect(probe, "half_open.later", desk.acts(["word", "later"], ["add"]))
    now = desk.act()
    disconnects = now["disconnects"] - before["disconnects"]
    probe.check("half_open.events", disconnects == 1, f"{disconnects} disconnects")


def address(desk: Desk, probe: Probe) -> None:
    """The client's network address changes, and its old connection is left half open."""
    desk.act(["add"], ["word", "at home"])
    with desk.silent():
        desk.act(["word", "on the way"], ["insert"])
        desk.relay.source = "127.0.0.2"
    expect(probe, "address.screen", desk.agrees())
    sources = desk.relay.sources
    probe.check("address.changed", sources == ["127.0.0.1", "127.0.0.2"], str(sources))
    desk.tab.click("Add one")
    one_click(desk, probe, "address", 0)
    desk.relay.thaw()
    expect(probe, "address.later", desk.acts(["word", "there"], ["add"]))


def overflow(desk: Desk, probe: Probe) -> None:
    """More gets lost in the network than the server keeps."""
    desk.act(["bar", "before"], ["add"], ["add"])
    with desk.silent():
        desk.act(["flood", 150_000], ["bar", "after"], ["insert"])
    expect(probe, "overflow.screen", desk.agrees())
    expect(probe, "overflow.later", desk.acts(["word", "later"], ["row_text", 0, "later"]))


def wait_click(desk: Desk, before: int) -> None:
    desk.tab.wait(lambda: desk.act()["clicks"] > before)
