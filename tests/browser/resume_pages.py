"""Change, redraw, reload and duplicate a page around a drop, and see what the screen shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resume_desk import expect, shown

if TYPE_CHECKING:
    from probe import Probe
    from resume_desk import Desk

__all__ = [
    "changes",
    "dialogs",
    "duplicate",
    "looks",
    "redrawn",
    "reloads",
    "restart",
    "typing",
]

# Frames of a cursor, and the edges of letters, may differ; a theme or a bar covers far more.
SAME = 0.002

# Before, and while the client is away.
REDRAWN: dict[str, tuple[list[Any], list[Any]]] = {
    "page": ([["bar", "a"], ["add"], ["add"]], [["bar", "b"], ["insert"]]),
    "dialog closed": ([["open_dialog", "a"]], [["close_dialog"]]),
    "dialog opened": ([], [["open_dialog", "b"]]),
    "dialog kept": ([], [["word", "below"]]),
    "other dialog": ([["close_dialog"]], [["open_dialog", "c"]]),
    "overlay": ([["close_dialog"], ["over", "a"]], [["over", "b"]]),
    "no overlay": ([], [["over", None]]),
    "theme": (
        [["theme", "dark"], ["colors", {"scaffold_bgcolor": "red100"}]],
        [["colors", {"color_scheme_seed": "green"}]],
    ),
}


def redrawn(desk: Desk, probe: Probe) -> None:
    """A page that nobody knows is drawn anew, in place: nothing of the old one may stay."""
    for name, (before, during) in REDRAWN.items():
        difference = desk.acts(*before, ["disown"], ["title", f"before {name}"])
        expect(probe, f"redrawn.{name}.before", difference)
        with desk.away(reset=True):
            desk.act(*during, ["title", name])
        expect(probe, f"redrawn.{name}", desk.agrees())
        expect(probe, f"redrawn.{name}.later", desk.acts(["word", "later"], ["add"]))
        if name in ("page", "theme"):
            share = desk.unlike_fresh()
            probe.check(f"redrawn.{name}.picture", share < SAME, f"{share:.3%} differ")


# Changes made while the client is away

CHANGES: dict[str, tuple[list[Any], list[Any]]] = {
    "nothing": ([], [["word", "after nothing"]]),
    "text": ([["word", "a"], ["word_alone", "b"]], [["word", "c"], ["word_alone", "d"]]),
    "added": ([["add"], ["add_alone", "nested"], ["add"]], [["row_text", -1, "x"], ["add"]]),
    "inserted": ([["insert", 1]], [["row_text", 1, "y"], ["insert", 1]]),
    "moved": ([["move", 0, 2]], [["row_text", 2, "z"], ["move", 1, 0]]),
    "replaced": ([["replace", 1]], [["row_text", 1, "nested too"], ["replace", 1]]),
    "removed": ([["remove", 0], ["remove_alone", 1]], [["remove", 0], ["add"]]),
    "renewed": ([["renew"]], [["row_text", 0, "new"], ["insert", 0]]),
    "bar": ([["bar", "one"]], [["bar", "two"]]),
    "no bar": ([["bar", None]], [["bar", "three"]]),
    "title": ([["title", "Away"]], [["title", "Back"]]),
    "dialog opened": ([["open_dialog", "d"]], [["close_dialog"], ["word", "dialog closed"]]),
    "field": ([["note", "while away"]], [["word", "see the field"]]),
    "mixed": (
        [
            *(["title", "Mixed"], ["bar", "mixed"], ["move", 2, 0], ["note", "mixed"]),
            *(["replace", 0], ["add", "nested"], ["remove", 1], ["word", "mixed"]),
            *(["insert", 1], ["row_text", 1, "mixed"], ["theme", "dark"]),
        ],
        [["row_text", 0, "m"], ["row_text", -1, "n"], ["theme", "light"], ["bar", "later"]],
    ),
}


def changes(desk: Desk, probe: Probe) -> None:
    for number, (name, (during, later)) in enumerate(CHANGES.items()):
        with desk.away(reset=bool(number % 2)):
            desk.act(*during)
        expect(probe, f"changes.{name}", desk.agrees())
        expect(probe, f"changes.{name}.later", desk.acts(*later))
    share = desk.unlike_fresh()
    probe.check("changes.picture", share < SAME, f"{share:.3%} differ from a fresh page")
    expect(probe, "changes.fields", desk.fields_agree())


def looks(desk: Desk, probe: Probe) -> None:
    """What only a picture shows."""
    desk.act(["bar", "looks"], ["add"])
    with desk.away(reset=True):
        desk.act(["theme", "dark"], ["replace", 0], ["colors", {"scaffold_bgcolor": "red900"}])
    expect(probe, "looks.screen", desk.agrees())
    share = desk.unlike_fresh()
    probe.check("looks.dark", share < SAME, f"{share:.3%} differ from a fresh page")
    with desk.away(reset=False):
        desk.act(["theme", "light"], ["bar", None], ["colors", {"color_scheme_seed": "green"}])
    desk.agrees()
    with desk.away(reset=False):
        desk.act(["theme", "dark"])
    expect(probe, "looks.again", desk.acts(["theme", "light"], ["bar", "again"]))
    share = desk.unlike_fresh()
    probe.check("looks.light", share < SAME, f"{share:.3%} differ from a fresh page")


def dialogs(desk: Desk, probe: Probe) -> None:
    """A dialog that closes, or that another takes the place of, while the client is away."""
    expect(probe, "dialogs.open", desk.acts(["open_dialog", "one"]))
    with desk.away(reset=True):
        desk.act(["close_dialog"], ["word", "no dialog"])
    expect(probe, "dialogs.closed", desk.agrees())
    expect(probe, "dialogs.opened", desk.acts(["open_dialog", "two"]))
    with desk.away(reset=True):
        desk.act(["close_dialog"], ["word", "below"], ["open_dialog", "three"])
    expect(probe, "dialogs.other", desk.agrees())
    with desk.away(reset=False):
        desk.act(["word", "below it"])
    expect(probe, "dialogs.kept", desk.agrees())
    expect(probe, "dialogs.later", desk.acts(["close_dialog"], ["word", "later"]))


def typing(desk: Desk, probe: Probe) -> None:
    """The user types in a field, the app sets it, and either may do so while they are apart."""
    tab = desk.tab
    tab.type_into("Name", "user")
    tab.wait_value("Echo", "user")
    with desk.away(reset=True):
        desk.act(["name", "app"])
    expect(probe, "typing.app", desk.agrees())
    probe.check("typing.app_value", tab.focused() == ("Name", "app"), str(tab.focused()))
    tab.page.get_by_label("Name", exact=True).fill("more")
    probe.check("typing.on", *shown(tab, "Echo", "more"))
    with desk.away(reset=True):
        tab.page.get_by_label("Name", exact=True).press_sequentially(" away", delay=20)
    probe.check("typing.user", *shown(tab, "Echo", "more away"))
    expect(probe, "typing.user_screen", desk.agrees())
    with desk.away(reset=False):
        tab.page.get_by_label("Name", exact=True).fill("mine")
        desk.act(["name", "yours"], ["add"])
    expect(probe, "typing.both", desk.agrees())
    probe.check("typing.both_value", tab.focused() == ("Name", "mine"), str(tab.focused()))
    expect(probe, "typing.later", desk.acts(["name", "later"], ["word", "later"]))


# Reloads and other tabs


def reloads(desk: Desk, probe: Probe) -> None:
    """A reload gets the page of the same session, also when the server missed the old one's end."""
    desk.act(["add"], ["bar", "reloaded"], ["title", "Again"], ["note", "kept"])
    desk.tab.reload()
    expect(probe, "reloads.screen", desk.agrees(30) or desk.fields_agree())
    expect(probe, "reloads.later", desk.acts(["word", "later"], ["add"], ["bar", None]))
    desk.relay.freeze()
    desk.act(["word", "half open"], ["add"])
    desk.tab.reload()
    expect(probe, "reloads.half_open", desk.agrees(30))
    desk.relay.thaw()
    desk.tab.page.wait_for_timeout(500)
    expect(probe, "reloads.half_open_later", desk.acts(["word", "still"], ["add"]))


