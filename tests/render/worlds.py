"""One page, drawn by one renderer for one client: to be compared with another, and with itself."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgpack
from flet.controls.base_control import BaseControl
from flet.controls.context import _context_page
from flet.messaging.protocol import MessageAction

from flet_anyio.render import by_flet
from flet_anyio.session.journal import Position
from flet_anyio.session.page import Page
from flet_anyio.session.screen import Screen
from flet_anyio.testing.model import PageModel
from flet_anyio.wire.packets import MessagePacket, decode_packet
from flet_anyio.wire.tokens import ResumeToken, TokenSigner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flet_anyio.render import RendererName

__all__ = ["World", "controls_below", "decoded", "differences", "fresh", "noting_hooks", "shown"]

_SNAPSHOTS = ("__prev_lists", "__prev_dicts", "__prev_classes")
_MARKS = ("e", "n", "m")
_signer = TokenSigner(b"0" * 32)


class World:
    """A page with its client. It is the page's session, as far as drawing needs one.

    Attributes:
        hooks: What was told to controls so far: `(hook, label)`, where a label is what the
            program gave the control as its `data`.
        mounted: The ids of the controls that were mounted and not unmounted.
    """

    components_mode = False

    def __init__(self, renderer: RendererName) -> None:
        self.page = Page(sess=self)  # type: ignore[arg-type]
        self.client = PageModel()
        self.hooks: list[tuple[str, Any]] = []
        self.mounted: list[int] = []
        self.waiting: dict[Any, None] = {}
        self.frames: list[Any] = []
        self.screen = Screen(self.page, self._take, renderer=renderer, journal_bytes=None)
        self.index = self.screen.index

    def begin(self) -> None:
        """Register the client, which is sent the whole page."""
        with self.active():
            token = ResumeToken(_signer)
            self.screen.welcome(token, lambda w: self._take(w.frames), position=Position())

    @contextmanager
    def active(self) -> Iterator[None]:
        """What runs here is the app's code: it has this page, and hooks are noted here."""
        token = _context_page.set(self.page)  # type: ignore[arg-type]
        try:
            yield
        finally:
            _context_page.reset(token)

    # --- what flet wants of a session ---------------------------------------------------------

    def patch_control(
        self,
        control: Any,
        prev_control: Any = None,
        parent: Any = None,
        path: list[Any] | None = None,
        frozen: bool = False,
    ) -> None:
        previous = control if prev_control is None else prev_control
        self.screen.patch(control, previous, parent=parent, path=path, frozen=frozen)

    def schedule_update(self, control: Any) -> None:
        self.waiting[control] = None

    def schedule_effect(self, hook: Any, is_cleanup: bool) -> None:
        pass

    def start_updates_scheduler(self) -> None:
        pass

    def run_updates(self) -> None:
        """Draw the components that wait, as the session does in batches."""
        while self.waiting:
            batch = list(self.waiting)
            self.waiting.clear()
            for control in batch:
                control.update()

    # --- the client ---------------------------------------------------------------------------

    def _take(self, frames: list[bytes]) -> None:
        for frame in frames:
            packet = decode_packet(frame)
            assert isinstance(packet, MessagePacket)
            action, body = msgpack.unpackb(packet.body, strict_map_key=False)
            if action == MessageAction.REGISTER_CLIENT.value:
                self.client.merge(body["page_patch"])
            elif action == MessageAction.PATCH_CONTROL.value:
                self.frames.append(body)
                assert self.client.apply(body["id"], body["patch"]), "a patch of no control"

    def wrong(self, *, but: Callable[[Any], bool] = lambda control: False) -> list[str]:
        """In what the client's page is not the app's. See `differences`."""
        self._run_hooks()
        held = dict(self.client.root)
        held["window"] = {k: v for k, v in held["window"].items() if k not in _MARKS}
        return list(differences(held, self.page, but=but))

    def _run_hooks(self) -> None:
        # What a control shows may be worked out from fields that are not sent themselves.
        with self.active():
            for control, _ in controls_below(self.page):
                if not hasattr(control, "_frozen"):
                    with suppress(ValueError, ZeroDivisionError):
                        control._before_update_safe()

    def wrong_tree(self) -> list[str]:
        """In what hooks, index and parents are not as the tree is."""
        tree = {control._i: (control, parent) for control, parent in controls_below(self.page)}
        found = []
        if sorted(self.mounted) != sorted(tree):
            found.append(f"mounted {sorted(self.mounted)}, in the tree {sorted(tree)}")
        for control_id, (control, parent) in tree.items():
            if self.index.get(control_id) is not control:
                found.append(f"index: {_name(control)}")
            if control.parent is not parent:
                found.append(f"parent: {_name(control)} {control.parent} is not {parent}")
        found += [
            f"index: {_name(control)} {control_id} is not in the tree"
            for control_id, control in list(self.index.items())
            if control_id not in tree
        ]
        return found


# --- hooks -----------------------------------------------------------------------------------


@contextmanager
def noting_hooks() -> Iterator[None]:
    """Have the world whose page is active note the hooks of all controls."""
    before = BaseControl.did_mount, BaseControl.will_unmount

    def noted(hook: str, change: Callable[[list[int], int], None]) -> Callable[[Any], None]:
        def note(control: Any) -> None:
            page: Any = _context_page.get()
            world = page.session
            world.hooks.append((hook, control.data or control._c))
            change(world.mounted, control._i)

        return note

    def leave(mounted: list[int], control_id: int) -> None:
        if control_id in mounted:
            mounted.remove(control_id)
        else:
            mounted.append(-control_id)  # found wrong by `wrong_tree`

    BaseControl.did_mount = noted("mount", list.append)  # type: ignore[method-assign]
    BaseControl.will_unmount = noted("unmount", leave)  # type: ignore[method-assign]
    try:
        yield
    finally:
        BaseControl.did_mount, BaseControl.will_unmount = before  # type: ignore[method-assign]


