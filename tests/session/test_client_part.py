"""What clients may set and say, and what is passed over."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import flet as ft
import pytest
from flet import canvas
from flet.controls.control_event import get_event_field_type
from flet.messaging.protocol import MessageAction

from flet_anyio.session import client_part
from flet_anyio.testing import InProcess
from render.classes import MADE_CONTROLS, make

if TYPE_CHECKING:
    from flet.controls.base_control import BaseControl

    from flet_anyio.testing.client import Client

EXTENSIONS = {
    *("Audio", "AudioRecorder", "BannerAd", "BlockPicker", "Camera", "CodeEditor", "ColorPicker"),
    *("Geolocator", "HueRingPicker", "InterstitialAd", "Lottie", "Map", "MaterialPicker"),
    *("MatplotlibChartCanvas", "MultipleChoiceBlockPicker", "SecureStorage", "TileLayer"),
    *("Video", "WebView"),
}
"""Whose Python classes are in packages of their own."""
UNDECLARED = {"_dismissed", "_selected_index"}


def test_what_clients_write_are_fields_of_flets_classes() -> None:
    """A new Flet that renames one is noticed here."""
    for kind, words in client_part._WRITTEN.items():
        if kind in EXTENSIONS:
            continue
        fields = getattr(ft, kind).__dataclass_fields__
        assert words - UNDECLARED <= fields.keys(), kind
    assert ft.Page.__dataclass_fields__.keys() >= client_part.REGISTERED


def test_late_events_are_those_of_flets_classes() -> None:
    missing = {
        f"{kind}.{event}"
        for kind, words in client_part._LATE.items()
        if kind not in EXTENSIONS
        for event in words
        if get_event_field_type(object.__new__(class_of(kind)), f"on_{event}") is None
    }
    assert missing == set()


def class_of(kind: str) -> Any:
    return getattr(ft, kind, None) or getattr(canvas, kind)


@ft.control("Stars")  # type: ignore[arg-type]
class Stars(ft.LayoutControl):
    """With a client's part of its own."""

    stars: int = 0
    on_stars: Any = None


@ft.control("Note")  # type: ignore[arg-type]
class Note(ft.TextField):
    """Its client's part builds on a field."""

    stars: int = 0
    data: Any = None


@ft.control
class Todo(ft.Column):
    """Drawn as a column."""

    done: bool = False


def shown(*controls: ft.Control, **settings: Any) -> Any:
    def main(page: ft.Page) -> None:
        answer = ft.Text("answer 0")
        answers = 0

        def ask() -> None:
            nonlocal answers
            answers += 1
            answer.value = f"answer {answers}"

        page.add(*controls, answer, ft.Button("ask", on_click=ask))
        for name, value in settings.items():
            setattr(page, name, value)

    return main


async def acted(client: Client) -> None:
    """All that was said before has been acted on."""
    (before,) = (text for text in client.texts if text.startswith("answer"))
    await client.click("ask")
    await client.see(f"answer {int(before.split()[1]) + 1}")


def write(client: Client, control: BaseControl, **props: Any) -> None:
    client.send(MessageAction.UPDATE_CONTROL_PROPS, {"id": control._i, "props": props})


@pytest.mark.anyio
async def test_clients_set_only_what_flets_client_sets() -> None:
    field, text, todo = ft.TextField(), ft.Text("text"), Todo()
    box = ft.Checkbox(disabled=True)
    async with InProcess(shown(field, text, todo, box)) as app, app.connect() as client:
        await client.see("text")
        write(client, field, value="typed", disabled=True, data="x", visible=False, read_only=True)
        write(client, text, value="changed", key="x")
        write(client, todo, done=True, controls=[], scroll="auto")
        write(client, box, value=True, disabled=False, on_change=1, _i=7, _c="Text", _values={})
        page = app.session.page
        told = page.client_ip
        write(client, page, client_ip="9.9.9.9", title="mine", data=1, width=321.0, web=False)
        await acted(client)
        assert (field.value, field.disabled, field.data, field.visible) == (
            "typed",
            False,
            None,
            True,
        )
        assert not field.read_only
        assert (text.value, text.key) == ("text", None)
        assert (todo.done, todo.controls, todo.scroll) == (False, [], None)
        assert (box.value, box.disabled, box._c) == (True, True, "Checkbox")
        assert (page.client_ip, page.title, page.data, page.web) == (told, None, None, True)
        assert page.width == 321.0
        assert not client.closed


