"""Whatever a client says of a control fits, or is refused and changes nothing."""

from __future__ import annotations

from typing import Any

import flet as ft
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flet_anyio.session.events import make_event
from flet_anyio.session.props import apply_props, believed

from .values import values

pytestmark = pytest.mark.slow

CONTROLS: list[Any] = [
    ft.Button,
    ft.Checkbox,
    ft.Column,
    ft.Container,
    ft.DatePicker,
    ft.Dropdown,
    ft.ExpansionTile,
    ft.GestureDetector,
    ft.NavigationBar,
    ft.RangeSlider,
    ft.SearchBar,
    ft.Slider,
    ft.Switch,
    ft.Tabs,
    ft.Text,
    ft.TextField,
    ft.TimePicker,
    ft.Window,
]
MAKERS = {
    ft.NavigationBar: lambda: ft.NavigationBar(
        destinations=[ft.NavigationBarDestination(ft.Icons.ADD) for _ in range(2)]
    ),
    ft.RangeSlider: lambda: ft.RangeSlider(start_value=0, end_value=1),
    ft.Tabs: lambda: ft.Tabs(content=ft.Text("a"), length=1),
    ft.ExpansionTile: lambda: ft.ExpansionTile("a"),
}


def made(kind: Any) -> Any:
    return MAKERS.get(kind, kind)()


def fields_of(kind: Any) -> list[str]:
    return sorted(kind.__dataclass_fields__)


def look(control: Any) -> dict[str, Any]:
    """What the control holds, in a form that stays as it is."""
    names = control.__dataclass_fields__
    return {name: repr(getattr(control, name, None)) for name in names if name != "_parent"}


@pytest.mark.parametrize("kind", CONTROLS, ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(st.data())
def test_any_property_is_set_or_refused_and_then_nothing_is(kind: Any, data: Any) -> None:
    control = made(kind)
    names = st.sampled_from(fields_of(kind)) | st.text(max_size=8)
    props = data.draw(st.dictionaries(names, values, min_size=1, max_size=4))
    before = look(control)
    try:
        apply_props(control, believed(control, props, strict=data.draw(st.booleans())))
    except ValueError:
        assert look(control) == before
    after = look(control)
    # Flet keeps in `_values` what was set.
    private = [name for name in before if name.startswith("_") and name != "_values"]
    assert [name for name in private if after[name] != before[name]] == []


@pytest.mark.parametrize("kind", CONTROLS, ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(st.data())
def test_any_event_is_made_or_refused(kind: Any, data: Any) -> None:
    control = made(kind)
    known = [name[3:] for name in fields_of(kind) if name.startswith("on_")] or ["click"]
    name = data.draw(st.sampled_from(known) | st.text(max_size=8))
    keys = st.sampled_from(["l", "g", "d", "k", "pd", "ts", "x", "y", "data", "control", "name"])
    said = data.draw(values | st.dictionaries(keys, values, max_size=5))
    try:
        event = make_event(control, name, said)
    except (TypeError, ValueError, KeyError, RuntimeError):
        return
    assert event is None or event.control is control
