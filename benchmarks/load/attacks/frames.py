"""Attacks by what is in the frames."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import msgpack

from benchmarks.websocket import frame
from benchmarks.wire import REPLY, event, message, property_update, registration

from .crowd import outcome, visits

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

    from benchmarks.wire import Client

    from .crowd import Target

__all__ = [
    "compressed_events",
    "compression_bombs",
    "nested_frames",
    "oversize_frames",
    "replayed_frames",
]

_MIB = 1024 * 1024
_SIZE = 20 * _MIB
_BOMB = 128 * _MIB
_JUST_WITHIN = 15 * _MIB
_DEEP = 100_000
_STILL_READ = 500
_COMPRESSED = 0xC0
_UNFINISHED = 0x00
_FLUSHED = b"\0\0\xff\xff"
_REPLAYS = 50


def oversize_frames(target: Target) -> Counter[str]:
    """Send messages of more than the server takes, in one frame or in many."""
    target.begin()

    def visit(number: int) -> str:
        client = target.client()
        with client.sock:
            for piece in _pieces(in_one=number % 2 == 0):
                try:
                    client.sock.sendall(piece)
                except TimeoutError:
                    raise
                except OSError:
                    break  # it has read enough
            return outcome(client)

    return visits(target, visit)


def _pieces(*, in_one: bool) -> Iterator[bytes]:
    block = bytes(_MIB // 4)
    if in_one:
        yield struct.pack("!BBQ", 0x82, 0x80 | 127, _SIZE) + bytes(4)
    for number in range(_SIZE // len(block)):
        yield block if in_one else frame(block, 0 if number else 2, bits=_UNFINISHED)


def nested_frames(target: Target) -> Counter[str]:
    """Send messages that are nested deeper than one can read, and just as deep as one can."""
    deepest = frame(b"\0" + b"\x91" * _DEEP + b"\xc0")
    deep: Any = None
    for _ in range(_STILL_READ):
        deep = {"x": [deep]} if deep is None else [deep]
    wide: Any = [{"value": [[]] * 10} for _ in range(1_000)]
    target.begin()

    def visit(number: int) -> str:
        client = target.client().ready()
        with client.sock:
            for value in (deep, wide):
                client.send(event(client.ids["plus"], "click", value))
            unfit = property_update(client.ids["field"], value=deep, data=wide)
            client.send(unfit if number % 2 else deepest)
            return outcome(client)

    return visits(target, visit)


def compression_bombs(target: Target) -> Counter[str]:
    """Send compressed messages that are far larger than the server takes."""
    bomb = frame(_deflated(bytes(_MIB), _BOMB // _MIB), bits=_COMPRESSED)
    return _thrown(target, lambda client: bomb, times=1)


def compressed_events(target: Target) -> Counter[str]:
    """Send compressed events with data that are just small enough to be taken."""
    data = _deflated(bytes(_JUST_WITHIN), 1)

    def make(client: Client) -> bytes:
        body = {"target": client.ids["plus"], "name": "click", "data": bytes(_JUST_WITHIN)}
        head = (b"\0" + msgpack.packb([3, body])).removesuffix(body["data"])
        return frame(_deflated(head, 1) + _FLUSHED + data, bits=_COMPRESSED)

    return _thrown(target, make, times=5)


def _thrown(target: Target, make: Callable[[Client], bytes], *, times: int) -> Counter[str]:
    target.begin()

    def visit(number: int) -> str:
        client = target.client(deflate=True).ready()
        with client.sock:
            if not client.deflates:
                return "not compressed: the server does not do it"
            data = make(client)
            for _ in range(times):
                client.send(data)
            if times == 1:
                return outcome(client)
            while client.shown != str(times):
                client.take()
            return f"{times} taken"

    return visits(target, visit)


def _deflated(data: bytes, times: int) -> bytes:
    """The payload of a compressed message (RFC 7692, section 7.2.1)."""
    deflate = zlib.compressobj(9, wbits=-15)
    parts = [deflate.compress(data) for _ in range(times)]
    return b"".join([*parts, deflate.flush(zlib.Z_SYNC_FLUSH)]).removesuffix(_FLUSHED)


def replayed_frames(target: Target) -> Counter[str]:
    """Say all again and again: clicks, values, answers to calls that nobody made, registration."""
    target.begin()

    def visit(number: int) -> str:
        client = target.client().ready()
        with client.sock:
            click = event(client.ids["plus"])
            value = property_update(client.ids["field"], value="again")
            client.send((click + value + _reply(client)) * _REPLAYS)
            client.send(registration("/attack", token=client.token))
            client.send(click * _REPLAYS)
            return outcome(client)

    return visits(target, visit)


def _reply(client: Client) -> bytes:
    ids = {"control_id": client.ids["field"], "call_id": "0"}
    return message(REPLY, {**ids, "result": None, "error": "no such call"})
