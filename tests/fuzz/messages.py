"""Packets and messages of a client: recorded and genuine ones, and what may become of them."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack
from flet.messaging.protocol import MessageAction

from flet_anyio.errors import PeerError
from flet_anyio.testing import PageModel
from flet_anyio.wire.messages import Register, decode_message
from flet_anyio.wire.packets import DataPacket, data_packet, decode_packet, message_packet

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["Tab", "early_packet", "genuine", "odd_packet", "packed", "registration"]

_EVENT = MessageAction.CONTROL_EVENT.value
_PROPS = MessageAction.UPDATE_CONTROL_PROPS.value
_CALL = MessageAction.INVOKE_METHOD.value
_REGISTER = MessageAction.REGISTER_CLIENT.value
_LARGEST = 8000
"""Bytes of a value that is pasted in."""


def _recorded() -> list[Any]:
    """What upstream's client was recorded to send, without the registration."""
    path = Path(__file__).parents[1] / "wire" / "vectors.json"
    frames = json.loads(path.read_text(encoding="utf-8"))["frames"]
    sent = [bytes.fromhex(f["hex"]) for f in frames if f["direction"] == "client"]
    return [msgpack.unpackb(packet[1:], strict_map_key=False) for packet in sent[1:]]


_RECORDED = _recorded()


class Tab:
    """What one tab knows: its page and its token."""

    def __init__(self) -> None:
        self.page = PageModel()
        self.token: str | None = None
        self.upload = "/upload"
        self._ids: dict[str, int] = {}

    def learn(self) -> bool:
        """Look for the app's controls. Return whether they are there."""
        nodes = list(self.page.nodes())
        self._ids = {str(node.get("key") or node.get("content")): node.id for node in nodes}
        shown = [node["value"] for node in nodes if node.get("key") == "upload"]
        self.upload = shown[0] if shown else self.upload
        return bool(shown)

    def take(self, action: MessageAction, body: Any) -> Any:
        """Show what the server sends. Return the answer to a call: there is no such method."""
        if action is MessageAction.REGISTER_CLIENT:
            self.token = body["session_id"]
            self.page.merge(body["page_patch"])
        elif action is MessageAction.PATCH_CONTROL:
            self.page.apply(body["id"], body["patch"])
        elif action is MessageAction.INVOKE_METHOD:
            known = {name: body[name] for name in ("control_id", "call_id")}
            return [_CALL, known | {"result": None, "error": "no such method"}]
        return None

    def value(self, name: str) -> Any:
        """What a control shows."""
        node = self.page.by_id(self.id(name))
        return None if node is None else node.get("value")

    def id(self, name: str) -> int:
        """The id of a control, or one that there is not."""
        return self._ids.get(name, 77_777)


def packed(message: Any) -> bytes:
    """A message as a packet."""
    return message_packet(msgpack.packb(message))


def registration(tab: Tab, *, reloaded: bool = False) -> Any:
    """The message that asks for the tab's session."""
    page: dict[str, Any] = {
        "route": "/",
        "web": True,
        "width": 1000,
        "height": 700.5,
        "platform": "linux",
    }
    window = {} if reloaded else tab.page.window
    return [
        _REGISTER,
        {"session_id": tab.token, "page_name": "", "page": page | {"window": window}},
    ]


# --- genuine messages ---------------------------------------------------------------------------


def genuine(rng: random.Random, tab: Tab) -> bytes:
    """A packet that a client might send at this point."""
    if rng.random() < 0.05:
        return data_packet(rng.choice([0, 1, 77]), rng.randbytes(rng.randint(0, 50)))
    return packed(_message(rng, tab))


def _message(rng: random.Random, tab: Tab) -> Any:
    if rng.random() < 0.3:
        return rng.choice(_RECORDED)
    return rng.choice(_MESSAGES)(rng, tab)


def _event(target: int, name: str, data: Any = None) -> Any:
    return [_EVENT, {"target": target, "name": name, "data": data}]


def _update(target: int, **props: Any) -> Any:
    return [_PROPS, {"id": target, "props": props}]


