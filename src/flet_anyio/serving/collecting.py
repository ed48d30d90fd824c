"""Full garbage collections: not one after the other while a crowd comes."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["collecting_rarely"]

_NEVER = 1_000_000_000
_SHARE = 200
_LONGEST = 60.0


@contextmanager
def collecting_rarely(
    pause: float = 10.0, clock: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """Have at least `pause` seconds between two full collections for as long as the block runs.

    For a program that is a server and nothing else: it is about all of the process. A full
    collection looks at every object there is, and nobody is served meanwhile: with a thousand
    sessions for some tenth of a second. CPython makes one whenever what lives has grown by a
    quarter, and that is several in a second when many clients come at once. It still decides
    when there is to be one, only not so often; what is loaded already is not looked at again.

    The longer one will take, the longer is it put off: to 200 times that, so that 99 of 100 clicks
    meet none, yet to a minute at most, as what ended sessions leave has to go. It looks at what
    the last one has looked at, and at what the small ones since then have left.

    From Python 3.14 on collections are done in small steps, and this changes nothing.
    """
    before = gc.get_threshold()
    held_off = (*before[:2], _NEVER)
    began = ended = clock()
    takes = 0.0

    def note(phase: str, info: dict[str, Any]) -> None:
        nonlocal began, ended, takes
        now = clock()
        if phase == "start":
            began = now
        elif info["generation"] == 2:
            takes, ended = now - began, now
            gc.set_threshold(*held_off)
        elif info["generation"] == 1:
            takes += now - began
        if now - ended >= max(pause, min(_SHARE * takes, _LONGEST)):
            gc.set_threshold(*before)

    gc.collect()
    gc.freeze()
    gc.callbacks.append(note)
    try:
        yield
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*before)
        gc.unfreeze()
