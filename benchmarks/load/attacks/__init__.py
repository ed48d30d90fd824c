"""What attackers do: each is a function of a `Target`, bounded in time and number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import coming, floods, frames, waiting
from .crowd import Target

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

__all__ = ["ATTACKS", "Attack", "Target"]


@dataclass(frozen=True)
class Attack:
    """One line of the table: what it is called, what it does, and how many do it."""

    name: str
    run: Callable[[Target], Counter[str]]
    number: int


ATTACKS = [
    Attack("slowloris", waiting.slowloris, 300),
    Attack("never registering", waiting.never_register, 500),
    Attack("half-open clients", waiting.half_open, 300),
    Attack("never reading", waiting.never_read, 50),
    Attack("burst of sessions", coming.session_burst, 2_000),
    Attack("reconnect storm", coming.reconnect_storm, 1_000),
    Attack("forged tokens", coming.forged_tokens, 500),
    Attack("foreign origins", coming.foreign_origins, 20),
    Attack("oversize frames", frames.oversize_frames, 10),
    Attack("nested frames", frames.nested_frames, 4),
    Attack("compression bombs", frames.compression_bombs, 10),
    Attack("compressed events", frames.compressed_events, 4),
    Attack("replayed frames", frames.replayed_frames, 10),
    Attack("event flood", floods.event_flood, 4),
    Attack("property flood", floods.property_flood, 4),
    Attack("call flood", floods.call_flood, 4),
    Attack("upload flood", floods.upload_flood, 20),
]