def _click(rng: random.Random, tab: Tab) -> Any:
    return _event(tab.id(rng.choice(["add", "add", "grow", "rename"])), "click")


def _call(rng: random.Random, tab: Tab) -> Any:
    return _event(tab.id("call"), "click")


def _reply(rng: random.Random, tab: Tab) -> Any:
    outcome = rng.choice([(None, None), ({"x": 1}, None), (None, "no such method")])
    body = {"control_id": tab.id("field"), "call_id": str(rng.randint(0, 5))}
    return [_CALL, body | {"result": outcome[0], "error": outcome[1]}]


def _typed(rng: random.Random, tab: Tab) -> Any:
    text = rng.choice(["", "h", "hé", "x" * 30])
    field = tab.id("field")
    return rng.choice([_update(field, value=text), _event(field, "change", text)])


def _ticked(rng: random.Random, tab: Tab) -> Any:
    value = rng.choice([True, False, None])
    box = tab.id("checkbox")
    return rng.choice([_update(box, value=value), _event(box, "change", value)])


def _slid(rng: random.Random, tab: Tab) -> Any:
    value = rng.choice([0, 1.5, 10])
    slider = tab.id("slider")
    return rng.choice([_update(slider, value=value), _event(slider, "change", value)])


def _chosen(rng: random.Random, tab: Tab) -> Any:
    value = rng.choice(["a", "b"])
    dropdown = tab.id("dropdown")
    return rng.choice([_update(dropdown, value=value), _event(dropdown, "select", value)])


def _moved(rng: random.Random, tab: Tab) -> Any:
    point = {"x": rng.random() * 100, "y": 3}
    taken = msgpack.ExtType(3, b"16000")
    data: dict[str, Any] = {
        "k": "mouse",
        "l": point,
        "g": point,
        "d": point,
        "ld": point,
        "gd": point,
    }
    data |= {"pd": 1.5, "ts": taken, "sd": point}
    return _event(tab.id("pad"), rng.choice(["tap_down", "pan_update", "scroll"]), data)


def _picked(rng: random.Random, tab: Tab) -> Any:
    day = msgpack.ExtType(1, b"2026-03-17T00:00:00.000+00:00")
    date = tab.id("date")
    return rng.choice([_update(date, value=day, open=False), _event(date, "change", day)])


def _went(rng: random.Random, tab: Tab) -> Any:
    route = rng.choice(["/", "/x", "/x/y?z=1"])
    return rng.choice([_update(1, route=route), _event(1, "route_change", {"route": route})])


def _resized(rng: random.Random, tab: Tab) -> Any:
    size = {"width": rng.randint(1, 2000), "height": 700.25}
    return rng.choice([_update(1, **size), _event(1, "resize", size)])


_MESSAGES: list[Callable[[random.Random, Tab], Any]] = [
    _click,
    _click,
    _call,
    _reply,
    _typed,
    _ticked,
    _slid,
    _chosen,
    _moved,
    _picked,
    _went,
    _resized,
]


# --- mutated ones -------------------------------------------------------------------------------


def odd_packet(rng: random.Random, tab: Tab, *, mild: bool) -> bytes:
    """A packet that came of a genuine one. A mild one does not end its connection, most likely."""
    for _ in range(4):
        packet = _mild(rng, tab) if mild else _wild(rng, tab)
        if not mild or not _refused(packet):
            return packet
    return genuine(rng, tab)


def early_packet(rng: random.Random, tab: Tab) -> bytes:
    """A first packet that is no registration, or an odd one."""
    if rng.random() < 0.3:
        return genuine(rng, tab)
    message = registration(tab, reloaded=rng.random() < 0.5)
    if tab.token is not None and rng.random() < 0.5:
        message[1]["session_id"] = _changed_text(rng, tab.token)
    if rng.random() < 0.5:
        known = message[1]["page"]
        known["window"] = {"e": _odd(rng), "n": _odd(rng), "m": _odd(rng)} | (
            tab.page.window if rng.random() < 0.5 else {}
        )
        return packed(message)
    return _wild_bytes(rng, _with_change(rng, message))


