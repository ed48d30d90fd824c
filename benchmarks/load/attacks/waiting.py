"""Attacks by clients that do not go on, or do not read."""

from __future__ import annotations

import time
from itertools import count, repeat
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
        rest = registration()[:-1]
        opened = crowd.shake_hands(target.number - len(requesting))
        registering = crowd.register(opened, repeat(rest[:-60]))
        for place in range(60, 0, -1):
            time.sleep(min(_PAUSE, target.left))
            if not target.left:
                break
            _trickle(crowd, requesting, request[-place:][:1])
            _trickle(crowd, [client.sock for client in registering], rest[-place:][:1])
        crowd.listen(registering)
        return crowd.counts


def _trickle(crowd: Crowd, socks: list[socket.socket], data: bytes) -> None:
    crowd.each(socks, lambda sock: sock.sendall(data), "bytes")


def never_register(target: Target) -> Counter[str]:
    """Open WebSockets, and say nothing; some ping, to look alive."""
    target.begin()
    with Crowd(target) as crowd:
        opened = crowd.register(crowd.shake_hands(target.number), repeat(b""))
        crowd.counts["opened"] += len(opened)
        ping = frame(b"here", 9)
        while target.left and crowd.held(min(_PAUSE, target.left)):
            crowd.each_client(opened[::5], lambda client: client.send(ping), "pings")
        crowd.listen(opened)
        return crowd.counts


def half_open(target: Target) -> Counter[str]:
    """Register, and never read or say anything again."""
    target.begin()
    with Crowd(target) as crowd:
        opened = crowd.shake_hands(target.number, buffer=_SMALL)
        registered = crowd.register(opened, repeat(registration("/attack")))
        crowd.counts["registered"] += len(registered)
        crowd.counts["still held"] += crowd.held(target.left)
        return crowd.counts


def never_read(target: Target) -> Counter[str]:
    """Have the server send much, by clicks and broadcasts, and read nothing of it."""
    with Crowd(target) as crowd:
        opened = crowd.shake_hands(target.number, buffer=_SMALL)
        made = crowd.register(opened, repeat(registration("/attack")))
        made = crowd.each_client(made, lambda client: client.ready())
        target.begin()
        crowd.each_client(made, lambda client: client.send(event(client.ids["join"])))
        for turn in count():
            if not target.left or not made:
                break
            made = made[1:] + _clicked(crowd, made[0], "much" if turn % 20 else "say")
            time.sleep(1 / _CLICKS_PER_SECOND)
        crowd.counts["still held"] += crowd.held(0)
        return crowd.counts


def _clicked(crowd: Crowd, client: Client, key: str) -> list[Client]:
    return crowd.each_client([client], lambda client: client.send(event(client.ids[key])), key)
