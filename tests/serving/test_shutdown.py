"""A thousand clients when their server shuts down, on every server."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import anyio
import pytest
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.uri import parse_uri

from programs import (
    SERVED,
    Program,
    deaf_client,
    eventually,
    register,
    running,
    shake_hands,
)
from sockets import Socket

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MANY = 1000
GRACE = 10


class Crowd:
    """Clients of one server: they register, and stay until they are told to go."""

    def __init__(self, program: Program, size: int) -> None:
        self._program = program
        self._size = size
        self._entrance = anyio.CapacityLimiter(20)
        self._arrived = 0
        self.everyone_arrived = anyio.Event()
        self.codes: list[int] = []

    async def visit(self) -> None:
        url = self._program.url.replace("http", "ws") + "/ws"
        protocol = ClientProtocol(parse_uri(url), max_size=None)
        async with self._entrance:
            stream = await anyio.connect_tcp(*self._program.address)
            socket = Socket(protocol, stream)
            await socket.shake_hands()
            await socket.register()
            await socket.receive()
        self._arrived += 1
        if self._arrived == self._size:
            self.everyone_arrived.set()
        async with stream:
            try:
                self.codes.append(await socket.wait_goodbye())
            except (AssertionError, anyio.BrokenResourceError):
                self.codes.append(1006)

    async def end(self) -> float:
        """Come, have the server ended, and stay until told. Return when it was signalled."""
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for _ in range(self._size):
                    tasks.start_soon(self.visit)
                await self.everyone_arrived.wait()
                signalled = self._program.terminate()
        return signalled


def ends_in_time(program: Program, signalled: float, grace: float) -> None:
    program.wait(signalled + grace + 1 - time.monotonic())
    assert "Traceback" not in program.text


@pytest.mark.parametrize("server", SERVED)
def test_all_clients_are_told_to_come_back(server: str) -> None:
    with running(server, grace=GRACE) as program:
        crowd = Crowd(program, MANY)
        signalled = anyio.run(crowd.end)
        assert crowd.codes == [1012] * MANY
        ends_in_time(program, signalled, GRACE)
        assert program.said.count("closed") == MANY
        assert program.said.count("disconnected") == MANY


@pytest.mark.parametrize("app", ["mounted", "bare"])
@pytest.mark.parametrize("server", [name for name in SERVED if name.startswith(("run", "hyp"))])
def test_clients_of_apps_with_no_lifespan_are_told_too(server: str, app: str) -> None:
    with running(server, app=app, grace=GRACE) as program:
        crowd = Crowd(program, 10)
        signalled = anyio.run(crowd.end)
        assert crowd.codes == [1012] * 10
        ends_in_time(program, signalled, GRACE)
        assert program.said.count("closed") == 10


@pytest.mark.parametrize("server", SERVED)
def test_sessions_that_do_not_end_are_waited_for_no_longer_than_the_grace(server: str) -> None:
    with running(server, grace=2, stuck=1) as program:
        crowd = Crowd(program, 10)
        signalled = anyio.run(crowd.end)
        assert crowd.codes == [1012] * 10
        ends_in_time(program, signalled, 2)


@pytest.mark.parametrize("server", SERVED)
def test_clients_that_never_read_hold_up_no_shutdown(server: str) -> None:
    with running(server, grace=2, bytes=8_000_000) as program, ExitStack() as clients:
        for _ in range(10):
            clients.enter_context(deaf_client(program))
        eventually(lambda: program.state()["sessions"] == 10)
        ends_in_time(program, program.terminate(), 2)
        assert program.said.count("closed") == 10


@pytest.mark.parametrize("server", [name for name in SERVED if name.startswith(("serve", "run"))])
def test_a_server_that_shuts_down_says_that_it_is_not_ready(server: str) -> None:
    with running(server, grace=3, stuck=1) as program:
        ready = program.url + "/-/ready"
        assert program.http.get(ready).status_code == 200
        with socket.create_connection(program.address, 10) as sock:
            register(sock, program.url)
            eventually(lambda: program.state()["attached"] == 1)
            program.terminate()
            eventually(lambda: program.http.get(ready).status_code == 503)
            with (
                socket.create_connection(program.address, 10) as other,
                pytest.raises(InvalidStatus) as refused,
            ):
                shake_hands(other, program.url)
            assert refused.value.response.status_code == 503
        assert program.wait(10) == 0
