"""What one client shows: the page, the index of its controls, and the frames that keep it so.

Updates may come from any thread. One lock covers diff, encoding and enqueueing, so that frames
leave in the order in which they were worked out; it is never held across an await. Hooks that
run user code after a patch, `did_mount` and `will_unmount`, run outside it.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
from contextlib import suppress
from threading import RLock
from typing import TYPE_CHECKING, Any

from flet.components.public_utils import unwrap_component
from flet.controls.base_control import BaseControl
from flet.controls.core.view import View
from flet.controls.id_counter import ControlId
from flet.controls.material.progress_ring import ProgressRing
from flet.messaging.protocol import (
    MessageAction,
    SessionCrashedBody,
)

from ..errors import OutboxFull
from ..limits.overruns import count_overrun
from ..render import (
    Patch,
    by_flet,
    encode_message,
    encode_page,
    encode_with_lists,
    make_renderer,
    mark_frame,
    mark_operations,
    may_repeat,
    pack,
    pack_page,
    patch_frame,
    replaced_properties,
    root_at_page,
)
from .arrears import Arrears
from .crossing import Said
from .events import ControlIndex
from .journal import APPLIED, BEGUN, Journal, Position
from .props import drawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..render import RendererName
    from ..wire.tokens import ResumeToken
    from .crossing import Changes, Replaced
    from .page import Page

__all__ = ["NO_CONTROL", "PING", "Screen", "Welcome", "call_frame"]

logger = logging.getLogger(__name__)

NO_CONTROL = 0
"""An id that no control has: a call to it is answered at once, with an error, by every client."""

PING = "ping"
"""The id of a call that only asks for a sign of life."""

_NO_CHANGE = Patch(0)
_ROOT = 0
_UNUSED_IDS = 1 << 30
_NOT_THE_APPS = frozenset(
    (
        "client_ip",
        "client_user_agent",
        "debug",
        "height",
        "media",
        "multi_view",
        "platform",
        "platform_brightness",
        "pwa",
        "pyodide",
        "route",
        "test",
        "views",
        "wasm",
        "web",
        "width",
        "window",
    )
)
"""Properties of the page that the client itself reports, or that are sent on their own."""
_PARTS = ("_dialogs", "_overlay")
_NO_PARTS = dict.fromkeys(_PARTS)
_CLIENTS_OWN = _NOT_THE_APPS - {"views", "window"}


@dataclasses.dataclass(frozen=True, slots=True)
class Welcome:
    """What answers a registration.

    Attributes:
        frames: To be sent at once, in this order.
        stand_in: The id of the throw-away view that a live page shows meanwhile, or None.
            When the client has built it, `then` follows.
        then: The true views, for a live page.
        top: The id of the view on top of them, or None. Every other frame waits until the
            client has built it.
        replaced: The properties that the frames set anew in a page that stays as it is; what
            the user changed in the same places meanwhile is still to come.
        said: What the user changed before, without having got those frames.
        in_place: Whether the client keeps the page that it shows.
        foreign: Whether what it shows until it has built the stand-in was not drawn here.
    """

    frames: list[bytes]
    stand_in: int | None = None
    then: list[bytes] = dataclasses.field(default_factory=list)
    top: int | None = None
    replaced: Replaced = dataclasses.field(default_factory=dict)
    said: Changes = dataclasses.field(default_factory=dict)
    in_place: bool = False
    foreign: bool = False


class Screen:
    """Draws one page for its client."""

    __slots__ = (
        "_arrears",
        "_cover",
        "_drawn",
        "_lock",
        "_renderer",
        "_said",
        "_send",
        "index",
        "journal",
        "page",
    )

    def __init__(
        self,
        page: Page,
        send: Callable[[list[bytes]], None],
        *,
        renderer: RendererName = "tracked",
        journal_bytes: int | None,
    ) -> None:
        self.page = page
        self.index = ControlIndex({page._i: page})
        self._renderer = make_renderer(renderer, page, self.index)
        self.journal = Journal(journal_bytes)
        self._send = send
        self._lock = RLock()
        # Services register while the page is drawn, and draw themselves when they register:
        # two locks would be taken in both orders, by the loop and by a thread.
        page._services._lock = self._lock  # type: ignore[assignment]
        self._drawn = False
        self._said = Said()
        self._arrears: Arrears | None = None
        self._cover: bytes | None = None

    def patch(
        self,
        control: Any,
        previous: Any,
        *,
        parent: BaseControl | None = None,
        path: list[Any] | None = None,
        frozen: bool = False,
    ) -> None:
        """Send what changed in a subtree, and mount and unmount controls accordingly.

        A change that cannot be drawn raises and leaves the index as it was. Before the page
        was first drawn there is nothing to change.
        """
        drawn: list[Patch] = []
        try:
            with self._lock:
                if not self._drawn:
                    return
                # Before the change is looked at: what is kept back begins with it, and flet puts
                # a component that was drawn into the page only afterwards.
                drawn += self._fall_behind_if_full()
                if control is previous and parent is None:
                    self._update(control, drawn)
                else:
                    patch = self._renderer.reconcile(
                        control, previous, parent=parent, path=path or [], frozen=frozen
                    )
                    self._apply(patch)
                    drawn.append(patch)
        finally:
            _run_hooks(*drawn)

    @property
    def may_catch_up(self) -> bool:
        """Whether something was kept back, and the client has taken most of what was sent."""
        return self._arrears is not None and self.journal.half_empty

    def catch_up(self) -> None:
        """Send what was kept back, if anything was, as one update."""
        with self._lock:
            if self._arrears is None:
                return
            frames, patch = self._settle(self._arrears)
            self._dispatch(frames)
        _run_hooks(patch)

    def heard(self, control_id: int, props: dict[str, Any]) -> None:
        """The client says that it has these values: they need not be sent to it."""
        with self._lock:
            control = self.index.get(control_id)
            # What it says of the page, such as its width, is never sent.
            if control is None or control is self.page or self.journal.empty:
                return
            props = drawn(control, props)
            self._said.note(control_id, props, self.journal.number)
            if self._arrears is not None:
                self._arrears.heard(control_id, props)

    def ask_receipt(self) -> None:
        """Ask the client what it has, so that it need not be kept any more."""
        with self._lock:
            receipt = self.journal.ask()
            if receipt is not None:
                self._send([call_frame(NO_CONTROL, receipt)])

    def make_room(self) -> None:
        """Have the client know of all controls, before one of them is called.

        Raises:
            OutboxFull: The client has not confirmed what it was sent for too long.
        """
        if self._arrears is None:
            return
        if self.journal.overfull is not None:
            raise OutboxFull(*self.journal.overfull, "journal_bytes")
        self.catch_up()

    def confirm(self, receipt: str) -> bool:
        """The client has answered for a receipt. Return False when it is none."""
        with self._lock:
            confirmed = self.journal.confirm(receipt)
            if self.journal.empty:
                self._said.forget()
            return confirmed

    def set_again(self, control_id: int, props: dict[str, Any]) -> None:
        """Set properties that the client has another value for, as long as they still hold."""
        with self._lock:
            control = self.index.get(control_id)
            operations = [
                [0, 0, name, value]
                for name, value in props.items()
                if getattr(control, name, None) == value
            ]
            if operations:
                self.heard(control_id, props)
                self._dispatch(self._journalled(control_id, [[0], *operations]))

    def cover(self, message: str) -> None:
        """Cover the page with an error message."""
        frame = encode_message(MessageAction.SESSION_CRASHED, SessionCrashedBody(message))
        with self._lock:
            drawn = self._fall_behind_if_full()
            if self._arrears is not None:
                self._cover = frame  # the last one is enough
            else:
                self._dispatch(self._journalled_cover(frame))
        _run_hooks(*drawn)

    def welcome(
        self,
        token: ResumeToken,
        greet: Callable[[Welcome], None],
        *,
        position: Position,
        shown: str | None = None,
        error: str = "",
    ) -> None:
        """Bring the client that registers up to date: hand what it takes to `greet`.

        `greet` runs before any other change can be drawn: what it sends comes first.

        A client that shows this drawing gets the updates that it missed, before the reply, and
        nothing else changes on its screen. One that shows another page would compare the new
        page with the one in place, find the same controls, and not draw their later changes:
        its views are first replaced by a throw-away one. Any other client gets the whole page.
        """
        with self._lock:
            missed = self.journal.missed(position) if self._drawn else None
            if missed is not None:
                said = self._said.without(position.applied)
                patch = self._resume(missed, said, token, greet, error)
            else:
                patch = self._begin(token, greet, position=position, shown=shown, error=error)
        _run_hooks(patch)

    def _resume(
        self,
        missed: list[bytes],
        said: Changes,
        token: ResumeToken,
        greet: Callable[[Welcome], None],
        error: str,
    ) -> Patch:
        patch = _NO_CHANGE
        if self._arrears is not None:
            more, patch = self._settle(self._arrears)
            missed += more
        frames = self._with_receipt([*missed, _resumed(token.value, error)])
        replaced = replaced_properties(missed)
        greet(Welcome(frames, replaced=replaced, said=said, in_place=True))
        return patch

    def _begin(
        self,
        token: ResumeToken,
        greet: Callable[[Welcome], None],
        *,
        position: Position,
        shown: str | None,
        error: str,
    ) -> Patch:
        known = self._drawn
        if known:
            patch = self._redraw()
        else:
            patch = self._renderer.draw()
            self._drawn = True
            self._reindex(patch)
        live = position.live
        if live:
            self._rename_dialogs()
        encode = self._renderer.as_sent if known else self._renderer.first_time
        fields = encode_page(self.page, encode, **self.journal.begin())
        self._said.forget()
        self._arrears = self._cover = None
        reply = {"session_id": token.renew(shown), "page_patch": fields, "error": error}
        if live:
            greet(self._refresh(reply, encode, known=known))
        else:
            greet(Welcome([_reply_frame(reply, encode)]))
        return patch

    def fields(self) -> dict[str, Any]:
        """The page as a client that registers is sent it."""
        with self._lock:
            encode = self._renderer.as_sent if self._drawn else self._renderer.first_time
            return encode_page(self.page, encode)

    # --- updates ------------------------------------------------------------------------------

    def _update(self, control: BaseControl, drawn: list[Patch]) -> None:
        """Draw what was changed, and add it to `drawn`.

        A change that cannot be packed keeps back no other: the rest is drawn, then it raises.
        """
        patch = self._renderer.update(control)
        try:
            self._apply(patch)
        except Exception:
            for part in self._renderer.update_apart(patch.changed):
                with suppress(Exception):  # it is raised below
                    self._apply(part)
                    drawn.append(part)
            raise
        drawn.append(patch)

    def _apply(self, patch: Patch) -> None:
        frames = self._packed(patch)
        # First the index: a client is quick to speak of a control that it was sent.
        self._reindex(patch)
        if frames:
            self._dispatch(frames)

    def _packed(self, patch: Patch) -> list[bytes]:
        encode = self._renderer.first_time
        frames: list[bytes] = []
        try:
            if patch and self._arrears is None:
                frames = self._journalled(patch.root, patch.operations, encode)
            elif patch:
                # Packing it notes what is compared with next; what changed is sent later.
                patch_frame(patch.root, patch.operations, encode)
        except BaseException:
            patch.undo()
            raise
        patch.keep()
        return frames

    def _dispatch(self, frames: list[bytes]) -> None:
        self._send(self._with_receipt(frames))

    def _with_receipt(self, frames: list[bytes]) -> list[bytes]:
        # What is kept back waits for the receipt of the very last update.
        receipt = self.journal.due() if self._arrears is None else self.journal.ask()
        return [*frames, call_frame(NO_CONTROL, receipt)] if receipt is not None else frames

    def _fall_behind_if_full(self) -> list[Patch]:
        """Keep updates back from now on, if too many lack a receipt. Return what that drew.

        All that the page holds is drawn first, also what the app has not asked for yet: what the
        client has must be known exactly.
        """
        if not self.journal.full or self._arrears is not None:
            return []
        try:
            drawn: list[Patch] = []
            self._update(self.page, drawn)
            self._arrears = Arrears(self._pack_page())
            count_overrun("journal_bytes")
        except Exception:
            # Supervised: it is the fault of a control that whoever updates has not touched.
            logger.warning("a page cannot be drawn; its client gets it anew", exc_info=True)
            self.journal.begin()
            return []
        self.ask_receipt()
        return drawn

    def _settle(self, arrears: Arrears) -> tuple[list[bytes], Patch]:
        """One update that carries all that was kept back."""
        patch = self._redraw()
        page = self._pack_page()
        operations = arrears.operations(page)
        frames = self._journalled(self.page._i, operations) if len(operations) > 1 else []
        if self._cover is not None:
            frames += self._journalled_cover(self._cover)
            self._cover = None
        self._arrears = Arrears(page) if self.journal.full else None
        return frames, patch

    def _redraw(self) -> Patch:
        """Draw all changes there are, for what is sent as part of something else."""
        patch = self._renderer.update(self.page)
        try:
            patch_frame(patch.root, patch.operations, self._renderer.first_time)
        except BaseException:
            patch.undo()
            raise
        patch.keep()
        self._reindex(patch)
        return patch

    def _pack_page(self) -> bytes:
        return pack_page(self.page, self._renderer.as_sent, without=_CLIENTS_OWN)

    def _journalled_cover(self, cover: bytes) -> list[bytes]:
        frames = [cover, mark_frame(APPLIED, self.journal.next())]
        self.journal.keep(frames)
        return frames

    def _journalled(
        self, root: int, operations: list[Any], encode: Callable[[Any], Any] = by_flet
    ) -> list[bytes]:
        """Pack an update so that the client can tell that it has applied it."""
        number = self.journal.next()
        if self._goes_unmarked(root, operations):
            frames = [patch_frame(root, operations, encode)]
        else:
            self.journal.marked()
            frames = self._marked(number, root, operations, encode)
        self.journal.keep(frames)
        return frames

    def _goes_unmarked(self, root: int, operations: list[Any]) -> bool:
        # What users change themselves is not given to them again where that can be helped: it
        # would take the cursor from them.
        return (
            root != self.page._i
            and may_repeat(operations)
            and not hasattr(self.index.get(root), "on_change")
            and self.journal.leave_unmarked()
        )

    def _marked(
        self, number: int, root: int, operations: list[Any], encode: Callable[[Any], Any]
    ) -> list[bytes]:
        if (name := self._place_in_page(root)) is not None:
            root, operations = self.page._i, root_at_page(operations, name)
        if root == self.page._i:
            mark_operations(operations, number)
            return [patch_frame(root, operations, encode)]
        frames = [patch_frame(root, operations, encode), mark_frame(APPLIED, number)]
        return frames if may_repeat(operations) else [mark_frame(BEGUN, number), *frames]

    def _place_in_page(self, root: int) -> str | None:
        # Dialogs come and go through a control of their own. What is said of it as of the page
        # carries its mark, and so is never half done.
        return next((name for name in _PARTS if getattr(self.page, name)._i == root), None)

    def _refresh(
        self, reply: dict[str, Any], encode: Callable[[Any], Any], *, known: bool
    ) -> Welcome:
        fields = reply["page_patch"]
        # Dialogs and overlays belong to the view on top. Those of the stand-in would be closed
        # with it, or stay on the screen for ever, as only the view that opened one closes it.
        upper = {name: fields.pop(name, None) for name in (*_PARTS, "views")}
        # The client merges the reply with what it shows: what is not in it would stay.
        properties = {name: fields.pop(name, None) for name in _property_names(type(self.page))}
        for name, value in fields.items():
            if isinstance(value, BaseControl):
                fields[name] = encode_with_lists(value, encode)
        true = self._views()
        stand_in = _stand_in(self._stand_in_route(true, known=known))
        frames = [
            patch_frame(
                self.page._i,
                _replace(**properties, **_NO_PARTS, views=[by_flet(stand_in)]),
                encode,
            ),
            _reply_frame(reply, encode),
        ]
        then = self._journalled(self.page._i, _replace(**upper), encode)
        # A client that goes away before it shows them has to begin anew: who knows whether it
        # has built the stand-in.
        self.journal.settle()
        top = true[-1]._i if true else None
        return Welcome(frames, stand_in._i, then, top, foreign=not known)

    def _rename_dialogs(self) -> None:
        """Give open dialogs ids that the client has not seen.

        Those that it shows close with its old views, and it says so, some time later. That must
        not close the ones that it is given now.
        """
        for dialog in self.page._dialogs.controls:
            if getattr(dialog, "open", False):
                before = dialog._i
                self.index.pop(before, None)
                dialog._i = ControlId.next()
                self.index[dialog._i] = dialog
                self._renderer.renamed(dialog, before)

    def _views(self) -> list[View]:
        views = unwrap_component(self.page.views)
        return [views] if isinstance(views, View) else [unwrap_component(one) for one in views]

    def _stand_in_route(self, views: list[View], *, known: bool) -> str:
        # The same route as the view below it keeps the client from sliding one page over the
        # other; under an open dialog only another route makes it take the view at all. Dialogs
        # are the page's until the client says that they are closed; what else the client may
        # show of a page that was not drawn here, nobody knows.
        route = (views[0].route if views else None) or "/"
        return f"{route}~" if self.page._dialogs.controls or not known else route

    def _reindex(self, patch: Patch) -> None:
        if not patch.added and not patch.removed:
            return
        for control in patch.removed:
            self.index.pop(control._i, None)
        for control in patch.added:
            self.index[control._i] = control
        self.index.complete = False


def _stand_in(route: str) -> View:
    view = View(route=route, controls=[ProgressRing()])
    # Ids that the client's page has never held, also when an earlier process made it: the
    # counter began anew with this one. 31 bits, as JavaScript clients read no 64-bit numbers.
    view._i = _UNUSED_IDS + 2 * secrets.randbelow(_UNUSED_IDS // 2)
    view.controls[0]._i = view._i + 1
    return view


def _run_hooks(*patches: Patch) -> None:
    """Tell controls that they were mounted or unmounted.

    One that raises keeps no other from being told; the first failure is raised at the end.
    """
    failures: list[Exception] = []
    for hook in [hook for patch in patches for hook in _hooks(patch)]:
        try:
            hook()
        except Exception as error:
            failures.append(error)
    for failure in failures[1:]:
        logger.error("%s", failure, exc_info=failure)
    if failures:
        raise failures[0]


def _hooks(patch: Patch) -> list[Callable[[], None]]:
    if not patch.added and not patch.removed:
        return []
    # A control that moved was removed and added: it stays mounted.
    added = {control._i for control in patch.added}
    removed = {control._i for control in patch.removed}
    gone: list[Callable[[], None]] = [c.will_unmount for c in patch.removed if c._i not in added]
    return gone + [c.did_mount for c in patch.added if c._i not in removed]


def _resumed(token: str, error: str) -> bytes:
    reply = {"session_id": token, "page_patch": {}, "error": error}
    return encode_message(MessageAction.REGISTER_CLIENT, reply)


def call_frame(control_id: int, call_id: str, **request: int) -> bytes:
    """Pack a call of a method that no control has: what counts is that it is answered."""
    call = {"control_id": control_id, "call_id": call_id, "name": "ready", **request}
    return encode_message(MessageAction.INVOKE_METHOD, call)


def _reply_frame(reply: dict[str, Any], encode: Callable[[Any], Any]) -> bytes:
    return pack(MessageAction.REGISTER_CLIENT, reply, encode)


def _replace(**properties: Any) -> list[Any]:
    return [[_ROOT], *([0, _ROOT, name, value] for name, value in properties.items())]


def _property_names(page_class: type[Page]) -> list[str]:
    return [
        field.name
        for field in dataclasses.fields(page_class)
        if not field.name.startswith("_")
        and not field.metadata.get("skip")
        and field.name not in _NOT_THE_APPS
    ]
