from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from flet_anyio.compat.tcp import bound_writes, unconfirmed

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux knows these things")


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        server, _ = listener.accept()
        with server:
            yield server, client


def fill(sender: socket.socket) -> int:
    """Send until no more is taken; return how much that was."""
    sender.setblocking(False)
    sent = 0
    try:
        while True:
            sent += sender.send(bytes(1_000_000))
    except BlockingIOError:
        return sent


def test_what_the_peer_has_no_room_for_is_not_confirmed(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    server, client = ends
    assert unconfirmed(server) == 0
    sent = fill(server)
    left = unconfirmed(server)
    assert 0 < left < sent
    client.recv(sent - left, socket.MSG_WAITALL)
    while sent and unconfirmed(server):
        client.recv(1_000_000)
    assert unconfirmed(server) == 0


def test_a_closed_socket_has_nothing_left(ends: tuple[socket.socket, socket.socket]) -> None:
    server, _ = ends
    server.close()
    assert unconfirmed(server) == 0
    assert not bound_writes(server, 1)