def _refused(packet: bytes) -> bool:
    """Whether the server is sure to end the connection for this."""
    try:
        frame = decode_packet(packet)
        return not isinstance(frame, DataPacket) and isinstance(
            decode_message(frame.body), Register
        )
    except PeerError:
        return True


def _mild(rng: random.Random, tab: Tab) -> bytes:
    """Wrong where a server passes over it: ids, names, calls and values of no type."""
    match rng.randrange(6):
        case 0:
            return packed(_event(_odd_id(rng, tab), _odd_name(rng), _odd(rng)))
        case 1:
            return packed(_update(_odd_id(rng, tab), **{f"x{rng.randint(0, 9)}": _odd(rng)}))
        case 2:
            body = {"control_id": _odd_id(rng, tab), "call_id": str(_odd_id(rng, tab))}
            return packed([_CALL, body | {"result": _odd(rng), "error": rng.choice([None, "no"])}])
        case 3:
            return data_packet(rng.getrandbits(32), rng.randbytes(rng.randint(0, 300)))
        case 4:
            buttons = ["add", "field", "checkbox", "slider", "dropdown"]
            names = ["click", "change", "submit", "select", "focus"]
            return packed(_event(tab.id(rng.choice(buttons)), rng.choice(names), _odd(rng)))
        case _:
            action, body = _message(rng, tab)
            return packed([action, body | {rng.choice(["new", "", "_x", "__class__"]): _odd(rng)}])


def _wild(rng: random.Random, tab: Tab) -> bytes:
    return _wild_bytes(rng, _with_change(rng, _message(rng, tab)))


def _odd_id(rng: random.Random, tab: Tab) -> int:
    known = [1, 2, 3, tab.id("add"), tab.id("rows")]
    return rng.choice([*known, 0, -1, 99_999, 1 << 31, (1 << 63) - 1, -(1 << 63), (1 << 64) - 1])


def _odd_name(rng: random.Random) -> str:
    names = [
        "click",
        "change",
        "resize",
        "x",
        "_trigger_event",
        "__init__",
        "update",
        "é",
        "a" * 300,
    ]
    return rng.choice(
        [*names, "a" * 300, "error", "close", "connect", "disconnect", "view_pop", "login"]
    )


def _odd(rng: random.Random) -> Any:
    """A value of any kind."""
    plain: list[Any] = [
        None,
        True,
        False,
        0,
        -1,
        1,
        1 << 31,
        (1 << 63) - 1,
        -(1 << 63),
        (1 << 64) - 1,
    ]
    plain += [math.nan, math.inf, -math.inf, 0.5, -0.0, 1e308, "", "x", "\0", "✓\U0001f600"]
    plain += ["light", "/", [], {}, b"", b"\xff\x00", [[]], {"": None}]
    match rng.randrange(10):
        case 0:
            return rng.choice(["x" * _LARGEST, b"\0" * _LARGEST, list(range(1000))])
        case 1:
            return _nested(rng.choice([5, 50, 200]))
        case 2:
            codes = [0, 1, 2, 3, 4, 5, 127]
            data = [b"", b"x", b"12:61", b"-1", b"9" * 30, b"nan", b"\xff", bytes(8), bytes(12)]
            return msgpack.ExtType(rng.choice(codes), rng.choice(data))
        case 3:
            keys = ["_c", "_i", "_parent", "control", "name", "data", "target", "x", "route", "k"]
            return {rng.choice(keys): rng.choice(plain) for _ in range(rng.randint(1, 6))}
        case _:
            return rng.choice(plain)


def _nested(depth: int) -> Any:
    value: Any = None
    for level in range(depth):
        value = [value] if level % 2 else {"x": value}
    return value