def duplicate(desk: Desk, probe: Probe) -> None:
    """A tab that was duplicated has a session of its own, and takes nothing from the first."""
    tab = desk.tab
    tab.click("Add one")
    tab.wait_value("Count", "1")
    other = desk.duplicate()
    differ = other.session not in ("", desk.session)
    probe.check("duplicate.separate", differ, f"{desk.session} and {other.session}")
    expect(probe, "duplicate.first", desk.acts(["word", "first"], ["add"]))
    expect(probe, "duplicate.second", other.acts(["word", "second"], ["bar", "second"]))
    other.tab.click("Add one")
    other.tab.wait_value("Count", "1")
    tab.click("Add one")
    tab.wait_value("Count", "2")
    probe.check("duplicate.sockets", len(tab.sockets) == 1, f"{len(tab.sockets)} of the first")
    desk.relay.cut()
    expect(probe, "duplicate.dropped_first", desk.agrees())
    expect(probe, "duplicate.dropped_second", other.agrees())
    tab.close()
    other.tab.reload()
    expect(probe, "duplicate.reloaded", other.agrees(30))
    expect(probe, "duplicate.later", other.acts(["word", "alone"], ["add"]))


# A server that is not the same any more


def restart(desk: Desk, probe: Probe) -> None:
    """The server forgets everything while the tab stays: nothing of the old page may stay."""
    if probe.server is None:
        print("SKIP restart: needs --server-cmd", flush=True)
        return
    for name, edits in {
        "page": [["bar", "old"], ["theme", "dark"], ["title", "Old"], ["add"], ["note", "old"]],
        "dialog": [["open_dialog", "old"], ["bar", "old"]],
    }.items():
        expect(probe, f"restart.{name}.before", desk.acts(*edits))
        probe.server.stop()
        probe.server.start()
        desk.tab.wait(desk.control.sessions, 20)
        old, (desk.session,) = desk.session, desk.control.sessions()
        probe.check(f"restart.{name}.session", desk.session != old, f"{old} -> {desk.session}")
        expect(probe, f"restart.{name}.screen", desk.agrees())
        expect(probe, f"restart.{name}.later", desk.acts(["add"], ["word", "new"]))
        share = desk.unlike_fresh()
        probe.check(f"restart.{name}.picture", share < SAME, f"{share:.3%} differ")
