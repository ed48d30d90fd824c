"""Programs that serve `served_app`, in every way there is, as processes of their own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgpack
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "COMMANDS",
    "SERVED",
    "Program",
    "deaf_client",
    "eventually",
    "register",
    "running",
    "shake_hands",
]

_HERE = Path(__file__).parent
_URL = re.compile(r"\bon (http://\S+?)/?\s")

_PYTHON = [sys.executable]
_RUN = [*_PYTHON, "-m", "flet_anyio", "run", "--port", "0"]
_HYPERCORN = [*_PYTHON, "-m", "hypercorn", "-b", "127.0.0.1:0"]
_UVICORN = [*_PYTHON, "-m", "uvicorn", "--port", "0", "--no-access-log"]

COMMANDS = {
    "serve-asyncio": [*_PYTHON, "served_app.py", "asyncio"],
    "serve-uvloop": [*_PYTHON, "served_app.py", "asyncio", "uvloop"],
    "serve-trio": [*_PYTHON, "served_app.py", "trio"],
    "run-asyncio": [*_RUN, "served_app.py:app"],
    "run-uvloop": [*_RUN, "--uvloop", "served_app.py:app"],
    "run-trio": [*_RUN, "--backend", "trio", "served_app.py:app"],
    "hypercorn-asyncio": [*_HYPERCORN, "-k", "asyncio", "served_app:app"],
    "hypercorn-uvloop": [*_HYPERCORN, "-k", "uvloop", "served_app:app"],
    "hypercorn-trio": [*_HYPERCORN, "-k", "trio", "served_app:app"],
    "uvicorn-asyncio": [*_UVICORN, "--loop", "asyncio", "served_app:app"],
    "uvicorn-uvloop": [*_UVICORN, "--loop", "uvloop", "served_app:app"],
}

# `run` does what `serve` does, and the loop makes no difference to what is in front of it.
_TWINS = {"serve-asyncio", "serve-uvloop", "serve-trio", "hypercorn-uvloop", "uvicorn-asyncio"}
SERVED = [name for name in COMMANDS if name not in _TWINS or os.environ.get("FLET_ANYIO_LONG")]
"""Those that are tried in each run of the tests; with FLET_ANYIO_LONG=1, all."""

_REGISTER = b"\x00" + msgpack.packb(
    [1, {"session_id": None, "page_name": "", "page": {"route": "/", "web": True}}]
)


class Program:
    """A server in a process of its own."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self.process = process
        self.url = ""
        # One connection for all requests: hypercorn keeps an old one for a while.
        self.http = httpx.Client(timeout=20)
        self.log: list[str] = []
        self.said: list[str] = []
        self._listening = threading.Event()
        self._readers = [
            threading.Thread(target=self._read_log, daemon=True),
            threading.Thread(target=self._read_words, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def address(self) -> tuple[str, int]:
        url = httpx.URL(self.url)
        assert url.port is not None
        return url.host, url.port

    def wait_listening(self) -> None:
        assert self._listening.wait(20), self.text
        assert self.url, self.text

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.http.get(self.url + "/state").json()
        return state

    def end_sessions(self) -> None:
        self.http.get(self.url + "/end")

    def terminate(self) -> float:
        """Ask it to end. Return when that was."""
        self.process.send_signal(signal.SIGTERM)
        return time.monotonic()

    def wait(self, seconds: float) -> int:
        """Wait for its end, and for all that it said. Return its status."""
        status = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5)
        return status

    @property
    def text(self) -> str:
        return "".join(self.log)

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            self._look_for_url(line)
        self._listening.set()

    def _read_words(self) -> None:
        assert self.process.stdout is not None
        with suppress(ValueError):  # it is closed when the test is over
            for line in self.process.stdout:
                self.said.append(line.strip())
                self._look_for_url(line)

    def _look_for_url(self, line: str) -> None:
        if not self.url and (found := _URL.search(line)):
            self.url = found[1]
            self._listening.set()


@contextmanager
def running(
    name: str,
    *arguments: str,
    app: str = "app",
    served: str = "served_app",
    **settings: float,
) -> Iterator[Program]:
    """Run one of COMMANDS. `write_timeout`, `grace`, `bytes`, `stuck` are for `served_app`.

    `served` is another module to serve an app of, by its path without the ending.
    """
    environment = dict(os.environ)
    environment |= {f"FLET_ANYIO_TEST_{key.upper()}": str(value) for key, value in settings.items()}
    command = [_serving(word, served, app) for word in (*COMMANDS[name], *arguments)]
    with subprocess.Popen(
        command,
        cwd=_HERE,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # hypercorn has children: they are ended with it.
        start_new_session=True,
    ) as process:
        program = Program(name, process)
        try:
            program.wait_listening()
            yield program
        finally:
            program.http.close()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _serving(word: str, served: str, app: str) -> str:
    """A word of a command, with the app that is to be served."""
    if word == "served_app.py:app":
        return f"{served}.py:{app}"
    if word == "served_app:app":
        return f"{served.replace('/', '.')}:{app}"
    return word


def eventually(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Wait for what another process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def shake_hands(sock: socket.socket, url: str) -> ClientProtocol:
    """Open a WebSocket on a connected socket."""
    protocol = ClientProtocol(parse_uri(url.replace("http", "ws") + "/ws"), max_size=None)
    protocol.send_request(protocol.connect())
    sock.sendall(b"".join(protocol.data_to_send()))
    while not protocol.events_received():
        protocol.receive_data(sock.recv(1024))
        if protocol.handshake_exc is not None:
            raise protocol.handshake_exc
    return protocol


def register(sock: socket.socket, url: str) -> ClientProtocol:
    """Open a WebSocket on a connected socket, and ask for a session."""
    protocol = shake_hands(sock, url)
    protocol.send_binary(_REGISTER)
    sock.sendall(b"".join(protocol.data_to_send()))
    return protocol


def deaf_client(program: Program) -> socket.socket:
    """A client that registers and reads no more."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(10)
    sock.connect(program.address)
    register(sock, program.url)
    return sock
