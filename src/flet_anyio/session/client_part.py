"""What Flet's own client says of each kind of control: what it writes, and what it may say late.

Kept by the name that the client knows a control by. Read off the compiled client of Flet 1.0.5. A
client that says more than this is another one, or a hostile one, and is passed over in that, unless
the app is told not to be strict.
"""

from __future__ import annotations

import sys
from enum import Enum
from functools import lru_cache
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

import flet
from flet import canvas

if TYPE_CHECKING:
    from flet.controls.base_control import BaseControl

__all__ = ["REGISTERED", "is_flets", "may_come", "written_by_client"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _by_kind(**words: str) -> dict[str, frozenset[str]]:
    return {kind: _words(text) for kind, text in words.items()}


REGISTERED = _words(
    "debug height media multi_view platform platform_brightness pwa pyodide route test wasm web "
    "width window"
)
"""What a client says of its page when it registers."""

_WRITTEN = _by_kind(
    AlertDialog="open",
    AutoComplete="_selected_index value",
    Banner="_dismissed open",
    BlockPicker="color",
    BottomSheet="open",
    Checkbox="value",
    Chip="selected",
    CodeEditor="selection value",
    ColorPicker="color_history hsv_color picker_color",
    CupertinoAlertDialog="open",
    CupertinoBottomSheet="open",
    CupertinoCheckbox="value",
    CupertinoDatePicker="value",
    CupertinoNavigationBar="selected_index",
    CupertinoPicker="selected_index",
    CupertinoSegmentedButton="selected_index",
    CupertinoSlider="value",
    CupertinoSlidingSegmentedButton="selected_index",
    CupertinoSwitch="value",
    CupertinoTextField="selection value",
    CupertinoTimerPicker="value",
    DatePicker="entry_mode open value",
    DateRangePicker="end_value open start_value",
    Dropdown="text value",
    DropdownM2="value",
    ExpansionPanel="expanded",
    ExpansionTile="expanded",
    Geolocator="position",
    HueRingPicker="color",
    MaterialPicker="color",
    MultiView="height media width",
    MultipleChoiceBlockPicker="colors",
    NavigationBar="selected_index",
    NavigationDrawer="selected_index",
    NavigationRail="selected_index",
    Page="height media platform_brightness route width",
    PageView="selected_index",
    RadioGroup="value",
    RangeSlider="end_value start_value",
    SearchBar="value",
    SegmentedButton="selected",
    Slider="value",
    SnackBar="_dismissed open",
    Switch="value",
    Tabs="selected_index",
    TextField="selection value",
    TimePicker="entry_mode open value",
    Video="fullscreen",
    Window=(
        "always_on_top focused full_screen height left maximized minimized opacity top "
        "visible width"
    ),
)
"""The properties that the client sets, by kind of control."""

_ONLY_THE_SERVERS = _words("close connect disconnect login logout views_pop_until")
"""Events of the page that no client sends."""

_LATE_OF_ANY = _words("animation_end blur scroll size_change")
_LATE = _by_kind(
    Accelerometer="error reading",
    AlertDialog="dismiss",
    Audio="duration_change loaded position_change seek_complete state_change",
    AudioRecorder="state_change stream upload",
    AutoComplete="change",
    Banner="dismiss visible",
    BannerAd="click close error impression load open paid will_dismiss",
    Barometer="error reading",
    Battery="state_change",
    BottomSheet="dismiss",
    Button="hover",
    Camera="state_change stream_image",
    Canvas="resize",
    CircleAvatar="image_error",
    CodeEditor="change selection_change",
    Connectivity="change",
    Container="hover",
    ContextMenu="dismiss select",
    CupertinoAlertDialog="dismiss",
    CupertinoBottomSheet="dismiss",
    CupertinoPicker="change",
    CupertinoSlider="change_end",
    CupertinoSwitch="image_error",
    CupertinoTextField="paste_files selection_change tap_outside",
    DataCell="tap_cancel",
    DatePicker="change dismiss entry_mode_change",
    DateRangePicker="change dismiss",
    Dismissible="confirm_dismiss dismiss resize update",
    DragTarget="accept leave move will_accept",
    Draggable="drag_complete drag_start",
    Dropdown="text_change",
    ExpansionTile="change",
    FilePicker="result upload",
    FilledButton="hover",
    FilledIconButton="hover",
    FilledTonalButton="hover",
    FilledTonalIconButton="hover",
    FletApp="connect error python_output",
    Geolocator="error position_change",
    GestureDetector=(
        "double_tap_cancel exit force_press_end horizontal_drag_cancel horizontal_drag_end "
        "hover long_press_cancel long_press_end long_press_up pan_cancel pan_end "
        "right_pan_end scale_end secondary_long_press_cancel secondary_long_press_end "
        "secondary_long_press_up secondary_tap_cancel secondary_tap_up tap_cancel tap_up "
        "tertiary_long_press_cancel tertiary_long_press_end tertiary_long_press_up "
        "tertiary_tap_cancel tertiary_tap_up vertical_drag_cancel vertical_drag_end"
    ),
    Gyroscope="error reading",
    IconButton="hover",
    InteractiveViewer="interaction_end interaction_update",
    InterstitialAd="click close error impression load open",
    KeyboardListener="key_up",
    Lottie="error load",
    Magnetometer="error reading",
    Map="event hover init pointer_cancel pointer_up position_change",
    Markdown="selection_change",
    MatplotlibChartCanvas="data_channel_open resize",
    MenuItemButton="click hover",
    MultiView="media_change resize",
    NavigationDrawer="dismiss",
    OutlinedButton="hover",
    OutlinedIconButton="hover",
    Page=(
        "app_lifecycle_state_change error keyboard_event locale_change media_change "
        "multi_view_add multi_view_remove platform_brightness_change resize route_change "
        "view_pop"
    ),
    PageView="change",
    PopupMenuButton="cancel open select",
    PopupMenuItem="click",
    RangeSlider="change_end",
    RawImage="data_channel_open",
    ReorderableListView="reorder reorder_end reorder_start",
    ScreenBrightness="application_screen_brightness_change system_screen_brightness_change",
    SearchBar="change tap_outside_bar tap_outside_view",
    SecureStorage="change",
    SelectionArea="change",
    Semantics="did_lose_accessibility_focus",
    ShakeDetector="shake",
    Slider="change_end",
    SnackBar="action dismiss visible",
    SnackBarAction="click",
    SubmenuButton="close hover open",
    TabBar="hover",
    Tabs="change",
    Text="selection_change",
    TextButton="hover",
    TextField="paste_files selection_change tap_outside",
    TextSpan="enter exit",
    TileLayer="image_error",
    TimePicker="change dismiss entry_mode_change",
    UserAccelerometer="error reading",
    Video=(
        "complete duration_change enter_fullscreen error exit_fullscreen load position_change "
        "track_change"
    ),
    View="confirm_pop scroll",
    WebView=(
        "console_message javascript_alert_dialog page_ended page_started progress scroll "
        "url_change web_resource_error"
    ),
    Window="event",
    WindowDragArea="drag_end",
)
"""What comes after a control was disabled or hidden, or is not the user's doing at all."""

_NOT_DISABLED = _words(
    """
    AlertDialog AutoComplete Banner BarChart BlockPicker BottomSheet Canvas CircleAvatar
    ColorPicker ContextMenu CupertinoAlertDialog CupertinoBottomSheet CupertinoDatePicker
    CupertinoNavigationBar CupertinoTimerPicker DataTable DataTable2 DatePicker DateRangePicker
    Dismissible DragTarget Draggable GestureDetector HueRingPicker KeyboardListener LineChart
    Lottie Map MaterialPicker MultipleChoiceBlockPicker Page PageView Pagelet PieChart RawImage
    ReorderableListView SearchBar SelectionArea SlidePicker SnackBar Tabs Text TimePicker Video
    View WindowDragArea
    """
)
"""Those that the client goes on to serve when they are disabled."""

_SERVER_KNOWS = _words("MultiView Page Window")
"""Controls of which the client says no more than what it alone knows."""

_NOTHING: frozenset[str] = frozenset()

_INSIDE = _words("C Dialogs Option Overlay ServiceRegistry")
"""Names that Flet does not export."""


def written_by_client(control: BaseControl, *, strict: bool = True) -> frozenset[str]:
    """The names of the properties that the client may set in a control.

    A control of an app's own, with a client's part of its own, may have set what its class
    declares. A class that only gives one of Flet's more fields has Flet's part: its fields stay
    the app's.

    If not `strict`, all plain values of a control are the client's to set, but for those that
    say who it is, or whether it may be used.
    """
    control_class: Any = type(control)
    written = _written(control_class, control._c)
    if strict or control._c in _SERVER_KNOWS:
        return written
    return written | _plain_values(control_class)


@lru_cache(maxsize=4096)
def _plain_values(control_class: Any) -> frozenset[str]:
    names: set[str] = set()
    for one in control_class.__mro__:
        module = vars(sys.modules[one.__module__])
        for name, hint in vars(one).get("__annotations__", {}).items():
            if _may(name) and _is_plain(_resolved(hint, module)):
                names.add(name)
    return frozenset(names & control_class.__dataclass_fields__.keys())


def _resolved(hint: Any, module: dict[str, Any]) -> Any:
    # One by one: some name what is only there for type checkers.
    try:
        return get_type_hints(type("", (), {"__annotations__": {"it": hint}}), module)["it"]
    except Exception:
        return Any


def _is_plain(hint: Any) -> bool:
    """Whether no value of this type can hold a control, or a function of the app."""
    arguments = get_args(hint)
    if arguments and get_origin(hint) in (Union, UnionType, list):
        return all(map(_is_plain, arguments))
    return isinstance(hint, type) and (
        issubclass(hint, Enum) or hint in (str, bool, int, float, type(None))
    )


@lru_cache(maxsize=4096)
def _written(control_class: type, kind: str) -> frozenset[str]:
    if kind in _WRITTEN or is_flets(kind):
        return _WRITTEN.get(kind, _NOTHING)
    names: set[str] = set()
    for one in control_class.__mro__:
        if one.__module__.partition(".")[0] == "flet":
            names.update(_WRITTEN.get(one.__name__, _NOTHING))
        else:
            names.update(name for name in vars(one).get("__annotations__", {}) if _may(name))
    return frozenset(names)


def _may(name: str) -> bool:
    return not name.startswith(("_", "on_")) and name not in ("data", "disabled", "key", "visible")


def is_flets(kind: str) -> bool:
    """Whether this is how the client knows a control of Flet itself."""
    return hasattr(flet, kind) or hasattr(canvas, kind) or kind in _INSIDE


def may_come(control: BaseControl, event: str, *, strict: bool = True) -> bool:
    """Whether the client may send this event of a control, as that is now.

    It sends none of what is disabled or hidden, or is in something that is, but for what it says
    late: that a dialog was closed, that a field has lost the focus. If not `strict`, it may.
    """
    kind = control._c
    if kind == "Page":
        return event not in _ONLY_THE_SERVERS
    if not strict:
        return True
    if event in _LATE_OF_ANY or event in _LATE.get(kind, _NOTHING):
        return True
    heeds = kind not in _NOT_DISABLED and is_flets(kind)
    one: Any = control
    while one is not None:
        values = one._values
        if values.get("visible") is False or (heeds and values.get("disabled")):
            return False
        one = one.parent
    return True
