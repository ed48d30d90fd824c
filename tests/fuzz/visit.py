"""One visit: a hundred frames in a row, over as many connections as the server makes of it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from flet_anyio.testing import PageModel

from .frames import BINARY, carried, compressed, frame, odd_frame
from .line import Line
from .messages import Tab, early_packet, genuine, odd_packet, packed, registration
from .requests import odd_request

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FRAMES", "Visit"]

FRAMES = 100
"""Frames of a visit. The one with number K is of visit K // FRAMES."""

_AT_ONCE = 16_384
"""Bytes after which what was made is sent."""
# How many frames of each kind are to end their connection, which costs as much as fifty others.
_ODD_FRAMES = 0.015
_WILD_MESSAGES = 0.012
_REGISTRATIONS = 0.005
_EARLY = 0.1
"""Of the connections, how many begin with something else than a registration."""


class Visit:
    """The frames of one number, always the same ones for the same seed.

    Only ids of controls and tokens, which the server gives, differ between runs, and where the
    server ends a connection. `sent` is the number of the last frame that was sent, and
    `connections` how many it took. `last` is the frame to end with.
    """

    def __init__(
        self, address: tuple[str, int], seed: int, number: int, *, last: int | None = None
    ) -> None:
        self._address = address
        self._seed = seed
        self._next = number * FRAMES
        self.last = self._next + FRAMES - 1 if last is None else last
        self.connections = 0
        self._rng = rng = random.Random(f"{seed} visit {number}")
        (self._level,) = rng.choices(list(_LEVELS), [_LEVELS[level] for level in _LEVELS])
        self._deflate = rng.random() < 0.15
        self._tab = Tab()
        self._before: list[bytes] = []

    @property
    def sent(self) -> int:
        """The number of the last frame that was sent."""
        return self._next - 1

    @property
    def kind(self) -> str:
        """What kind of frames these are."""
        return self._level.__name__.strip("_")

    async def run(self) -> None:
        """Send all frames.

        Raises:
            Stuck: The server kept a connection that it must end, or did not answer.
        """
        while self._next <= self.last:
            rng = self._rng_of(self._next)
            self.connections += 1
            async with Line.open(self._address) as line:
                if self._level is Visit._requests:
                    await self._send_request(line, rng)
                elif rng.random() < _EARLY:
                    await self._send_early(line, rng)
                elif await self._registered(line):
                    line.read_on()
                    await self._send_many(line)
                await line.finish(rng)

    def _rng_of(self, number: int) -> random.Random:
        return random.Random(f"{self._seed} {number}")

    # --- connections --------------------------------------------------------------------------

    async def _send_request(self, line: Line, rng: random.Random) -> None:
        line.read_on()
        request, _ = self._level(self, rng)
        cut = rng.randrange(len(request) + 1) if rng.random() < 0.2 else 0
        for part in (request[:cut], request[cut:]):
            await line.send(part)
        self._next += 1

    async def _send_early(self, line: Line, rng: random.Random) -> None:
        """Send one frame before a registration, or instead of one."""
        if await line.shake_hands():
            line.read_on()
            await line.send(frame(BINARY, early_packet(rng, self._tab)))
        self._next += 1

    async def _registered(self, line: Line) -> bool:
        """Register: as another tab, as the same one with its page, or as one that was reloaded."""
        how = self._rng.choice(["anew", "back", "reloaded"])
        if how == "anew":
            self._tab = Tab()
        elif how == "reloaded":
            self._tab.page = PageModel()
        return await line.register(self._tab, registration(self._tab), deflate=self._deflate)

    async def _send_many(self, line: Line) -> None:
        """Send frames until one is to end the connection, or it is over."""
        waiting, number = b"", self._next
        while number <= self.last:
            made, final = self._level(self, self._rng_of(number))
            waiting += made
            number += 1
            if final or number > self.last or len(waiting) > _AT_ONCE:
                there = await line.send(waiting)
                self._next, waiting = number, b""
                if final or not there:
                    break

    # --- levels: the bytes of a frame, and whether they should end the connection -------------

    def _requests(self, rng: random.Random) -> tuple[bytes, bool]:
        """Requests and handshakes."""
        return odd_request(rng, self._tab.upload), True

    def _frames(self, rng: random.Random) -> tuple[bytes, bool]:
        """Good messages, in good frames and now and then in a bad one."""
        message = genuine(rng, self._tab)
        if rng.random() < _ODD_FRAMES:
            return odd_frame(rng, message), True
        if self._deflate and rng.random() < 0.5:
            return compressed(rng, message), False
        return carried(rng, message), False

    def _messages(self, rng: random.Random) -> tuple[bytes, bool]:
        """Messages that came of genuine ones, in good frames."""
        wild = rng.random() < _WILD_MESSAGES
        packet = odd_packet(rng, self._tab, mild=not wild)
        return frame(BINARY, packet, key=rng.randbytes(4)), wild

    def _sequences(self, rng: random.Random) -> tuple[bytes, bool]:
        """Genuine messages in any order, some of them again and again."""
        if rng.random() < _REGISTRATIONS:
            again = registration(self._tab, reloaded=rng.random() < 0.5)
            return frame(BINARY, packed(again)), True
        if self._before and rng.random() < 0.3:
            return rng.choice(self._before[-20:]), False
        self._before.append(frame(BINARY, genuine(rng, self._tab)))
        return self._before[-1], False


_LEVELS: dict[Callable[[Visit, random.Random], tuple[bytes, bool]], int] = {
    Visit._requests: 2,
    Visit._frames: 23,
    Visit._messages: 45,
    Visit._sequences: 30,
}
