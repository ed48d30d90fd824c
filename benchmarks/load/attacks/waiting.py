"""Attacks by clients that do not go on, or do not read."""

from __future__ import annotations

import time
from itertools import cycle, repeat
from typing import TYPE_CHECKING

from benchmarks.websocket import frame, handshake
from benchmarks.wire import event, registration

from .crowd import Crowd

if TYPE_CHECKING:
    import socket
    from collections import Counter

    from benchmarks.wire import Client

    from .crowd import Target

__all__ = ["half_open", "never_read", "never_register", "slowloris"]

_PAUSE = 0.25
_CLICKS_PER_SECOND = 200
_SMALL = 4096


def slowloris(target: Target) -> Counter[str]:
    """Send requests, and other ones' registrations, a byte now and then, and never the last."""
    target.begin()
    with Crowd(target) as crowd:
        requesting = crowd.connect(target.number // 2)
        request = handshake(target.url)[:-3]
        crowd.each(requesting, lambda sock: sock.sendall(request[:-60]))
        registering = [s for s, _ in crowd.shake_hands(target.number - len(requesting))]
        rest = registration()[:-1]
        crowd.each(registering, lambda sock: sock.sendall(rest[:-60]))
        for place in range(60, 0, -1):
            time.sleep(min(_PAUSE, target.left))
            if not target.left:
                break
            _trickle(crowd, requesting, request[-place:][:1])
            _trickle(crowd, registering, rest[-place:][:1])
        return crowd.counts


def _trickle(crowd: Crowd, socks: list[socket.socket], data: bytes) -> None:
    crowd.each(socks, lambda sock: sock.sendall(data), "bytes")


def never_register(target: Target) -> Counter[str]:
    """Open WebSockets, and say nothing; some ping, to look alive."""
    target.begin()
    with Crowd(target) as crowd:
        opened = [sock for sock, _ in crowd.shake_hands(target.number)]
        crowd.counts["opened"] += len(opened)
        ping = frame(b"here", 9)
        while target.left:
            crowd.each(opened[::5], lambda sock: sock.sendall(ping), "pings")
            time.sleep(min(_PAUSE, target.left))
        return crowd.counts


def half_open(target: Target) -> Counter[str]:
    """Register, and never read or say anything again."""
    target.begin()
    with Crowd(target) as crowd:
        opened = crowd.shake_hands(target.number, buffer=_SMALL)
        registered = crowd.register(opened, repeat(registration("/attack")))
        crowd.counts["registered"] += len(registered)
        time.sleep(target.left)
        return crowd.counts


def never_read(target: Target) -> Counter[str]:
    """Have the server send much, by clicks and broadcasts, and read nothing of it."""
    with Crowd(target) as crowd:
        opened = crowd.shake_hands(target.number, buffer=_SMALL)
        made = crowd.register(opened, repeat(registration("/attack")))
        made = crowd.each_client(made, lambda client: client.ready())
        target.begin()
        crowd.each_client(made, lambda client: client.send(event(client.ids["join"])))
        for turn, client in enumerate(cycle(made)):
            if not target.left:
                break
            key = "much" if turn % 20 else "say"
            _click(crowd, client, key)
            time.sleep(1 / _CLICKS_PER_SECOND)
        return crowd.counts


def _click(crowd: Crowd, client: Client, key: str) -> None:
    crowd.each_client([client], lambda client: client.send(event(client.ids[key])), key)
