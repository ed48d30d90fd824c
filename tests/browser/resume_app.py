"""The app whose connections resume_probe.py breaks.

`serve_control` opens a door beside the page: over it the probe changes a page while its client is
away, and asks what the page should look like. Every visible value is a text that begins with one
of a few words, by which the probe knows it on the screen.
"""
# Untyped, as apps are written.
# mypy: allow-untyped-defs, allow-untyped-calls

import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import flet as ft
from flet.messaging.protocol import Message, MessageAction, PatchControlBody

MOST_ROWS = 8
TRANSITION = 1
"""Seconds that a dialog takes to open or close, on a busy machine."""

desks: dict[str, Any] = {}


def main(page: ft.Page) -> None:
    desk = Desk(page)
    desks[page.session.id] = desk
    page.on_close = lambda e: desks.pop(page.session.id, None)
    desk.show()


class Desk:
    """One user's page, and what may be done to it."""

    def __init__(self, page):
        self.page = page
        self.serial = 0
        self.clicks = 0
        self.connects = 0
        self.disconnects = 0
        self.dialog: Any = None
        self.toggled = -TRANSITION
        self.count = ft.Text("Count: 0")
        self.word = ft.Text("Word: none")
        self.echo = ft.Text("Echo: ")
        self.name = ft.TextField(label="Name", width=300, on_change=self.on_name)
        self.note = ft.TextField(label="Note", width=300)
        self.rows = ft.Column(spacing=0)
        self.lines = ft.ListView(
            [ft.Text(f"Line {n}", height=30) for n in range(60)], height=180, width=300
        )

    def show(self):
        page = self.page
        page.title = "Desk"
        page.theme_mode = ft.ThemeMode.LIGHT
        page.on_connect = self.on_connect
        page.on_disconnect = self.on_disconnect
        page.add(
            ft.Text(f"Session: {page.session.id}"),
            ft.Row([self.count, ft.FilledButton("Add one", on_click=self.on_click)]),
            self.word,
            ft.Row([self.name, self.note]),
            self.echo,
            self.lines,
            self.rows,
        )

    # what the user does

    def on_click(self, e):
        self.clicks += 1
        self.count.value = f"Count: {self.clicks}"
        self.page.update()

    def on_name(self, e):
        self.echo.value = f"Echo: {self.name.value}"
        self.page.update()

    def on_connect(self, e):
        self.connects += 1

    def on_disconnect(self, e):
        self.disconnects += 1

    # what the probe has done to it, and asks

    async def act(self, edits):
        """Make these edits, each with an update of its own; say what the page holds then."""
        for name, *arguments in edits:
            options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
            EDITS[name](self, *arguments, **options)
        return self.state()

    def state(self):
        bar = self.page.appbar
        open_dialog = self.dialog is not None and self.dialog.open
        return {
            "over": [one.value for one in self.page.overlay],
            "texts": [
                *([bar.title.value] if bar is not None else []),
                *(one.value for one in texts_in(self.page.controls)),
            ],
            "dialog": [self.dialog.content.value] if open_dialog else [],
            "title": self.page.title,
            "fields": {"Name": self.name.value or "", "Note": self.note.value or ""},
            "clicks": self.clicks,
            "connects": self.connects,
            "disconnects": self.disconnects,
        }

    def settled(self):
        """Whether the client shows a dialog by now, or shows it no more.

        One that is closed before the client has painted it stays on its screen for good, with
        every server; and a field below one that closes says that it is empty.
        """
        return time.monotonic() - self.toggled > TRANSITION

    def new_row(self, kind="text"):
        self.serial += 1
        text = ft.Text(f"Row {self.serial}", height=22)
        if kind == "nested":
            return ft.Container(ft.Row([ft.Text(f"Row {self.serial} nested", height=22)]))
        return text


def texts_in(controls):
    """The texts with a value to compare, in their order on the screen."""
    for control in controls:
        if isinstance(control, ft.Text) and not control.value.startswith("Line"):
            yield control
        inner = getattr(control, "controls", None) or [getattr(control, "content", None)]
        yield from texts_in(one for one in inner if isinstance(one, ft.Control))


EDITS: dict[str, Any] = {}


def edit(change):
    """Register an edit under its function's name."""
    EDITS[change.__name__] = change
    return change


@edit
def word(desk, value):
    desk.word.value = f"Word: {value}"
    desk.page.update()


@edit
def word_alone(desk, value):
    desk.word.value = f"Word: {value}"
    desk.word.update()


@edit
def add(desk, kind="text"):
    desk.rows.controls.append(desk.new_row(kind))
    desk.page.update()


@edit
def add_alone(desk, kind="text"):
    desk.rows.controls.append(desk.new_row(kind))
    desk.rows.update()


@edit
def insert(desk, at=0):
    desk.rows.controls.insert(at, desk.new_row())
    desk.page.update()


@edit
def remove(desk, at=0):
    del desk.rows.controls[at : at + 1]
    desk.page.update()


@edit
def remove_alone(desk, at=0):
    del desk.rows.controls[at : at + 1]
    desk.rows.update()


@edit
def move(desk, at=0, to=-1):
    rows = desk.rows.controls
    if rows:
        rows.insert(to % len(rows), rows.pop(at % len(rows)))
    desk.page.update()


