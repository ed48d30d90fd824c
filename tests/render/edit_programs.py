"""Small random apps: a page, and steps that change it as apps do.

A step is a name and three numbers, which are taken modulo what there is to choose from. The same
steps do the same in each world, as long as these look the same to the app.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import flet as ft
from flet.controls.base_control import BaseControl, skip_field

if TYPE_CHECKING:
    from collections.abc import Callable

    from .worlds import World

__all__ = ["STEPS", "App", "Box", "Brittle", "Gauge", "Island", "Size", "Step"]

Step = tuple[str, int, int, int]


@dataclass
class Size:
    """A class of an app's own, neither a control nor one of flet's values."""

    width: int = 0
    unit: str | None = None
    marks: list[Any] = field(default_factory=list)


@ft.control("Box")  # type: ignore[arg-type]
class Box(ft.LayoutControl):
    """Holds controls and values in all the ways in which a control may."""

    title: str = "box"
    size: Size | None = None
    own_size: Size = field(default_factory=Size)
    style: ft.TextStyle | None = None
    content: ft.Control | None = None
    slots: list[Any] | None = None
    parts: list[ft.Control] = field(default_factory=list)
    table: dict[str, Any] = field(default_factory=dict)
    loose: dict[str, Any] | None = None
    blob: Any = None
    on_open: Any = None


@ft.control("Gauge")  # type: ignore[arg-type]
class Gauge(ft.Container):
    """Looks at something else before each update."""

    level: int = 0
    app: Any = skip_field()

    def before_update(self) -> None:
        super().before_update()  # type: ignore[no-untyped-call]
        self.level = self.app.level


@ft.control("Brittle")  # type: ignore[arg-type]
class Brittle(ft.Control):
    """Fails before an update as long as it is told to."""

    value: str = ""
    content: ft.Control | None = None
    broken: Any = skip_field()

    def before_update(self) -> None:
        if self.broken:
            raise ZeroDivisionError


@ft.control("Island", isolated=True)  # type: ignore[arg-type]
class Island(ft.Control):
    """Is updated on its own."""

    value: str = ""
    controls: list[ft.Control] = field(default_factory=list)
    content: ft.Control | None = None


COLORS: list[Any] = ["red", "#00ff00", ft.Colors.BLUE, None]
_SIDES = [(ft.ControlState.DEFAULT, ft.BorderSide(1)), (ft.ControlState.FOCUSED, None)]
SIZES = [10, 12.5, 14, None]

VALUES: list[Callable[[int], Any]] = [
    lambda n: ft.TextStyle(size=SIZES[n % 4], color=COLORS[n % 3]),
    lambda n: ft.TextStyle(shadow=[ft.BoxShadow(blur_radius=n)], bgcolor=COLORS[n % 4]),
    lambda n: ft.Border(left=ft.BorderSide(n + 1, "red"), top=ft.BorderSide(1)),
    lambda n: ft.Border.all(n),
    lambda n: ft.Padding.all(n),
    lambda n: ft.BoxShadow(blur_radius=n, color=COLORS[n % 4]),
    lambda n: [ft.BoxShadow(blur_radius=i) for i in range(n % 4)],
    lambda n: ft.ButtonStyle(color={ft.ControlState.HOVERED: COLORS[n % 4]}, elevation=n),
    lambda n: ft.ButtonStyle(
        side={ft.ControlState.DEFAULT: ft.BorderSide(n)}, text_style=ft.TextStyle(size=n)
    ),
    lambda n: ft.LinearGradient(colors=["red", "blue"], stops=[0, n]),
    lambda n: Size(n, "px", [n]),
    lambda n: {"a": n, "b": ft.TextStyle(size=n)},
    lambda n: {"c": [n, 2], "d": {"e": n}},
    lambda n: ["x", n],
    lambda n: n,
    lambda n: f"text {n}",
    lambda n: ft.Duration(milliseconds=n),
    lambda n: ft.MainAxisAlignment.CENTER,
    lambda n: (n, "t"),
    lambda n: None,
]

VALUE_FIELDS: dict[type, list[tuple[str, list[int]]]] = {
    ft.Text: [("value", [15]), ("size", [14]), ("style", [0, 1, 19]), ("tooltip", [15, 19])],
    ft.Container: [
        ("border", [2, 3, 19]),
        ("padding", [4, 14, 19]),
        ("shadow", [5, 6, 19]),
        ("gradient", [9, 19]),
        ("width", [14, 19]),
        ("visible", [14]),
        ("data", [15]),
    ],
    ft.Column: [("spacing", [14]), ("alignment", [17, 19]), ("scroll", [19]), ("expand", [14])],
    ft.Button: [("style", [7, 8, 19]), ("on_click", [15, 19]), ("color", [15, 19])],
    ft.ListTile: [("content_padding", [4, 19]), ("toggle_inputs", [14])],
    Box: [
        ("title", [15]),
        ("size", [10, 19]),
        ("own_size", [10]),
        ("style", [0, 1, 19]),
        ("slots", [6, 13, 19]),
        ("table", [11, 12]),
        ("loose", [11, 12, 19]),
        ("blob", list(range(len(VALUES)))),
        ("on_open", [15, 19]),
        ("badge", [15, 19]),
        ("animate_opacity", [14, 16, 19]),
    ],
    Gauge: [("border", [2, 3, 19]), ("width", [14, 19])],
    Brittle: [("value", [15])],
    Island: [("value", [15])],
    ft.View: [("padding", [4, 19]), ("bgcolor", [15, 19]), ("can_pop", [14])],
    ft.AlertDialog: [("modal", [14]), ("bgcolor", [15, 19])],
}

LISTS: dict[type, list[str]] = {
    ft.Column: ["controls"],
    ft.View: ["controls"],
    ft.Text: ["spans"],
    ft.AlertDialog: ["actions"],
    Box: ["parts", "slots"],
    Island: ["controls"],
}

SINGLES: dict[type, list[str]] = {
    ft.Container: ["content"],
    ft.Button: ["content"],
    ft.ListTile: ["title", "leading", "subtitle"],
    ft.View: ["floating_action_button", "appbar"],
    ft.AlertDialog: ["title", "content"],
    Box: ["content"],
    Gauge: ["content"],
    Brittle: ["content"],
    Island: ["content"],
}

DICTS: dict[type, list[str]] = {Box: ["table", "loose"]}

KINDS: list[Callable[[App, Any], Any]] = [
    lambda app, n: ft.Text(f"text {n}"),
    lambda app, n: ft.Text("the same"),
    lambda app, n: ft.Column(),
    lambda app, n: ft.Column([app.made(ft.Text(f"in {n}")), app.made(ft.Text("in it"))]),
    lambda app, n: ft.Container(content=app.made(ft.Text(f"in {n}"))),
    lambda app, n: ft.Container(),
    lambda app, n: ft.Button("press", icon=ft.Icons.ADD),
    lambda app, n: ft.ListTile(title=app.made(ft.Text("title"))),
    lambda app, n: Box(),
    lambda app, n: Box(parts=[app.made(ft.Container())], size=Size(n), slots=[]),
    lambda app, n: Gauge(app=app),
    lambda app, n: Brittle(),
    lambda app, n: Island(),
    lambda app, n: ft.Text("keyed", key=f"k{n % 3}"),
    lambda app, n: ft.Column([app.made(ft.Text("in keyed"))], key=f"k{n % 3}"),
]


class App:
    """What an app knows: its controls, also those that are not in the page, and its lists."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.page = world.page
        self.level = 0
        self.controls: list[Any] = []
        self.kept: list[list[Any]] = []
        self.values: list[Any] = []
        self.lost: set[int] = set()
        for root in (self.page.views[0], self.page._overlay, self.page._dialogs):
            self.made(root)

    def made(self, control: Any) -> Any:
        """Know a control from now on."""
        control.data = f"{type(control).__name__}-{len(self.controls)}"
        self.controls.append(control)
        return control

    def run(self, step: Step) -> str:
        """Do one step. Return the name of the error that it raised, if any."""
        name, *numbers = step
        with self.world.active():
            try:
                getattr(self, f"do_{name}")(*numbers)
            except (RuntimeError, ZeroDivisionError, TypeError, ValueError) as error:
                return type(error).__name__
        return ""

    # --- choosing -----------------------------------------------------------------------------

    def a_control(self, n: int) -> Any:
        return self.controls[n % len(self.controls)]

    def _places(self, table: dict[type, list[str]]) -> list[tuple[Any, str]]:
        return [
            (control, name) for control in self.controls for name in table.get(type(control), ())
        ]

    def a_list(self, n: int) -> list[Any]:
        """A list of controls, as it is in its control."""
        lists = [getattr(control, name) for control, name in self._places(LISTS)]
        lists = [self.page.overlay, *(one for one in lists if one is not None)]
        chosen: list[Any] = lists[n % len(lists)]
        return chosen

    def _inside(self, control: Any) -> set[int]:
        from .worlds import _controls_in

        return {id(one) for one, _ in _controls_in(control, None)}

    def free(self, n: int, place: Any) -> Any:
        """A control that is nowhere and may come to `place`, or a new one."""
        held: set[int] = set()
        for control in self.controls:
            held |= self._inside(control) - {id(control)}
        roots = {id(view) for view in self.page.views} | {
            id(self.page._overlay),
            id(self.page._dialogs),
        }
        found = [
            control
            for control in self.controls
            if id(control) not in held | roots
            and not isinstance(control, ft.View | ft.AlertDialog)
            and id(place) not in self._inside(control)
            and id(control) not in self.lost
        ]
        return found[n % len(found)] if found else self.new(n)

    def new(self, n: int) -> Any:
        return self.made(KINDS[n % len(KINDS)](self, n // len(KINDS)))

    def _owner(self, items: list[Any]) -> Any:
        for control, name in self._places(LISTS):
            if getattr(control, name) is items:
                return control
        return self.page._overlay

    def _fits(self, items: list[Any], control: Any) -> bool:
        """Whether it has no key of another one in the list."""
        return control.key is None or all(getattr(one, "key", None) != control.key for one in items)

    # --- lists --------------------------------------------------------------------------------

    def do_append_new(self, a: int, b: int, c: int) -> None:
        items, control = self.a_list(a), self.new(b)
        if self._fits(items, control):
            items.append(control)

    def do_insert_new(self, a: int, b: int, c: int) -> None:
        items, control = self.a_list(a), self.new(b)
        if self._fits(items, control):
            items.insert(c % (len(items) + 1), control)

    def do_insert_free(self, a: int, b: int, c: int) -> None:
        items = self.a_list(a)
        control = self.free(b, self._owner(items))
        if self._fits(items, control):
            items.insert(c % (len(items) + 1), control)

    def do_extend(self, a: int, b: int, c: int) -> None:
        items = self.a_list(a)
        some = [self.made(ft.Text(f"one of {c}")) for _ in range(b % 4)]
        if c % 2:
            items += some
        else:
            items.extend(some)

    def do_pop(self, a: int, b: int, c: int) -> None:
        if items := self.a_list(a):
            items.pop(b % len(items))

    def do_remove(self, a: int, b: int, c: int) -> None:
        if items := self.a_list(a):
            items.remove(items[b % len(items)])  # the first that is equal

    def do_delete_slice(self, a: int, b: int, c: int) -> None:
        items = self.a_list(a)
        del items[b % 5 : c % 5]

    def do_clear(self, a: int, b: int, c: int) -> None:
        self.a_list(a).clear()

    def do_reverse(self, a: int, b: int, c: int) -> None:
        self.a_list(a).reverse()

    def do_sort(self, a: int, b: int, c: int) -> None:
        self.a_list(a).sort(key=lambda one: hash((str(getattr(one, "data", one)), b)) % 7)

    def do_swap(self, a: int, b: int, c: int) -> None:
        if items := self.a_list(a):
            one, other = b % len(items), c % len(items)
            items[one], items[other] = items[other], items[one]

    def do_assign_slice(self, a: int, b: int, c: int) -> None:
        items = self.a_list(a)
        items[b % 4 : c % 6] = [self.made(ft.Text("sliced")), self.made(ft.Column())]

    def do_rotate(self, a: int, b: int, c: int) -> None:
        items = self.a_list(a)
        items[:] = items[b % 5 :] + items[: b % 5]

    def do_multiply(self, a: int, b: int, c: int) -> None:
        items = self.a_list(a)
        if not items or b % 2:
            items *= 0

    def do_replace_item(self, a: int, b: int, c: int) -> None:
        if items := self.a_list(a):
            place = b % len(items)
            control = self.new(c)
            others = items[:place] + items[place + 1 :]
            if self._fits(others, control):
                if getattr(items[place], "key", None) == control.key is not None:
                    self.lost |= self._inside(items[place])
                items[place] = control

    def do_replace_by_equal(self, a: int, b: int, c: int) -> None:
        if items := self.a_list(a):
            place = b % len(items)
            old = items[place]
            if type(old) is ft.Text and old.key is None and not old.spans:
                items[place] = self.made(ft.Text(old.value))

    def do_move(self, a: int, b: int, c: int) -> None:
        source, target = self.a_list(a), self.a_list(b)
        if source:
            control = source[c % len(source)]
            if id(self._owner(target)) in self._inside(control) or (
                source is not target and not self._fits(target, control)
            ):
                return
            at = next(i for i, one in enumerate(source) if one is control)
            del source[at]
            target.insert(c % (len(target) + 1), control)

    def do_reassign(self, a: int, b: int, c: int) -> None:
        """A new list, with the same controls or with fewer of them."""
        places = self._places(LISTS)
        control, name = places[a % len(places)]
        held = getattr(control, name) or []
        new = [one for at, one in enumerate(held) if (at + b) % 3]
        setattr(control, name, [list(held), new, list(reversed(held)), []][c % 4])

    def do_list_none(self, a: int, b: int, c: int) -> None:
        boxes = [one for one in self.controls if isinstance(one, Box | ft.Text)]
        if boxes:
            box = boxes[a % len(boxes)]
            name = "slots" if isinstance(box, Box) else "spans"
            setattr(box, name, [] if b % 2 else None)

    def do_keep(self, a: int, b: int, c: int) -> None:
        """Put a list in place that the app keeps, too."""
        places = self._places(LISTS)
        control, name = places[a % len(places)]
        kept = list(getattr(control, name) or [])
        self.kept.append(kept)
        setattr(control, name, kept)

    def do_keep_held(self, a: int, b: int, c: int) -> None:
        self.kept.append(self.a_list(a))

    def do_change_kept(self, a: int, b: int, c: int) -> None:
        if not self.kept:
            return
        items = self.kept[a % len(self.kept)]
        lists = [getattr(control, name) for control, name in self._places(LISTS)]
        if not any(items is one for one in lists):
            items = list(items)
        if b % 3 == 0 and items:
            items.pop(c % len(items))
        elif b % 3 == 1:
            items.reverse()
        else:
            items.insert(c % (len(items) + 1), self.made(ft.Text("kept")))

    # --- single controls ----------------------------------------------------------------------

    def do_single_new(self, a: int, b: int, c: int) -> None:
        places = self._places(SINGLES)
        control, name = places[a % len(places)]
        new = self.new(b)
        old = getattr(control, name)
        if isinstance(old, BaseControl) and old.key == new.key is not None:
            self.lost |= self._inside(old)
        setattr(control, name, new)

    def do_single_free(self, a: int, b: int, c: int) -> None:
        places = self._places(SINGLES)
        control, name = places[a % len(places)]
        setattr(control, name, self.free(b, control))

    def do_single_none(self, a: int, b: int, c: int) -> None:
        places = self._places(SINGLES)
        control, name = places[a % len(places)]
        if not isinstance(control, ft.Button | ft.ListTile) or name == "leading":
            setattr(control, name, None)

    def do_single_text(self, a: int, b: int, c: int) -> None:
        buttons = [one for one in self.controls if type(one) is ft.Button]
        if buttons:
            buttons[a % len(buttons)].content = f"press {b}"

    def do_single_equal(self, a: int, b: int, c: int) -> None:
        places = self._places(SINGLES)
        control, name = places[a % len(places)]
        old = getattr(control, name)
        if type(old) is ft.Text and old.key is None and not old.spans:
            setattr(control, name, self.made(ft.Text(old.value)))

    def do_single_swap(self, a: int, b: int, c: int) -> None:
        places = self._places(SINGLES)
        (one, name), (other, other_name) = places[a % len(places)], places[b % len(places)]
        first, second = getattr(one, name), getattr(other, other_name)
        cyclic = id(one) in self._inside(second) or id(other) in self._inside(first)
        if cyclic or {type(one), type(other)} & {ft.Button, ft.ListTile}:
            return
        setattr(one, name, second)
        setattr(other, other_name, first)

    # --- controls in dicts --------------------------------------------------------------------

    def do_table_new(self, a: int, b: int, c: int) -> None:
        places = self._places(DICTS)
        if places:
            control, name = places[a % len(places)]
            if getattr(control, name) is None:
                setattr(control, name, {})
            getattr(control, name)["xyz"[b % 3]] = self.new(c)

    def do_table_free(self, a: int, b: int, c: int) -> None:
        places = self._places(DICTS)
        if places:
            control, name = places[a % len(places)]
            if getattr(control, name) is not None:
                getattr(control, name)["xyz"[b % 3]] = self.free(c, control)

    def do_table_remove(self, a: int, b: int, c: int) -> None:
        places = self._places(DICTS)
        if places:
            control, name = places[a % len(places)]
            if getattr(control, name):
                getattr(control, name).pop("xyzabcd"[b % 7], None)

    # --- values -------------------------------------------------------------------------------

    def _value_place(self, a: int, b: int) -> tuple[Any, str, list[int]]:
        controls = [one for one in self.controls if type(one) in VALUE_FIELDS]
        control = controls[a % len(controls)]
        names = VALUE_FIELDS[type(control)]
        name, values = names[b % len(names)]
        return control, name, values

    def do_set(self, a: int, b: int, c: int) -> None:
        control, name, values = self._value_place(a, b)
        if name != "data":
            setattr(control, name, VALUES[values[c % len(values)]](c % 5))

    def do_set_and_back(self, a: int, b: int, c: int) -> None:
        control, name, values = self._value_place(a, b)
        if name != "data":
            before = getattr(control, name)
            setattr(control, name, VALUES[values[c % len(values)]](c % 5))
            setattr(control, name, before)

    def do_share(self, a: int, b: int, c: int) -> None:
        """Give a control the very value that another one has."""
        source, name, _ = self._value_place(a, b)
        alike = [one for one in self.controls if type(one) is type(source)]
        if name != "data":
            setattr(alike[c % len(alike)], name, getattr(source, name))

    def do_mutate(self, a: int, b: int, c: int) -> None:
        control, name, _ = self._value_place(a, b)
        _mutate(getattr(control, name), c)

    def do_level(self, a: int, b: int, c: int) -> None:
        self.level = a % 5

    def do_break(self, a: int, b: int, c: int) -> None:
        for control in self.controls:
            if isinstance(control, Brittle):
                control.broken = True
                break

    def do_mend(self, a: int, b: int, c: int) -> None:
        for control in self.controls:
            if isinstance(control, Brittle):
                control.broken = False

    # --- the page -----------------------------------------------------------------------------

    def do_dialog(self, a: int, b: int, c: int) -> None:
        self.page.show_dialog(self.made(ft.AlertDialog(title=self.made(ft.Text(f"title {b}")))))

    def do_pop_dialog(self, a: int, b: int, c: int) -> None:
        self.page.pop_dialog()

    def do_forget_dialog(self, a: int, b: int, c: int) -> None:
        if self.page._dialogs.controls:
            self.page._dialogs.controls.pop(a % len(self.page._dialogs.controls))

    def do_push_view(self, a: int, b: int, c: int) -> None:
        self.page.views.append(self.made(ft.View(route=f"/{a}")))

    def do_pop_view(self, a: int, b: int, c: int) -> None:
        if len(self.page.views) > 1:
            self.page.views.pop()

    def do_views_anew(self, a: int, b: int, c: int) -> None:
        self.page.views = list(self.page.views)

    # --- copies -------------------------------------------------------------------------------

    def do_replace_by_copy(self, a: int, b: int, c: int) -> None:
        """As frameworks over flet do, for a text and the like."""
        if items := self.a_list(a):
            place = b % len(items)
            old = items[place]
            if type(old) is ft.Text and old.key is None and old.spans is None:
                items[place] = self.made(dataclasses.replace(old, value=f"copy {c}"))

    def do_deep_copy(self, a: int, b: int, c: int) -> None:
        items = self.a_list(a)
        if items and type(items[0]) is ft.Column and not items[0].controls:
            twin = copy.deepcopy(items[0])
            twin._i = ft.Text()._i
            items.append(self.made(twin))
            if twin.key is not None:
                items.pop()

    # --- updates ------------------------------------------------------------------------------

    def do_update(self, a: int, b: int, c: int) -> None:
        self.page.update()

    def do_update_one(self, a: int, b: int, c: int) -> None:
        self.a_control(a).update()

    def islands(self) -> list[Any]:
        """The controls in the page that are updated on their own, outer ones first."""
        from .worlds import controls_below

        return [one for one, _ in controls_below(self.page) if isinstance(one, Island)]


def _mutate(value: Any, n: int) -> None:
    """Change a value in place, somewhere in it."""
    if isinstance(value, list):
        _mutate_list(value, n)
    elif isinstance(value, dict):
        _mutate_dict(value, n)
    elif dataclasses.is_dataclass(value) and not isinstance(value, BaseControl):
        _mutate_dataclass(value, n)


def _mutate_list(value: list[Any], n: int) -> None:
    if any(isinstance(one, BaseControl) for one in value):
        return
    if n % 4 == 0 and value:
        value.pop()
    elif n % 4 == 1:
        value.append(copy.copy(value[0]) if value else n)
    elif n % 4 == 2:
        value.reverse()
    elif value:
        _mutate(value[n % len(value)], n // 2)


def _mutate_dict(value: dict[Any, Any], n: int) -> None:
    if n % 4 == 0 and value:
        if not isinstance(next(iter(value.values())), BaseControl):
            del value[next(iter(value))]
    elif n % 4 == 1:
        value["new"] = n
    elif n % 4 == 2 and value:
        key = next(iter(value))
        if not isinstance(value[key], BaseControl | ft.TextStyle):
            value[key] = n
    elif value:
        _mutate(list(value.values())[n % len(value)], n // 2)


def _mutate_dataclass(value: Any, n: int) -> None:
    inner = [
        getattr(value, one.name)
        for one in dataclasses.fields(value)
        if isinstance(getattr(value, one.name), list | dict)
        or dataclasses.is_dataclass(getattr(value, one.name))
    ]
    if inner and n % 3 == 0:
        _mutate(inner[n % len(inner)], n // 3)
    elif isinstance(value, ft.TextStyle):
        value.size = SIZES[n % 4]
        value.decoration_color = COLORS[n % 3]
        if n % 5 == 0:
            value.shadow = ft.BoxShadow(blur_radius=n)
    elif isinstance(value, ft.Border):
        value.left = ft.BorderSide(n, "blue")
    elif isinstance(value, ft.BorderSide):
        value.width = n
    elif isinstance(value, ft.Padding):
        value.left = n
    elif isinstance(value, ft.BoxShadow):
        value.blur_radius = n
        value.offset = ft.Offset(n, 1)
    elif isinstance(value, ft.ButtonStyle):
        value.elevation = n
        value.bgcolor = {ft.ControlState.HOVERED: COLORS[n % 3]} if n % 2 else None
    elif isinstance(value, Size):
        value.width = n
        value.unit = None if n % 2 else "em"
    elif isinstance(value, ft.LinearGradient):
        value.colors = ["green", "blue", "red"][: 1 + n % 3]


STEPS = [name.removeprefix("do_") for name in vars(App) if name.startswith("do_")]
