"""The app behind vectors.json: an ordinary Flet app with a little of everything on the wire.

`record_upstream.py` serves it with upstream's server; tests serve it with ours and compare bytes.
Hence: controls are built in a fixed order (their ids come from a process-wide counter), every
control that a script touches has a key, no value depends on the clock, and values that Flet would
take from the clock (`DatePicker.current_date`) are given. Naive datetimes are encoded through the
local zone: run with TZ=UTC. The order of keys in an encoded control is that of a frozenset of
strings in Flet: run with PYTHONHASHSEED=0, or compare decoded maps.

Random are: the session id, the call ids, and the uid of the page's service registry.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import flet as ft

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

INDIA = dt.timezone(dt.timedelta(hours=5, minutes=30))


class ValuesPanel:
    """Values that are not plain scalars: colors, insets, enums, durations, dicts."""

    def __init__(self) -> None:
        self.box = ft.Container(
            key="box",
            content=ft.Text("box", key="box_text", weight=ft.FontWeight.W_600),
            bgcolor=ft.Colors.AMBER_100,
            padding=ft.Padding(left=1, top=2.5, right=3, bottom=4),
            margin=ft.Margin.symmetric(horizontal=8),
            alignment=ft.Alignment.CENTER_RIGHT,
            border=ft.Border.all(2, ft.Colors.with_opacity(0.5, ft.Colors.PRIMARY)),
            border_radius=ft.BorderRadius.all(6),
            animate=ft.Animation(ft.Duration(milliseconds=300), ft.AnimationCurve.EASE_IN),
            animate_opacity=250,
        )
        self.tinted = ft.Checkbox(
            "Tinted",
            key="tinted",
            fill_color={
                ft.ControlState.HOVERED: ft.Colors.RED_200,
                ft.ControlState.DEFAULT: "#11223344",
            },
        )
        self.styled = ft.Button("Styled", key="styled", icon=ft.Icons.ADD)
        self.control = ft.Row(
            key="values",
            controls=[self.box, self.tinted, self.styled],
            alignment=ft.MainAxisAlignment.END,
        )

    def nested(self) -> None:
        """Change fields inside value objects, in place."""
        assert isinstance(self.box.padding, ft.Padding)
        self.box.padding.left = 20
        assert isinstance(self.box.animate, ft.Animation)
        self.box.animate.curve = ft.AnimationCurve.BOUNCE_OUT

    def whole(self) -> None:
        """Put new value objects in the place of old ones, and none in the place of one."""
        self.box.padding = ft.Padding.all(7)
        self.box.margin = None
        self.box.alignment = ft.Alignment(-0.25, 1)
        self.box.bgcolor = ft.Colors.GREEN
        self.box.animate = ft.Animation(ft.Duration(seconds=1, milliseconds=5))
        self.box.content = ft.Icon(ft.Icons.CHECK, key="box_icon", color="red,0.3")
        self.control.alignment = ft.MainAxisAlignment.SPACE_BETWEEN

    def state_colors(self) -> None:
        """Change a dict with enum keys: one key replaced, one added, one removed."""
        colors = self.tinted.fill_color
        assert isinstance(colors, dict)
        colors[ft.ControlState.DEFAULT] = ft.Colors.BLUE
        colors[ft.ControlState.FOCUSED] = ft.Colors.CYAN
        del colors[ft.ControlState.HOVERED]

    def restyle(self) -> None:
        """Give a button a style: Flet copies it for every diff, so it is in every later patch."""
        self.styled.style = ft.ButtonStyle(
            padding=12, animation_duration=ft.Duration(milliseconds=90)
        )


class RowsPanel:
    """A list that grows, shrinks and is reordered."""

    def __init__(self) -> None:
        self.made = 0
        self.column = ft.Column(key="rows", spacing=2.5, controls=[self.new() for _ in range(3)])

    def new(self) -> ft.Text:
        self.made += 1
        return ft.Text(f"row {self.made}", key=f"row{self.made}")

    def append(self) -> None:
        self.column.controls.append(self.new())

    def extend(self) -> None:
        self.column.controls.extend([self.new(), ft.Row([self.new(), self.new()])])

    def insert(self) -> None:
        self.column.controls.insert(1, self.new())

    def remove(self) -> None:
        del self.column.controls[0]

    def move(self) -> None:
        self.column.controls.insert(0, self.column.controls.pop())

    def reverse(self) -> None:
        self.column.controls.reverse()

    def replace(self) -> None:
        self.column.controls[1] = self.new()

    def mixed(self) -> None:
        """Remove, move, insert and append, and change a row that stays, in one update."""
        rows = self.column.controls
        kept = rows[2]
        del rows[0]
        rows.insert(0, rows.pop())
        rows.insert(1, self.new())
        rows.append(self.new())
        assert isinstance(kept, ft.Text)
        kept.value = "kept"

    def renew(self) -> None:
        self.column.controls = [self.new(), self.new()]

    def clear(self) -> None:
        self.column.controls.clear()


class VectorApp:
    def __init__(self, page: ft.Page) -> None:
        self.page = page
        self.count = 0
        self.out = ft.Text("ready", key="out")
        self.rows = RowsPanel()
        self.values = ValuesPanel()
        self.field = ft.TextField(
            key="field", label="Name", on_change=self.typed, on_submit=self.submitted
        )
        self.clipboard = ft.Clipboard()
        self.dialog = ft.AlertDialog(
            key="dialog",
            modal=True,
            title="Sure?",
            content=ft.Text("text of the dialog", key="dialog_text"),
            actions=[self.button("close_dialog", page.pop_dialog)],
            on_dismiss=self.dismissed,
        )
        self.dates = ft.DatePicker(
            key="dates",
            value=dt.date(2026, 3, 8),
            first_date=dt.datetime(2026, 1, 1, 0, 30, tzinfo=INDIA),
            last_date=dt.datetime(2026, 12, 31, 23, 59, 59, 250_000),
            current_date=dt.datetime(2026, 3, 9, tzinfo=dt.UTC),
            on_change=self.dated,
        )
        self.times = ft.TimePicker(key="times", value=dt.time(8, 5), on_change=self.timed)

    def button(self, key: str, on_click: Callable[[], object]) -> ft.Button:
        return ft.Button(key, key=key, on_click=on_click)

    def build(self) -> None:
        page = self.page
        page.title = "Vectors"
        page.theme_mode = ft.ThemeMode.LIGHT
        page.scroll = ft.ScrollMode.AUTO
        page.fonts = {"Mono": "/fonts/mono.ttf"}
        page.on_resize = self.resized
        page.on_route_change = self.routed
        page.add(
            self.out,
            self.field,
            ft.Checkbox("Agree", key="check", tristate=True, on_change=self.checked),
            self.values.control,
            self.rows.column,
            ft.GestureDetector(
                key="pad",
                content=ft.Text("pad"),
                drag_interval=10,
                on_horizontal_drag_update=self.dragged,
            ),
            ft.Image(key="image", src=b"\x00\x7f\x80\xff", width=1, error_content=ft.Text("none")),
            ft.Row(key="buttons", wrap=True, controls=self.buttons()),
        )

    def buttons(self) -> list[ft.Control]:
        rows, values = self.rows, self.values
        actions: list[Callable[[], object]] = [
            self.plus, self.fonts, values.nested, values.whole, values.state_colors, values.restyle,
            rows.append, rows.extend, rows.insert, rows.remove, rows.move, rows.reverse,
            rows.replace, rows.mixed, rows.renew, rows.clear,
            self.open_dialog, self.open_dates, self.open_times,
            self.steps, self.async_steps, self.later, self.quiet,
            self.paste, self.push, self.focus, self.scroll, self.own_update, self.crash,
        ]  # fmt: skip
        return [self.button(action.__name__, action) for action in actions]

    # Updates

    def plus(self) -> None:
        self.count += 1
        self.out.value = str(self.count)

    def fonts(self) -> None:
        """Change a dict that is a property of a control: one key replaced, one added."""
        assert self.page.fonts is not None
        self.page.fonts["Mono"] = "/fonts/mono2.ttf"
        self.page.fonts["Ünï"] = "/fonts/uni.ttf"

    def own_update(self) -> None:
        """Update one control by itself: a patch rooted below the page."""
        self.out.value = "own"
        self.out.size = 20
        self.out.update()

    def quiet(self) -> None:
        """Change nothing: no patch."""

    def steps(self) -> Iterator[None]:
        for n in range(3):
            self.out.value = f"step {n}"
            yield
        self.out.value = "steps done"

    async def async_steps(self) -> AsyncIterator[None]:
        for n in range(2):
            self.out.value = f"async step {n}"
            yield
        self.out.value = "async steps done"
        self.out.color = None

    async def later(self) -> None:
        self.out.value = "soon"
        self.page.update()
        self.out.value = "late"
        self.out.color = ft.Colors.ERROR
        self.page.update()

    def crash(self) -> None:
        self.out.value = "never sent by this handler"
        raise ValueError("broken on purpose")

    # Dialogs

    def open_dialog(self) -> None:
        self.page.show_dialog(self.dialog)

    def dismissed(self) -> None:
        self.out.value = "dismissed"
        self.page.update()  # Flet has updated the dialogs by itself, and so skips the page

    def open_dates(self) -> None:
        self.page.show_dialog(self.dates)

    def open_times(self) -> None:
        self.page.show_dialog(self.times)

    def dated(self) -> None:
        assert self.dates.value is not None
        self.out.value = self.dates.value.isoformat()

    def timed(self) -> None:
        assert self.times.value is not None
        self.out.value = self.times.value.isoformat()

    # What the user and the client report

    def typed(self, e: ft.Event[ft.TextField]) -> None:
        self.out.value = f"{e.data!r} {self.field.value!r}"

    def submitted(self, e: ft.Event[ft.TextField]) -> None:
        self.out.value = f"submitted {e.data}"
        self.field.value = ""

    def checked(self, e: ft.Event[ft.Checkbox]) -> None:
        self.out.value = f"checked {e.data!r} {e.control.value!r}"

    def dragged(self, e: ft.DragUpdateEvent[ft.GestureDetector]) -> None:
        assert e.timestamp is not None
        moved = "nowhere" if e.primary_delta is None else f"{e.primary_delta:g}"
        self.out.value = f"moved {moved} at {e.timestamp.in_microseconds}"

    def resized(self, e: ft.PageResizeEvent) -> None:
        self.out.value = f"{e.width:g} x {e.height:g}"

    def routed(self, e: ft.RouteChangeEvent) -> None:
        self.out.value = f"route {e.route}"

    # Calls to the client

    async def paste(self) -> None:
        try:
            self.out.value = f"pasted {await self.clipboard.get()!r}"
        except RuntimeError as exc:
            self.out.value = f"failed: {exc}"

    async def push(self) -> None:
        await self.page.push_route("/x")

    async def focus(self) -> None:
        await self.field.focus()

    async def scroll(self) -> None:
        await self.page.scroll_to(
            offset=-1, duration=ft.Duration(milliseconds=400), curve=ft.AnimationCurve.EASE_OUT
        )


def main(page: ft.Page) -> None:
    VectorApp(page).build()