@edit
def replace(desk, at=0):
    desk.rows.controls[at : at + 1] = [desk.new_row("nested")]
    desk.page.update()


@edit
def renew(desk):
    desk.rows.controls = [desk.new_row() for _ in range(3)]
    desk.page.update()


@edit
def row_text(desk, at, value):
    if desk.rows.controls:
        text = next(texts_in([desk.rows.controls[at % len(desk.rows.controls)]]))
        text.value = f"Row {value}"
        text.update()


@edit
def bar(desk, value):
    if value is None:
        desk.page.appbar = None
    elif desk.page.appbar is None:
        desk.page.appbar = ft.AppBar(title=ft.Text(f"Bar: {value}"), bgcolor=ft.Colors.AMBER_200)
    else:
        desk.page.appbar.title.value = f"Bar: {value}"
    desk.page.update()


@edit
def title(desk, value):
    desk.page.title = value
    desk.page.update()


@edit
def theme(desk, mode):
    desk.page.theme_mode = ft.ThemeMode(mode)
    desk.page.update()


@edit
def colors(desk, **colors):
    desk.page.theme = ft.Theme(**colors)
    desk.page.update()


@edit
def over(desk, value):
    """A text that floats over the page; faded, unless it is empty."""
    if value is None:
        desk.page.overlay.clear()
    elif not desk.page.overlay:
        desk.page.overlay.append(ft.Text(f"Over: {value}", right=20, bottom=20, opacity=0.5))
    else:
        desk.page.overlay[0].value = f"Over: {value}"
        desk.page.overlay[0].opacity = 1
    desk.page.update()


@edit
def open_dialog(desk, value):
    if desk.dialog is None or not desk.dialog.open:
        desk.toggled = time.monotonic()
        desk.dialog = ft.AlertDialog(content=ft.Text(f"Dialog: {value}"))
        desk.page.show_dialog(desk.dialog)


@edit
def close_dialog(desk):
    if desk.dialog is not None and desk.dialog.open:
        desk.toggled = time.monotonic()
        desk.page.pop_dialog()


@edit
def note(desk, value):
    desk.note.value = value
    desk.page.update()


@edit
def name(desk, value):
    desk.name.value = value
    desk.page.update()


@edit
def flood(desk, size):
    """Updates of `size` bytes in all, which leave nothing behind but the last."""
    for n in range(size // 1000):
        word(desk, f"{n} " + "x" * 1000)
    word(desk, "after a flood")


@edit
def disown(desk):
    """Have the client believe that what it shows is nothing that this server drew."""
    patch = PatchControlBody(desk.page.window._i, [[0], [0, 0, "e", "unknown"]])
    desk.page.session.connection.send_message(Message(MessageAction.PATCH_CONTROL, patch))


@edit
def at_random(desk, seed, count):
    """As many edits, the same for the same seed and page."""
    dice = random.Random(seed)
    for _ in range(count):
        kind = dice.choice(list(KINDS))
        KINDS[kind](desk, dice)


KINDS = {
    "word": lambda desk, dice: word(desk, dice.randrange(1000)),
    "word_alone": lambda desk, dice: word_alone(desk, dice.randrange(1000)),
    "add": lambda desk, dice: (
        dice.choice([add, add_alone])(desk, some_kind(dice))
        if len(desk.rows.controls) < MOST_ROWS
        else renew(desk)
    ),
    "insert": lambda desk, dice: (
        insert(desk, some_row(desk, dice))
        if len(desk.rows.controls) < MOST_ROWS
        else remove(desk, some_row(desk, dice))
    ),
    "remove": lambda desk, dice: dice.choice([remove, remove_alone])(desk, some_row(desk, dice)),
    "move": lambda desk, dice: move(desk, some_row(desk, dice), some_row(desk, dice)),
    "replace": lambda desk, dice: (
        replace(desk, some_row(desk, dice))
        if len(desk.rows.controls) < MOST_ROWS
        else remove_alone(desk)
    ),
    "row_text": lambda desk, dice: row_text(desk, some_row(desk, dice), dice.randrange(1000)),
    "bar": lambda desk, dice: bar(desk, dice.choice([None, dice.randrange(1000)])),
    "title": lambda desk, dice: title(desk, f"Desk {dice.randrange(1000)}"),
    "theme": lambda desk, dice: theme(desk, dice.choice(["dark", "light"])),
    "note": lambda desk, dice: (
        note(desk, f"note {dice.randrange(1000)}") if desk.settled() else word(desk, "later")
    ),
    "dialog": lambda desk, dice: toggle_dialog(desk, dice) if desk.settled() else add(desk),
}


def toggle_dialog(desk, dice):
    if desk.dialog is not None and desk.dialog.open:
        close_dialog(desk)
    else:
        open_dialog(desk, dice.randrange(1000))


def some_kind(dice):
    return dice.choice(["text", "nested"])


def some_row(desk, dice):
    return dice.randrange(max(1, len(desk.rows.controls)))


def serve_control(port):
    """Answer the probe, in a thread of its own: GET lists the sessions, POST acts on one."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Control)
    threading.Thread(target=server.serve_forever, daemon=True).start()


class Control(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(list(desks))

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        desk = desks[asked["session"]]
        self.answer(desk.page.run_task(desk.act, asked["edits"]).result(20))

    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass
