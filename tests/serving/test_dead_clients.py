"""Clients that never read, and clients that read slowly, on every server, on real sockets."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.frames import Frame

from programs import SERVED, Program, deaf_client, eventually, register, running

if TYPE_CHECKING:
    from collections.abc import Iterator

resource = pytest.importorskip("resource")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="counts file descriptors in /proc"),
]

MEGABYTE = 1_000_000
MANY = 10


def deaf_reader(program: Program) -> socket.socket:
    """A client that asks for a large file and does not take it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(program.address)
    sock.sendall(b"GET /main.dart.wasm HTTP/1.1\r\nHost: x\r\n\r\n")
    return sock


@pytest.mark.parametrize("server", SERVED)
def test_clients_that_never_read_are_let_go(server: str) -> None:
    with running(server, bytes=8 * MEGABYTE, write_timeout=1) as program, ExitStack() as clients:
        # The first client brings what is there for all.
        with deaf_client(program):
            eventually(lambda: program.state()["sessions"] == 1)
        program.end_sessions()
        eventually(lambda: program.state()["sessions"] == 0)
        before = program.state()
        for _ in range(MANY):
            clients.enter_context(deaf_client(program))
            clients.enter_context(deaf_reader(program))
        eventually(lambda: program.state()["sessions"] == MANY)

        # Their sessions wait for them, and nothing else of them is there.
        eventually(lambda: program.state()["attached"] == 0)
        assert program.state()["sessions"] == MANY
        eventually(lambda: program.state()["fds"] == before["fds"])
        program.end_sessions()
        eventually(lambda: program.state()["tasks"] == before["tasks"])
        assert "Traceback" not in program.text


@pytest.mark.parametrize("server", SERVED)
def test_a_client_that_reads_slowly_is_kept(server: str) -> None:
    size = 12 * MEGABYTE
    with (
        running(server, bytes=size, write_timeout=1) as program,
        socket.create_connection(program.address, 10) as sock,
    ):
        protocol = register(sock, program.url)
        largest = 0
        # It takes three times as long as the server is patient.
        while largest < size:
            data = sock.recv(200_000)
            assert data, "dropped"
            protocol.receive_data(data)
            for event in protocol.events_received():
                assert isinstance(event, Frame)
                largest = max(largest, len(event.data))
            time.sleep(0.05)
        assert program.state()["attached"] == 1


BODY_IN_A_HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Content-Length: 5\r\n\r\nhello"
)


def end_and_look(program: Program, data: bytes) -> None:
    """Send this over a connection that registered, end it, and see nothing of it left."""
    with socket.create_connection(program.address, 10) as sock:
        register(sock, program.url)
        # The server may be quicker, and reset what it has ended.
        with suppress(ConnectionError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Program, dict[str, int]]]:
    """A server that the tests share, and what it holds when nobody is there."""
    with running(request.param) as program:
        # The first client brings what is there for all.
        end_and_look(program, b"")
        program.end_sessions()
        eventually(lambda: program.state()["sessions"] == 0)
        yield program, program.state()
        program.terminate()
        program.wait(10)
        assert "Traceback" not in program.text


@pytest.fixture
def program(server: tuple[Program, dict[str, int]]) -> Iterator[Program]:
    """The server, of which nothing may be left that was not there before."""
    program, quiet = server
    yield program
    program.end_sessions()
    eventually(lambda: program.state() == quiet)
    assert "Traceback" not in program.text


on_every_server = pytest.mark.parametrize("server", SERVED, indirect=True)


@pytest.mark.parametrize(
    "server", [name for name in SERVED if "uvicorn" not in name], indirect=True
)
def test_a_bad_handshake_ends_no_server(program: Program) -> None:
    with socket.create_connection(program.address, 10) as sock:
        sock.sendall(BODY_IN_A_HANDSHAKE.encode())
        assert sock.recv(1024).startswith(b"HTTP/1.1 400")
    assert program.state()["sessions"] == 0


@pytest.mark.parametrize(
    ("served", "app"),
    [("served_app", "mounted"), ("served_app", "wrapped"), ("bare_app", "app")],
)
@pytest.mark.parametrize("server", ["hypercorn-asyncio", "hypercorn-trio"])
def test_hypercorn_is_guarded_wherever_the_app_is(server: str, served: str, app: str) -> None:
    with running(server, served=served, app=app) as program:
        for _ in range(2):
            with socket.create_connection(program.address, 4) as sock:
                sock.sendall(BODY_IN_A_HANDSHAKE.encode())
                assert sock.recv(1024).startswith(b"HTTP/1.1 400")
                assert sock.recv(1024) == b""
        with socket.create_connection(program.address, 10) as sock:
            register(sock, program.url)
        assert "Traceback" not in program.text


@on_every_server
def test_who_goes_on_after_a_bad_frame_is_let_go(program: Program) -> None:
    bad, more = bytes.fromhex("82810000000007"), bytes.fromhex("82810000000000")
    for _ in range(MANY):
        end_and_look(program, bad + more * 200)


@pytest.mark.parametrize("server", SERVED)
def test_connections_wait_while_too_many_files_are_open(server: str) -> None:
    def files() -> int:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))

    with running(server) as program:
        pid, held = (program.state()[name] for name in ("pid", "fds"))
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (held + MANY, most))
        with ExitStack() as clients:
            for _ in range(2 * MANY):
                clients.enter_context(socket.create_connection(program.address, 10))
            eventually(lambda: files() == held + MANY)
            # Who is there already is served.
            assert program.http.get(f"{program.url}/-/ready").status_code == 200
        # uvloop refuses them instead, for as long as that is so.
        eventually(lambda: files() <= held)
        end_and_look(program, b"")
        assert program.state()["sessions"] == 1
        if server.startswith("run"):
            assert len(program.log) < MANY, program.text


@on_every_server
def test_who_sends_a_body_that_nobody_reads_is_let_go(program: Program) -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    for _ in range(MANY):
        with socket.create_connection(program.address, 10) as sock, suppress(OSError):
            sock.sendall(request + bytes(MEGABYTE))


@on_every_server
def test_who_has_left_is_not_waited_for(program: Program) -> None:
    page = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    for sent in [page, BODY_IN_A_HANDSHAKE, page.replace("\r\n\r\n", "")] * 3:
        # Sooner than the server would give up on a connection where nothing comes.
        with socket.create_connection(program.address, 4) as sock, suppress(ConnectionError):
            sock.sendall(sent.encode())
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass


@on_every_server
def test_who_is_refused_is_let_go(program: Program) -> None:
    handshake = BODY_IN_A_HANDSHAKE.replace("Content-Length: 5\r\n\r\nhello", "\r\n")
    old, keyless = handshake.replace("13", "12"), handshake.replace("Sec-WebSocket-Key", "X-Key")
    # uvicorn waits for the rest of a body here.
    refused = [old, keyless]
    if "uvicorn" not in program.name:
        refused.append(BODY_IN_A_HANDSHAKE)
    for sent in refused:
        with socket.create_connection(program.address, 4) as sock, suppress(ConnectionError):
            sock.sendall(sent.encode())
            while sock.recv(65536):
                pass
    assert "failed" not in program.text


@on_every_server
def test_a_method_in_small_letters_is_no_error(program: Program) -> None:
    with socket.create_connection(program.address, 4) as sock, suppress(ConnectionError):
        sock.sendall(b"head /no/such.js HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 40")