def controls_below(root: Any) -> Iterator[tuple[Any, Any]]:
    """The controls in a page, itself included, each with the one that it is in."""
    yield from _controls_in(root, None)


def _controls_in(value: Any, parent: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, BaseControl):
        yield value, parent
        parent = value
    if dataclasses.is_dataclass(value):
        for field in _sent_fields(value):
            yield from _controls_in(getattr(value, field.name), parent)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _controls_in(one, parent)
    elif isinstance(value, list):
        for one in value:
            yield from _controls_in(one, parent)


# --- what the client ought to have -----------------------------------------------------------


def fresh(value: Any) -> Any:
    """What flet's encoder says of a value, which it leaves as it is."""
    before = {name: value.__dict__.get(name) for name in _SNAPSHOTS if hasattr(value, "__dict__")}
    encoded = by_flet(value)
    for name, snapshot in before.items():
        if snapshot is not None:
            object.__setattr__(value, name, snapshot)
        elif dataclasses.is_dataclass(value):
            vars(value).pop(name, None)
    return encoded


def decoded(value: Any, encode: Callable[[Any], Any] = fresh) -> Any:
    """A value as a client decodes it."""
    return msgpack.unpackb(msgpack.packb(value, default=encode), strict_map_key=False)


def differences(
    held: Any, live: Any, place: str = "page", *, but: Callable[[Any], bool] = lambda control: False
) -> Iterator[str]:
    """In what a client's map is not what it ought to be, by a fresh look at each field.

    What a client has no value for is what its class takes for granted, or an empty list.
    The inside of a control that `but` names is passed over.
    """
    if dataclasses.is_dataclass(live):
        yield from _fields_differ(held, live, place, but)
    elif isinstance(live, list | tuple):
        yield from _lists_differ(held, live, place, but)
    elif isinstance(live, dict):
        yield from _dicts_differ(held, live, place, but)
    elif held != (wanted := decoded(live)):
        yield f"{place}: {held!r} is not {wanted!r}"


def _fields_differ(held: Any, live: Any, place: str, but: Any) -> Iterator[str]:
    place += f"<{_name(live)}>" if isinstance(live, BaseControl) else ""
    if not isinstance(held, dict):
        yield f"{place}: {held!r} is not {live!r}"
        return
    if isinstance(live, BaseControl) and held.get("_i") != live._i:
        yield f"{place}: has id {held.get('_i')}, not {live._i}"
        return
    for field in _sent_fields(live):
        value = getattr(live, field.name)
        inner = f"{place}.{field.name}"
        if _is_event(field):
            if bool(held.get(field.name)) is not (value is not None):
                yield f"{inner}: {held.get(field.name)!r}, handler {value}"
        elif field.name not in held or (held[field.name] is None and value is not None):
            if not _taken_for_granted(live, field, value):
                yield f"{inner}: {held.get(field.name, 'nothing')!r} is not {value!r}"
        elif not (but(live) and any(_controls_in(value, None))):
            yield from differences(held[field.name], value, inner, but=but)
    known = {field.name for field in _sent_fields(live)}
    yield from (f"{place}.{name}: unknown" for name in held.keys() - known)


def _taken_for_granted(owner: Any, field: dataclasses.Field[Any], value: Any) -> bool:
    if value is None or value in ([], {}):
        return True
    if not isinstance(owner, BaseControl) and not hasattr(owner, "_values"):
        return False
    # A client takes what the first of the classes declares that has the field.
    declared = (getattr(base, "__dataclass_fields__", {}) for base in reversed(type(owner).__mro__))
    first = next(fields[field.name] for fields in declared if field.name in fields)
    return bool(first.default == value)


def _lists_differ(held: Any, live: Any, place: str, but: Any) -> Iterator[str]:
    if not isinstance(held, list) or len(held) != len(live):
        yield f"{place}: {shown(held)} is not {live!r}"
        return
    for at, (one, value) in enumerate(zip(held, live, strict=True)):
        yield from differences(one, value, f"{place}[{at}]", but=but)


def _dicts_differ(held: Any, live: Any, place: str, but: Any) -> Iterator[str]:
    wanted = {decoded(key): value for key, value in live.items()}
    if not isinstance(held, dict) or held.keys() != wanted.keys():
        yield f"{place}: {shown(held)} is not {live!r}"
        return
    for key, value in wanted.items():
        yield from differences(held[key], value, f"{place}[{key!r}]", but=but)


def _sent_fields(value: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(value) if not field.metadata.get("skip")]


def _is_event(field: dataclasses.Field[Any]) -> bool:
    return field.name.startswith("on_") and bool(field.metadata.get("event", True))


def shown(held: Any) -> str:
    """A client's value in few words."""
    if isinstance(held, list):
        return f"[{', '.join(map(shown, held))}]"
    if isinstance(held, dict) and "_i" in held:
        return f"{held.get('_c')} {held['_i']}"
    return repr(held)


def _name(control: Any) -> str:
    return f"{control._c} {control._i} {control.data}"