@pytest.mark.anyio
async def test_other_clients_may_set_plain_values_and_never_what_is_the_apps() -> None:
    field, text, todo = ft.TextField(label="label"), ft.Text("text"), Todo([ft.Text("todo")])
    main = shown(field, text, todo)
    async with InProcess(main, strict=False) as app, app.connect() as client:
        await client.see("text")
        write(client, field, value="typed", read_only=True, disabled=True, data="x", visible=False)
        write(client, field, label="other", on_change=1, _i=7, _c="Text", key="x", suffix={})
        write(client, text, value="changed", parent=1, opacity=0.5)
        write(client, todo, spacing=3, controls=[])
        page = app.session.page
        told = page.client_ip
        write(client, page, client_ip="9.9.9.9", title="mine", views=[], width=321.0)
        await acted(client)
        assert (field.value, field.read_only) == ("typed", True)
        assert (field.disabled, field.data, field.visible, field.key) == (False, None, True, None)
        assert (field.label, field.on_change, field._c) == ("label", None, "TextField")
        assert (text.value, text.opacity) == ("changed", 0.5)
        assert (todo.spacing, len(todo.controls)) == (3, 1)
        assert (page.client_ip, page.title, len(page.views)) == (told, None, 1)
        write(client, text, opacity="half")
        await client.until(lambda: client.closed)


@pytest.mark.anyio
async def test_other_clients_may_use_what_is_disabled_but_not_end_the_session() -> None:
    heard: list[str] = []
    button = ft.Button("disabled", disabled=True, on_click=lambda: heard.append("click"))
    main = shown(button, on_close=lambda: heard.append("close"))
    async with InProcess(main, strict=False) as app, app.connect() as client:
        await client.see("ask")
        client.fire(button._i, "click")
        client.fire(app.session.page._i, "close")
        client.fire(app.session.page._i, "disconnect")
        await acted(client)
        assert heard == ["click"]


def test_no_plain_value_holds_a_control() -> None:
    for one in MADE_CONTROLS:
        control = make(one)
        names = client_part.written_by_client(control, strict=False)
        assert not names & {"controls", "content", "data", "disabled", "key"}
        assert not [name for name in names if name.startswith("on_")]
    assert client_part._plain_values(ft.TextField) >= {"value", "read_only", "multiline"}


@pytest.mark.anyio
async def test_registration_says_only_what_flets_client_says() -> None:
    async with InProcess(shown()) as app, app.connect(register=False) as client:
        client.register(title="mine", data=1, views=[], window={"top": 5.0, "prevent_close": True})
        await client.see("ask")
        page = app.session.page
        assert (page.title, page.data) == (None, None)
        assert (page.window.top, bool(page.window.prevent_close)) == (5.0, False)
        assert len(page.views) == 1


def test_a_control_with_a_clients_part_of_its_own_may_be_set_by_that() -> None:
    assert client_part.written_by_client(Stars()) == {"stars"}
    assert client_part.written_by_client(Note()) == {"stars", "selection", "value"}
    assert client_part.written_by_client(Todo()) == set()


@pytest.mark.anyio
async def test_the_place_that_was_chosen_reaches_the_app() -> None:
    chosen = ft.AutoComplete(suggestions=[])
    async with InProcess(shown(chosen)) as app, app.connect() as client:
        await client.see("ask")
        write(client, chosen, _selected_index=3)
        await acted(client)
        assert chosen.selected_index == 3
        write(client, chosen, _selected_index={"a": 1})
        await client.until(lambda: client.closed)
        assert chosen.selected_index == 3
        assert app.session.open


@pytest.mark.anyio
async def test_events_of_what_is_out_of_use_are_ignored() -> None:
    heard: list[str] = []

    def hears(name: str) -> Any:
        return lambda: heard.append(name)

    disabled = ft.Button("disabled", disabled=True, on_click=hears("disabled"))
    hidden = ft.Button("hidden", visible=False, on_click=hears("hidden"))
    inside = ft.Button("inside", on_click=hears("inside"))
    field = ft.TextField(disabled=True, on_change=hears("change"), on_blur=hears("blur"))
    dialog = ft.AlertDialog(ft.Text("dialog"), visible=False, on_dismiss=hears("dismiss"))
    gestures = ft.GestureDetector(disabled=True, on_tap=hears("tap"))
    closing = {f"on_{name}": hears(name) for name in ("close", "connect", "login", "resize")}
    main = shown(
        *(disabled, hidden, ft.Container(inside, disabled=True), field, dialog, gestures), **closing
    )
    async with InProcess(main) as app, app.connect() as client:
        await client.see("ask")
        for control in (disabled, hidden, inside):
            client.fire(control._i, "click")
        client.fire(field._i, "change", "x")
        client.fire(field._i, "blur")
        client.fire(dialog._i, "dismiss")
        client.fire(gestures._i, "tap", {})
        for name in ("close", "connect", "login", "resize"):
            client.fire(app.session.page._i, name, {"width": 1, "height": 1})
        await acted(client)
        assert heard == ["blur", "dismiss", "tap", "resize"]
        disabled.disabled = False
        client.fire(disabled._i, "click")
        await acted(client)
        assert heard[4:] == ["disabled"]
    assert heard[5:] == ["close"]


def test_the_names_of_flets_controls_are_known() -> None:
    """What is not known as Flet's is taken for an app's own, which may be set more of."""
    kinds = {make(one)._c for one in MADE_CONTROLS}
    assert [kind for kind in sorted(kinds) if not client_part.is_flets(kind)] == []
    assert dataclasses.is_dataclass(Stars)
    assert not client_part.is_flets("Stars")
