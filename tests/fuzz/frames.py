"""WebSocket frames of a client, as they should be and as no client sends them."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "carried",
    "compressed",
    "frame",
    "odd_frame",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_RESERVED = (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
_RSV1, _RSV2, _RSV3 = 0x40, 0x20, 0x10


def frame(
    opcode: int,
    payload: bytes,
    *,
    fin: bool = True,
    rsv: int = 0,
    key: bytes | None = b"\x01\x02\x03\x04",
    length: bytes | None = None,
) -> bytes:
    """One frame, masked by `key` unless that is None. `length` stands in for the true one."""
    first = opcode | rsv | (0x80 if fin else 0)
    size = _length(len(payload)) if length is None else length
    if key is None:
        return bytes([first]) + size + payload
    return bytes([first, size[0] | 0x80]) + size[1:] + key + _masked(payload, key)


def _length(size: int) -> bytes:
    if size < 126:
        return bytes([size])
    if size < 1 << 16:
        return b"\x7e" + struct.pack(">H", size)
    return b"\x7f" + struct.pack(">Q", size)


def _masked(payload: bytes, key: bytes) -> bytes:
    size = len(payload)
    keys = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")).to_bytes(size, "big")


def _deflated(payload: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    """As permessage-deflate has it, with no memory of messages before."""
    deflate = zlib.compressobj(wbits=-12)
    data = deflate.compress(payload) + deflate.flush(flush)
    return data[:-4] if flush == zlib.Z_SYNC_FLUSH else data


# --- good ones ----------------------------------------------------------------------------------


def carried(rng: random.Random, payload: bytes) -> bytes:
    """A message in frames that a server must put together."""
    return rng.choice(_GOOD)(rng, payload)


def _whole(rng: random.Random, payload: bytes) -> bytes:
    return frame(BINARY, payload, key=rng.randbytes(4))


def compressed(rng: random.Random, payload: bytes) -> bytes:
    """A message that a server must put together and inflate."""
    data = _deflated(payload)
    return frame(BINARY, data, rsv=_RSV1) if rng.random() < 0.5 else _in_fragments(rng, data, _RSV1)


def _in_fragments(rng: random.Random, payload: bytes, rsv: int = 0) -> bytes:
    places = sorted(rng.randint(0, len(payload)) for _ in range(rng.randint(1, 5)))
    parts = [payload[a:b] for a, b in zip([0, *places], [*places, len(payload)], strict=True)]
    sent = b""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        sent += frame(CONTINUATION if number else BINARY, part, fin=last, rsv=0 if number else rsv)
        if not last and rng.random() < 0.5:
            sent += frame(rng.choice([PING, PONG]), rng.randbytes(rng.choice([0, 1, 125])))
    return sent


def _with_pings(rng: random.Random, payload: bytes) -> bytes:
    pings = [frame(PING, rng.randbytes(rng.randint(0, 125))) for _ in range(rng.randint(1, 3))]
    return b"".join(pings) + frame(PONG, b"never asked for") + frame(BINARY, payload)


_GOOD: list[Callable[[random.Random, bytes], bytes]] = [_whole, _in_fragments, _with_pings]


# --- bad ones -----------------------------------------------------------------------------------


def odd_frame(rng: random.Random, payload: bytes) -> bytes:
    """Bytes at which a server must give up this connection, or wait for more."""
    return rng.choice(_ODD)(rng, payload)


def _reserved_opcode(rng: random.Random, payload: bytes) -> bytes:
    return frame(rng.choice(_RESERVED), payload[:125], fin=rng.random() < 0.8)


def _reserved_bits(rng: random.Random, payload: bytes) -> bytes:
    bits = rng.choice([_RSV1, _RSV2, _RSV3, _RSV1 | _RSV2, _RSV1 | _RSV2 | _RSV3])
    return frame(rng.choice([TEXT, BINARY, PING, CLOSE]), payload[:125], rsv=bits)


def _unmasked(rng: random.Random, payload: bytes) -> bytes:
    return frame(rng.choice([BINARY, PING, CLOSE]), payload[:125], key=None)


def _false_length(rng: random.Random, payload: bytes) -> bytes:
    size = len(payload)
    length = rng.choice(
        [
            b"\x7e" + struct.pack(">H", size & 0x7F),  # longer than it need be
            b"\x7f" + struct.pack(">Q", size),
            b"\x7f" + struct.pack(">Q", 1 << 63),
            b"\x7f" + b"\xff" * 8,
            b"\x7f" + struct.pack(">Q", (1 << 63) - 1),
            b"\x7f" + struct.pack(">Q", 1 << 32),
            b"\x7e\xff\xff",
            bytes([rng.randint(0, 125)]),
            b"\x00",
        ]
    )
    return frame(BINARY, payload, length=length)


def _long_control(rng: random.Random, payload: bytes) -> bytes:
    return frame(rng.choice([PING, PONG, CLOSE]), payload + bytes(126))


def _control_in_parts(rng: random.Random, payload: bytes) -> bytes:
    return frame(rng.choice([PING, PONG, CLOSE]), payload[:50], fin=False)


def _close(rng: random.Random, payload: bytes) -> bytes:
    codes = [0, 1, 999, 1000, 1001, 1004, 1005, 1006, 1015, 1016, 2999, 3000, 4999, 5000, 65535]
    body = rng.choice(
        [
            b"",
            b"\x03",
            struct.pack(">H", rng.choice(codes)),
            struct.pack(">H", rng.choice(codes)) + "bye ✓".encode(),
            struct.pack(">H", 1000) + b"\xff\xfe\xc0",
            struct.pack(">H", 1000) + b"x" * 123,
        ]
    )
    return frame(CLOSE, body) + rng.choice([b"", frame(BINARY, payload), frame(CLOSE, body)])


def _text(rng: random.Random, payload: bytes) -> bytes:
    text = rng.choice([b"", b"text", "✓".encode(), b"\xff\xfe", b"\xed\xa0\x80", payload])
    return frame(TEXT, text)


def _text_cut_within_a_character(rng: random.Random, payload: bytes) -> bytes:
    check = "✓".encode()
    return frame(TEXT, check[:2], fin=False) + frame(CONTINUATION, rng.choice([check[2:], b"x"]))


def _continuation_of_nothing(rng: random.Random, payload: bytes) -> bytes:
    return frame(CONTINUATION, payload, fin=rng.random() < 0.5)


def _begun_twice(rng: random.Random, payload: bytes) -> bytes:
    return frame(BINARY, payload, fin=False) + frame(rng.choice([TEXT, BINARY]), payload)


def _never_ended(rng: random.Random, payload: bytes) -> bytes:
    return frame(BINARY, payload, fin=False) + frame(CONTINUATION, b"", fin=False) * rng.randint(
        1, 50
    )


def _cut_short(rng: random.Random, payload: bytes) -> bytes:
    whole = frame(BINARY, payload)
    return whole[: rng.randint(1, len(whole) - 1)]


def _bits_flipped(rng: random.Random, payload: bytes) -> bytes:
    whole = bytearray(frame(BINARY, payload))
    for _ in range(rng.randint(1, 4)):
        whole[rng.randrange(min(len(whole), 16))] ^= 1 << rng.randrange(8)
    return bytes(whole)


def _no_frame(rng: random.Random, payload: bytes) -> bytes:
    return rng.choice([rng.randbytes(rng.randint(1, 300)), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])


def _not_deflated(rng: random.Random, payload: bytes) -> bytes:
    return frame(BINARY, rng.choice([payload, b"", b"\xff" * 20, rng.randbytes(40)]), rsv=_RSV1)


def _second_part_deflated(rng: random.Random, payload: bytes) -> bytes:
    return frame(BINARY, payload, fin=False) + frame(CONTINUATION, payload, rsv=_RSV1)


@cache
def _zeros(size: int) -> bytes:
    return _deflated(bytes(size))


def _deflated_zeros(rng: random.Random, payload: bytes) -> bytes:
    zeros = _zeros(rng.choice([1000, 300_000, 1_000_000, 20_000_000]))
    sent = _in_fragments(rng, zeros, _RSV1)
    return sent + frame(BINARY, zeros, rsv=_RSV1) * rng.randint(0, 3) + frame(BINARY, payload)


def _deflated_to_an_end(rng: random.Random, payload: bytes) -> bytes:
    data = _deflated(payload, zlib.Z_FINISH) + rng.choice([b"", b"\0", bytes(1000), payload])
    return _in_fragments(rng, data, _RSV1) + frame(BINARY, _deflated(payload), rsv=_RSV1)


def _too_large(rng: random.Random, payload: bytes) -> bytes:
    return frame(BINARY, bytes(256 * 1024 + rng.randint(0, 2)))


_ODD: list[Callable[[random.Random, bytes], bytes]] = [
    _reserved_opcode,
    _reserved_bits,
    _unmasked,
    _false_length,
    _long_control,
    _control_in_parts,
    _close,
    _text,
    _text_cut_within_a_character,
    _continuation_of_nothing,
    _begun_twice,
    _never_ended,
    _cut_short,
    _bits_flipped,
    _no_frame,
    _not_deflated,
    _second_part_deflated,
    _deflated_zeros,
    _deflated_to_an_end,
    _too_large,
]
