"""Which content encoding an answer has: what the client accepts, and what is worth the work."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import Any

brotli: Any
try:
    brotli = import_module("brotli")
except ImportError:
    brotli = None

__all__ = ["BROTLI", "ENCODINGS", "GZIP", "Encoding", "choose_encoding", "worth_compressing"]

_SMALLEST = 512
_LARGEST = 32 << 20

# By name and not by media type: the client has types of its own, and media types come from
# tables that other programs change. Pictures, films, woff2 and archives are compressed already.
_WORTH = frozenset(
    (
        *(".atlas", ".bin", ".bmp", ".css", ".csv", ".frag", ".geojson", ".htm", ".html", ".ico"),
        *(".js", ".json", ".map", ".md", ".mjs", ".otf", ".svg", ".symbols", ".tsv", ".ttf"),
        *(".txt", ".wasm", ".webmanifest", ".xml"),
    )
)

Step = Callable[[bytes], bytes]
End = Callable[[], bytes]


@dataclass(frozen=True)
class Encoding:
    """A way to compress.

    Attributes:
        name: As in HTTP headers.
        quick: Level for the first visitor, who waits for it.
        best: Level for all later ones, which takes its time. Equal to `quick` if there is
            nothing to gain.
    """

    name: str
    quick: int
    best: int

    def compressor(self, level: int) -> tuple[Step, End]:
        """Functions that take the next bytes, and that end the stream; both return output.

        The output depends on the input and the level only.
        """
        if self.name == "gzip":
            stream = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
            return stream.compress, stream.flush
        encoder = brotli.Compressor(quality=level)
        return encoder.process, encoder.finish

    def compress(self, content: bytes) -> bytes:
        """All at once, at the best level."""
        step, end = self.compressor(self.best)
        return step(content) + end()


# Measured with the client's main.dart.wasm, skwasm.wasm and icons, 13.3 MB: gzip 6 makes 4.82 MB
# of it in 0.6 s and gzip 9, in twice that, 4.80. Brotli 5 is as quick as gzip 6 and makes 4.32,
# 9 makes 4.21, 10 makes 3.82 in 17 s, 11 makes 3.69 in 31 s with a quarter more memory.
BROTLI = Encoding("br", quick=5, best=10)
GZIP = Encoding("gzip", quick=6, best=6)

ENCODINGS = (BROTLI, GZIP) if brotli is not None else (GZIP,)
"""Those that can be made here, the smaller first."""


def worth_compressing(name: str, size: int) -> bool:
    """Whether a file of this name and size may get smaller by more than the headers cost."""
    return _SMALLEST <= size <= _LARGEST and PurePath(name).suffix.lower() in _WORTH


def choose_encoding(accept_encoding: str) -> Encoding | None:
    """The encoding that the client likes best, the smaller one where it likes several the same.

    None if it likes the plain content more, or nothing that can be made here: then plain is
    what it gets, even if it refuses that too, as that serves it better than an error would.
    """
    weights = _weights(accept_encoding)
    wildcard = weights.get("*", 0.0)

    def weight(encoding: Encoding) -> float:
        return weights.get(encoding.name, wildcard)

    # `max` takes the first of equals.
    chosen = max(ENCODINGS, key=weight)
    # Without a weight of its own, plain is allowed, but is liked less than what was named.
    plain = weights.get("identity", 0.0)
    return chosen if weight(chosen) > 0 and weight(chosen) >= plain else None


def _weights(header: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for item in header.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        # The old name, which HTTP asks to treat as the same.
        weights[name.removeprefix("x-") if name == "x-gzip" else name] = _weight(parameters)
    return weights


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
