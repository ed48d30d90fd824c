"""HTTP requests and handshakes, as they should be and as no client sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["handshake", "odd_request"]

_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_DEFLATE = "permessage-deflate; client_max_window_bits"


def handshake(*, deflate: bool = False) -> bytes:
    """What a browser sends to become a WebSocket."""
    return _bytes(*_handshake(["Sec-WebSocket-Extensions: " + _DEFLATE] if deflate else []))


def odd_request(rng: random.Random, upload: str) -> bytes:
    """A request with something wrong in it, or a good one. `upload` takes a file."""
    request, lines, body = _genuine(rng, upload)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 4])):
        request, lines, body = rng.choice(_CHANGES)(rng, request, lines, body)
    sent = _bytes(request, lines, body)
    return rng.choice(_BYTES)(rng, sent) if rng.random() < 0.3 else sent


_Parts = tuple[str, list[str], bytes]


def _bytes(request: str, lines: list[str], body: bytes = b"") -> bytes:
    return "\r\n".join([request, *lines, "", ""]).encode("latin-1", "replace") + body


def _handshake(more: list[str]) -> _Parts:
    lines = ["Host: localhost", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {_KEY}", *more]
    return "GET /ws HTTP/1.1", lines, b""


def _genuine(rng: random.Random, upload: str) -> _Parts:
    host = ["Host: localhost"]
    body = rng.randbytes(rng.randint(0, 200))
    length = [f"Content-Length: {len(body)}"]
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    return rng.choice(
        [
            _handshake([]),
            _handshake(["Sec-WebSocket-Extensions: " + _DEFLATE, "Origin: http://localhost"]),
            ("GET / HTTP/1.1", host, b""),
            ("HEAD / HTTP/1.1", host, b""),
            ("GET /manifest.json HTTP/1.1", [*host, "Accept-Encoding: br, gzip"], b""),
            ("GET /-/ready HTTP/1.1", host, b""),
            ("GET /oauth_callback?state=x&code=y HTTP/1.1", host, b""),
            ("GET /a/page?q=1 HTTP/1.0", host, b""),
            (f"PUT {upload} HTTP/1.1", [*host, *length], body),
            (f"PUT {upload} HTTP/1.1", [*host, "Transfer-Encoding: chunked"], chunks),
        ]
    )


# --- changes of parts ---------------------------------------------------------------------------


def _another_word(rng: random.Random, request: str, lines: list[str], body: bytes) -> _Parts:
    method, target, version = (*request.split(" "), "", "")[:3]
    match rng.randrange(3):
        case 0:
            methods = ["get", "POST", "PUT", "PRI", "CONNECT", "G\0T", "", "X" * 1000, "GET\t", "é"]
            method = rng.choice(methods)
        case 1:
            targets = ["", "*", "//", "/../../etc", "/%00", "/%ff%fe", "/é", "http://x/", "/ws/"]
            targets += ["/ws?" + "q" * 9000, "/%", "/%2e%2e/%2e%2e/x", "/ws%00", "\\", "/a b", "?"]
            targets += ["/#x", "/upload", "/upload?grant=", "/upload?grant=a.b"]
            target = rng.choice([*targets, _changed_target(rng, target)])
        case _:
            versions = ["HTTP/0.9", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/9", "http/1.1", ""]
            version = rng.choice([*versions, "FTP/1.1", "HTTP/1.1 ", "HTTP/-1.1"])
    return f"{method} {target} {version}", lines, body


def _changed_target(rng: random.Random, target: str) -> str:
    """A target with one character changed."""
    if len(target) < 2:
        return "/"
    place = rng.randrange(1, len(target))
    return target[:place] + rng.choice("Aa0.-_%&=/") + target[place + 1 :]


def _without_a_field(rng: random.Random, request: str, lines: list[str], body: bytes) -> _Parts:
    left = list(lines)
    if left:
        del left[rng.randrange(len(left))]
    return request, left, body


def _a_field_twice(rng: random.Random, request: str, lines: list[str], body: bytes) -> _Parts:
    return request, lines + ([rng.choice(lines)] if lines else []), body


def _an_odd_value(rng: random.Random, request: str, lines: list[str], body: bytes) -> _Parts:
    if not lines:
        return request, lines, body
    odd = list(lines)
    place = rng.randrange(len(odd))
    name = odd[place].partition(":")[0]
    values = ["", " ", "\0", "é\xff", "x" * 5000, "13, 13", "12", "-1", "99999999999999999999"]
    values += ["websocket, h2c", "h2c", "close", "keep-alive", "chunked, chunked", "identity"]
    values += ["::1", "[::1", "a:b:c", "localhost:99999", "localhost:-1", "a b", "[]", "@", "\t"]
    odd[place] = f"{name}: {rng.choice(values)}"
    return request, odd, body


def _one_more_field(rng: random.Random, request: str, lines: list[str], body: bytes) -> _Parts:
    more = [
        "Content-Length: 5",
        "Content-Length: -5",
        "Content-Length: 5, 6",
        "Content-Length: 1e3",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQAAP__",
        "Connection: Upgrade, HTTP2-Settings",
        "Range: bytes=5-1,-",
        "Range: bytes=0-0,2-2",
        "If-None-Match: \xff",
        "If-Modified-Since: never",
        "Origin: http://[",
        "Origin: null",
        "Cookie: =;;=\xff; flet=1",
        "X-Forwarded-For: ,,",
        "Sec-WebSocket-Protocol: ,, a b",
        "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=x",
        "Sec-WebSocket-Extensions: ;;,=",
        "no colon",
        " folded",
        ": no name",
        "Bad Name: x",
        "X" * 3000 + ": x",
        "X: " + "y" * 70_000,
    ]
    place = rng.randint(0, len(lines))
    return request, [*lines[:place], rng.choice(more), *lines[place:]], body


def _many_fields(rng: random.Random, request: str, lines: list[str], body: bytes) -> _Parts:
    return request, lines + [f"X-{n}: {n}" for n in range(rng.choice([50, 150, 2000]))], body


def _a_body(rng: random.Random, request: str, lines: list[str], body: bytes) -> _Parts:
    bodies = [
        b"hello",
        b"0\r\n\r\n",
        b"ffffffffffffffff1\r\nx",
        b"-1\r\n",
        b"5\r\nhel",
        b"\0" * 500,
    ]
    return request, [*lines, "Content-Length: 5"], body + rng.choice([*bodies, bytes(500)])


_CHANGES: list[Callable[[random.Random, str, list[str], bytes], _Parts]] = [
    _another_word,
    _without_a_field,
    _a_field_twice,
    _an_odd_value,
    _one_more_field,
    _many_fields,
    _a_body,
]


# --- changes of bytes ---------------------------------------------------------------------------


def _cut(rng: random.Random, sent: bytes) -> bytes:
    return sent[: rng.randrange(len(sent))]


def _flipped(rng: random.Random, sent: bytes) -> bytes:
    flipped = bytearray(sent)
    for _ in range(rng.randint(1, 6)):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _other_ends_of_lines(rng: random.Random, sent: bytes) -> bytes:
    return sent.replace(b"\r\n", rng.choice([b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\0\r\n"]))


def _twice(rng: random.Random, sent: bytes) -> bytes:
    return sent * rng.randint(2, 4)


def _before_it(rng: random.Random, sent: bytes) -> bytes:
    http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    return rng.choice([b"\r\n", b"\0", http2, tls, http2 + bytes(9), b" "]) + sent


def _frames_after_it(rng: random.Random, sent: bytes) -> bytes:
    return sent + rng.choice(
        [b"\x82\x80\x00\x00\x00\x00", b"\x88\x80\x00\x00\x00\x00", b"\xff" * 9]
    )


_BYTES: list[Callable[[random.Random, bytes], bytes]] = [
    _cut,
    _flipped,
    _other_ends_of_lines,
    _twice,
    _before_it,
    _frames_after_it,
]
