"""Messages a client may send, checked before anything acts on them.

Actions and bodies follow `flet.messaging.protocol`. A body may hold keys that are not known
here: a newer client is not refused for saying more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from flet.messaging.protocol import MessageAction

from ..errors import PeerError
from .codes import CloseCode
from .unpacking import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "CallReply",
    "ClientMessage",
    "ControlEvent",
    "PropertyUpdate",
    "Register",
    "decode_message",
]


@dataclass(frozen=True, slots=True)
class Register:
    """The client asks for a session: a new one, or the one it had."""

    session_id: str | None
    page_name: str
    page: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ControlEvent:
    """Something happened to a control. `name` has no `on_` prefix."""

    target: int
    name: str
    data: Any


@dataclass(frozen=True, slots=True)
class PropertyUpdate:
    """The user changed properties of a control, such as the text of a field."""

    control_id: int
    props: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallReply:
    """The outcome of a method the server called on the client. Exactly one part is set."""

    control_id: int
    call_id: str
    result: Any
    error: str | None


ClientMessage: TypeAlias = Register | ControlEvent | PropertyUpdate | CallReply


def decode_message(
    body: bytes, *, items: int | None = None, depth: int | None = None
) -> ClientMessage:
    """Decode the body of a message packet.

    Args:
        body: Of any content.
        items: See `Limits.message_items`.
        depth: See `Limits.message_depth`.

    Raises:
        PeerError: The bytes are not MessagePack, or hold more than they may, the action is
            unknown, or the body has the wrong shape.
    """
    action, fields = _unpack(body, items, depth)
    decode = _DECODERS.get(action)
    if decode is None:
        raise PeerError(CloseCode.PROTOCOL_ERROR, f"unknown or unexpected action {action}")
    if not isinstance(fields, dict):
        raise _wrong("the body", "a map")
    return decode(fields)


def _unpack(body: bytes, items: int | None, depth: int | None) -> tuple[int, Any]:
    message = unpack(body, items=items, depth=depth)
    if not isinstance(message, list) or len(message) != 2 or type(message[0]) is not int:
        raise _wrong("a message", "[action, body]")
    return message[0], message[1]


def _register(fields: Mapping[str, Any]) -> Register:
    page = _field(fields, "page", dict)
    _field(page, "window", dict, None)
    return Register(
        session_id=_field(fields, "session_id", str, None),
        page_name=_field(fields, "page_name", str, ""),
        page=page,
    )


def _control_event(fields: Mapping[str, Any]) -> ControlEvent:
    name = _field(fields, "name", str)
    if not name.isidentifier():
        raise _wrong("name", "the name of an event")
    return ControlEvent(
        target=_field(fields, "target", int),
        name=name,
        data=fields.get("data"),
    )


def _property_update(fields: Mapping[str, Any]) -> PropertyUpdate:
    return PropertyUpdate(
        control_id=_field(fields, "id", int),
        props=_field(fields, "props", dict),
    )


def _call_reply(fields: Mapping[str, Any]) -> CallReply:
    return CallReply(
        control_id=_field(fields, "control_id", int),
        call_id=_field(fields, "call_id", str),
        result=fields.get("result"),
        error=_field(fields, "error", str, None),
    )


_DECODERS: dict[int, Callable[[Mapping[str, Any]], ClientMessage]] = {
    MessageAction.REGISTER_CLIENT.value: _register,
    MessageAction.CONTROL_EVENT.value: _control_event,
    MessageAction.UPDATE_CONTROL_PROPS.value: _property_update,
    MessageAction.INVOKE_METHOD.value: _call_reply,
}

_REQUIRED = object()


def _field(fields: Mapping[str, Any], name: str, kind: type, default: Any = _REQUIRED) -> Any:
    value = fields.get(name)
    if value is None and default is not _REQUIRED:
        return default
    # A bool is an int to isinstance, but no client sends one where an id belongs.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _wrong(name, kind.__name__)
    return value


def _wrong(what: str, expected: str) -> PeerError:
    return PeerError(CloseCode.INVALID_PAYLOAD, f"{what} is not {expected}")
