"""Attacks by many who come: at once, again, with tokens that are not theirs, from elsewhere."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from benchmarks.websocket import handshake, read_head
from benchmarks.wire import REGISTER, registration

from .crowd import Crowd, visits

if TYPE_CHECKING:
    from collections import Counter

    from benchmarks.wire import Client

    from .crowd import Target

__all__ = ["foreign_origins", "forged_tokens", "reconnect_storm", "session_burst"]

_FORGERS = 10


def session_burst(target: Target) -> Counter[str]:
    """Open so many sessions at once."""
    target.begin()
    with Crowd(target) as crowd:
        made = crowd.register(crowd.shake_hands(target.number), repeat(registration()))
        crowd.each_client(made, lambda client: client.ready(), "opened")
        return crowd.counts


def reconnect_storm(target: Target) -> Counter[str]:
    """Lose all connections, and ask for the sessions again, all at once."""
    with Crowd(target) as crowd:
        made = crowd.register(crowd.shake_hands(target.number), repeat(registration()))
        made = crowd.each_client(made, lambda client: client.ready())
        target.begin()
        crowd.leave()
        requests = [registration(token=client.token, marks=client.marks) for client in made]
        again = crowd.register(crowd.shake_hands(len(made)), requests)
        had = {_session(client.token) for client in made}
        for client in crowd.each_client(again, _replied):
            same = _session(client.token) in had
            crowd.counts["have theirs" if same else "got another session"] += 1
        return crowd.counts


def forged_tokens(target: Target) -> Counter[str]:
    """Ask for the session of another client by tokens like its own; `number` times at most."""
    owner = target.client().ready()
    forged = [
        owner.token[:-1] + ("A" if owner.token[-1] != "A" else "B"),
        owner.token.upper(),
        _session(owner.token),
        f"{_session(owner.token)}:{'x' * 32}.{'y' * 43}",
        "." * 10_000,
        "\0\ud800".encode("utf-8", "ignore").decode() + owner.token,
    ]
    target.begin()

    def visit(number: int) -> str:
        client = target.client(token=forged[number % len(forged)])
        with client.sock:
            _replied(client)
            theirs = _session(client.token) == _session(owner.token)
            return "GOT A SESSION OF OTHERS" if theirs else "got one of its own"

    try:
        target.most, target.number = target.most or target.number, min(_FORGERS, target.number)
        return visits(target, visit)
    finally:
        owner.sock.close()


def foreign_origins(target: Target) -> Counter[str]:
    """Open WebSockets as pages of another site do."""
    request = handshake(target.url, origin="http://elsewhere.example")
    target.begin()

    def visit(_: int) -> str:
        with target.dial() as sock:
            sock.sendall(request)
            return f"status {read_head(sock).split()[1].decode()}"

    return visits(target, visit)


def _replied(client: Client) -> None:
    while True:
        action, body = client.next()
        if action == REGISTER:
            client.token = body["session_id"]
            return


def _session(token: str) -> str:
    return token.partition(":")[0]
