"""A client without a screen, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import msgpack
from flet.controls.base_control import BaseControl
from flet.messaging.protocol import (
    MessageAction,
    configure_encode_object_for_msgpack,
    decode_ext_from_msgpack,
)

from ..errors import TransportClosed
from ..wire.packets import DataPacket, data_packet, decode_packet, message_packet
from .model import Node, PageModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskStatus

    from .memory import MemoryTransport

__all__ = ["CallFailed", "Client"]

_encode = configure_encode_object_for_msgpack(BaseControl)
_VIEWPORT: dict[str, Any] = {
    "route": "/",
    "pwa": False,
    "web": True,
    "debug": False,
    "wasm": True,
    "test": False,
    "multi_view": False,
    "pyodide": False,
    "platform_brightness": "light",
    "width": 1000.0,
    "height": 900.0,
    "platform": "linux",
    "media": {
        "padding": {"top": 0.0, "right": 0.0, "bottom": 0.0, "left": 0.0},
        "view_padding": {"top": 0.0, "right": 0.0, "bottom": 0.0, "left": 0.0},
        "view_insets": {"top": 0.0, "right": 0.0, "bottom": 0.0, "left": 0.0},
        "device_pixel_ratio": 1.0,
        "orientation": "landscape",
        "always_use_24_hour_format": False,
    },
}


class CallFailed(Exception):  # noqa: N818 - named for what the client tells the server
    """Raised in a function that answers a call, to answer with an error."""


class Client:
    """One tab of a browser: it registers, shows the page, and acts as a user would.

    Made by `InProcess.connect`. What the server calls is answered with None; `answers` holds
    functions for calls that are to be answered otherwise, by method name. They are given the
    call's arguments and may raise `CallFailed`. A `silent` client answers nothing by itself.

    Waiting methods raise TimeoutError after `patience` seconds.
    """

    def __init__(self, transport: MemoryTransport, *, patience: float = 10) -> None:
        self.transport = transport
        self.page = PageModel()
        self.patience = patience
        self.silent = False
        self.session_id: str | None = None
        self.errors: list[str] = []
        self.calls: list[dict[str, Any]] = []
        self.answers: dict[str, Callable[..., Any]] = {}
        self.data: list[tuple[int, bytes]] = []
        self.received: list[tuple[int, Any]] = []
        self.frames: list[bytes] = []
        self.registered = False
        self.closed = False
        self._frames_left: int | None = None
        self._changed = anyio.Event()

    # --- looking ------------------------------------------------------------------------------

    @property
    def texts(self) -> list[str]:
        """All texts on the page, in order."""
        return [text for node in self.page.nodes() for text in node.texts]

    def find(self, text: str | None = None, *, key: Any = None, type: str | None = None) -> Node:
        """Return the first control that shows `text`, has `key` and is of `type`.

        Raises:
            LookupError: There is none.
        """
        for node in self.page.nodes():
            if (
                (text is None or text in node.texts)
                and (key is None or node.get("key") == key)
                and (type is None or node.type == type)
            ):
                return node
        wanted = ", ".join(str(part) for part in (text, key, type) if part is not None)
        raise LookupError(f"no control {wanted!r} on a page with {self.texts}")

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something the server sends makes `condition()` true."""
        with anyio.fail_after(self.patience):
            while not condition():
                await self._changed.wait()

    async def see(self, *texts: str) -> None:
        """Wait until all these texts are on the page."""
        try:
            await self.until(lambda: set(texts) <= set(self.texts))
        except TimeoutError:
            raise TimeoutError(f"{texts} did not appear; the page shows {self.texts}") from None

    async def see_no(self, text: str) -> None:
        """Wait until this text is not on the page."""
        await self.until(lambda: text not in self.texts)

    # --- acting -------------------------------------------------------------------------------

    def fire(self, control: Node | int | str, event: str, data: Any = None) -> None:
        """Send an event of a control, which may be given by its text."""
        body = {"target": self._id(control), "name": event, "data": data}
        self.send(MessageAction.CONTROL_EVENT, body)

    def set(self, control: Node | int | str, **props: Any) -> None:
        """Send properties that the user changed."""
        control_id = self._id(control)
        node = self.page.by_id(control_id)
        if node is not None:
            node.fields.update(props)
        self.send(MessageAction.UPDATE_CONTROL_PROPS, {"id": control_id, "props": props})

    async def click(self, control: Node | int | str) -> None:
        """Click a control, when it is there."""
        if isinstance(control, str):
            await self.see(control)
        self.fire(control, "click")

    def type(self, field: Node | int | str, text: str) -> None:
        """Type a text into an empty field, key by key."""
        control_id = self._id(field)
        for end in range(1, len(text) + 1):
            self.set(control_id, value=text[:end])
            self.fire(control_id, "change", text[:end])

    def go(self, route: str) -> None:
        """Go to a route, as the browser's address line does."""
        self.set(1, route=route)
        self.fire(1, "route_change", {"route": route})

    def send(self, action: MessageAction, body: Any) -> None:
        """Send a message, whether or not it makes sense."""
        packed = msgpack.packb([action.value, body], default=_encode)
        self.transport.client_send(message_packet(packed))

    def send_data(self, channel_id: int, payload: bytes) -> None:
        """Send bytes on a data channel."""
        self.transport.client_send(data_packet(channel_id, payload))

    def reply(self, call: dict[str, Any], result: Any = None, *, error: str | None = None) -> None:
        """Answer a call of the server, one of `calls`."""
        names = ("control_id", "call_id")
        body = {name: call[name] for name in names} | {"result": result, "error": error}
        self.send(MessageAction.INVOKE_METHOD, body)

    async def read_one(self) -> None:
        """Take the next frame. For a client that was connected with `frames=0`."""
        self._take(await self.transport.client_receive())

    def drop_after(self, frames: int) -> None:
        """Lose the connection when so many more frames were taken; the rest never arrives."""
        self._frames_left = frames
        if frames == 0:
            self.drop()

    def drop(self) -> None:
        """Lose the connection."""
        self.transport.drop()

    # --- inside -------------------------------------------------------------------------------

    def register(self, **page: Any) -> None:
        """Send the registration that opens a connection."""
        body = {
            "session_id": self.session_id,
            "page_name": self.transport.info.page_name,
            "page": {**_VIEWPORT, "window": self.page.window, **page},
        }
        self.registered = False
        self.send(MessageAction.REGISTER_CLIENT, body)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Take what the server sends, until the connection is over."""
        task_status.started()
        try:
            while self._frames_left != 0:
                self._take(await self.transport.client_receive())
                if self._frames_left is not None:
                    self._frames_left -= 1
            self.drop()
            raise TransportClosed
        except TransportClosed:
            self.closed = True
            self._notify()

    def _take(self, frame: bytes) -> None:
        self.frames.append(frame)
        packet = decode_packet(frame)
        if isinstance(packet, DataPacket):
            self.data.append((packet.channel_id, packet.payload))
        else:
            action, body = msgpack.unpackb(
                packet.body, ext_hook=decode_ext_from_msgpack, strict_map_key=False
            )
            self.received.append((action, body))
            self._act(MessageAction(action), body)
        self._notify()

    def _act(self, action: MessageAction, body: dict[str, Any]) -> None:
        match action:
            case MessageAction.REGISTER_CLIENT:
                self.session_id = body["session_id"]
                self.page.merge(body["page_patch"])
                self.registered = True
            case MessageAction.PATCH_CONTROL:
                self.page.apply(body["id"], body["patch"])
            case MessageAction.INVOKE_METHOD:
                self._answer(body)
            case MessageAction.SESSION_CRASHED:
                self.errors.append(body["message"])

    def _answer(self, call: dict[str, Any]) -> None:
        self.calls.append(call)
        if self.silent:
            return
        answer = self.answers.get(call["name"])
        if answer is None and self.page.by_id(call["control_id"]) is None:
            error = f"Calling {call['name']} method of inexistent control: {call['control_id']}"
            self.reply(call, error=error)
            return
        try:
            result = answer(**(call.get("args") or {})) if answer is not None else None
        except CallFailed as error:
            self.reply(call, error=str(error))
            return
        self.reply(call, result)

    def _id(self, control: Node | int | str) -> int:
        if isinstance(control, str):
            control = self.find(control)
        return control if isinstance(control, int) else control.id

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