def _with_change(rng: random.Random, value: Any) -> Any:
    """The value with one part replaced, removed, renamed or put elsewhere."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        match rng.randrange(8):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {
                    (_changed_text(rng, str(k)) if k == key else k): v for k, v in value.items()
                }
            case _:
                return {k: (_with_change(rng, v) if k == key else v) for k, v in value.items()}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        match rng.randrange(8):
            case 0:
                return value[:place] + value[place + 1 :]
            case 1:
                return [*value, _odd(rng)]
            case _:
                return [_with_change(rng, v) if n == place else v for n, v in enumerate(value)]
    if isinstance(value, str) and rng.random() < 0.3:
        return _changed_text(rng, value)
    return _odd(rng)


def _changed_text(rng: random.Random, text: str) -> str:
    place = rng.randint(0, len(text))
    return rng.choice(
        [
            text[:place],
            text[:place] + rng.choice("aA0.:-_\0é ") + text[place + 1 :],
            text + text,
            text[::-1],
        ]
    )


# --- mutated bytes ------------------------------------------------------------------------------


def _wild_bytes(rng: random.Random, message: Any) -> bytes:
    body: bytes = msgpack.packb(message)
    if rng.random() < 0.5:
        return message_packet(body)
    return rng.choice(_BYTES)(rng, body)


def _truncated(rng: random.Random, body: bytes) -> bytes:
    return message_packet(body)[: rng.randint(0, len(body))]


def _flipped(rng: random.Random, body: bytes) -> bytes:
    packet = bytearray(message_packet(body))
    for _ in range(rng.randint(1, 4)):
        packet[rng.randrange(len(packet))] = rng.getrandbits(8)
    return bytes(packet)


def _pasted(rng: random.Random, body: bytes) -> bytes:
    places = sorted(rng.randint(0, len(body)) for _ in range(3))
    a, b, c = places
    return message_packet(body[:b] + body[a:c] + body[b:])


def _said_to_be_huge(rng: random.Random, body: bytes) -> bytes:
    heads = [b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9"]  # array, map, bytes, text, extension
    size = struct.pack(">I", rng.choice([0xFFFFFFFF, 0x7FFFFFFF, 1 << 24, 70_000]))
    return message_packet(b"\x92\x03\x81\xa4data" + rng.choice(heads) + size + body)


def _deep(rng: random.Random, body: bytes) -> bytes:
    depth = rng.choice([100, 510, 511, 512, 1000, 20_000])
    inside = rng.choice([b"\x91", b"\x81\xa0"]) * depth + b"\xc0"
    target = b"\x93\xa6target\x01\xa4name\xa5click\xa4data"
    return message_packet(b"\x92\x03\x83" + target[1:] + inside)


def _same_key_again(rng: random.Random, body: bytes) -> bytes:
    fields = b"\xa6target\x01\xa6target" + rng.choice([b"\xc0", b"\x02", b"\xa0"])
    fields += b"\xa4name\xa5click\xa4name" + rng.choice([b"\xc0", b"\xa6resize", b"\x90"])
    return message_packet(b"\x92\x03\x84" + fields)


def _odd_key(rng: random.Random, body: bytes) -> bytes:
    keys = [b"\xc0", b"\x01", b"\xcb" + bytes(8), b"\x90", b"\x80", b"\xc4\x01x", b"\xc7\x01\x01x"]
    # A text that is no UTF-8, and a float that is no number.
    keys += [b"\xa2\xff\xfe", b"\xcb\x7f\xf8" + bytes(6)]
    props = b"\x81" + rng.choice(keys) + rng.choice([b"\xc0", b"\xa1x"])
    return message_packet(b"\x92\x04\x82\xa2id\x01\xa5props" + props)


def _more_behind(rng: random.Random, body: bytes) -> bytes:
    return message_packet(body + rng.choice([b"\x00", body, b"\xc1"]))


def _another_packet(rng: random.Random, body: bytes) -> bytes:
    return bytes([rng.randint(1, 255)]) + rng.choice([b"", body[:3], body])


_BYTES: list[Callable[[random.Random, bytes], bytes]] = [
    _truncated,
    _flipped,
    _pasted,
    _said_to_be_huge,
    _deep,
    _same_key_again,
    _odd_key,
    _more_behind,
    _another_packet,
]
