"""Cut a tab's connection at random bytes, under random edits, and compare screen and server."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser_relay import Direction
    from probe import Probe
    from resume_desk import Desk

__all__ = ["fuzz"]

# Frames of a resume and of an edit are between 20 and some 400 bytes, before compression; the
# whole page has some 3,000.
_MOST_BYTES = 600
_MOST_OF_A_PAGE = 1500
_PATIENCE = 60


def fuzz(desk: Desk, probe: Probe) -> None:
    """After each cut, and after each reload, the screen is as the server has it."""
    options = probe.options
    print(f"fuzz: --seed {options.seed} --drops {options.drops}", flush=True)
    one = Fuzz(desk, random.Random(options.seed))
    wrong = ""
    while not wrong and one.done["cuts"] < options.drops:
        wrong = one.round()
    detail = ", ".join(f"{count} {what}" for what, count in one.done.items())
    probe.check("fuzz.agrees", not wrong, f"{detail}; {wrong or 'nothing wrong'}")


class Fuzz:
    """A user and an app that go on while the network fails. The same dice, the same story."""

    def __init__(self, desk: Desk, dice: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self._desk = desk
        self._dice = dice

    def round(self) -> str:
        """Cut, let the client come back; return what is wrong then, or ""."""
        kinds = [self._cut_updates, self._cut_keys, self._cut_reload]
        act = self._dice.choice([self._cut_updates, *kinds, self._click_away, self._click])
        before = self._desk.act()["clicks"]
        self.done["rounds"] += 1
        try:
            story, may_be = act()
            self._desk.relay.disarm()
            # An open dialog hides the rest from screen readers.
            wrong = self._desk.agrees(20) or self._desk.acts(["close_dialog"])
            wrong = wrong or self._desk.fields_agree()
        except Exception as error:
            raise RuntimeError(f"round {self.done['rounds']}, {act.__name__}") from error
        clicks = self._desk.act()["clicks"] - before
        if not wrong and clicks not in may_be:
            wrong = f"{clicks} clicks were handled, not {may_be}"
        return wrong and f"{act.__name__}, {story}: {wrong}"

    # Each of these tells what it did, and how many clicks the app may have got by it.

    def _cut_updates(self) -> tuple[str, set[int]]:
        """Cut what the server sends; maybe in the midst of the resume again."""
        stories = []
        for _ in range(self._dice.choice([1, 1, 2, 3])):
            stories.append(self._arm("to client", _MOST_BYTES))
            self._until_cut(self._edit)
        self._edit_meanwhile()
        return ", ".join(stories), {0}

    def _cut_keys(self) -> tuple[str, set[int]]:
        """Cut what the user types."""
        self._desk.tab.type_into("Name", "")
        story, cut = self._arm("to server", _MOST_BYTES), self._desk.tab.now()
        self._until_cut(self._type)
        self._edit_meanwhile()
        # What died on its way, the client does not say again; the next key says it all. The
        # client's own cover takes no clicks.
        self._desk.act(["close_dialog"])
        self._desk.wait_back(after=cut)
        self._desk.retype(f"typed {self.done['rounds']}")
        return story, {0}

    def _cut_reload(self) -> tuple[str, set[int]]:
        """Load the page anew, and maybe cut what the client gets then."""
        self.done["reloads"] += 1
        self._edit()
        if self._dice.random() < 0.3:
            self._desk.tab.reload()
            return "no cut", {0}
        story = self._arm("to client", _MOST_OF_A_PAGE)
        self._desk.tab.reload()
        self._until_cut(self._edit)
        return story, {0}

    def _click_away(self) -> tuple[str, set[int]]:
        """Click while there is no connection: that comes through once."""
        before = self._desk.act()["clicks"]
        with self._desk.away(reset=self._coin()):
            self._desk.tab.click("Add one")
            self._edit()
        self.done["cuts"] += 1
        self._desk.tab.wait(lambda: self._desk.act()["clicks"] > before)
        return "", {1}

    def _click(self) -> tuple[str, set[int]]:
        """Click while the connection is cut: that comes through, or is lost with it."""
        story = self._arm("to client", _MOST_BYTES)
        self._desk.tab.click("Add one")
        self._until_cut(self._edit)
        return story, {0, 1}

    def _arm(self, direction: Direction, most: int) -> str:
        size, reset = self._dice.randint(1, most), self._coin()
        self._desk.relay.cut_after(direction, size, reset=reset)
        return f"{size} bytes {direction} {'RST' if reset else 'FIN'}"

    def _until_cut(self, act: Callable[[], object]) -> None:
        for _ in range(_PATIENCE):
            if not self._desk.relay.armed:
                break
            act()
            self._desk.tab.page.wait_for_timeout(10)
        else:
            # Nothing that it does makes anything pass: under a dialog there is no typing.
            self._desk.relay.disarm()
            self._desk.relay.cut(reset=self._coin())
            self.done["late cuts"] += 1
        self.done["cuts"] += 1

    def _edit_meanwhile(self) -> None:
        """Some edits while the client is away, some when it may just be coming back."""
        for _ in range(self._dice.randint(0, 3)):
            self._edit()
            self._desk.tab.page.wait_for_timeout(self._dice.choice([0, 0, 250, 500]))

    def _edit(self) -> None:
        edits = self._dice.randint(1, 4)
        self._desk.act(["at_random", self._dice.randrange(2**32), edits])
        self.done["edits"] += edits

    def _type(self) -> None:
        self._desk.tab.page.keyboard.type(self._dice.choice("abcdefgh"))

    def _coin(self) -> bool:
        return self._dice.random() < 0.5
