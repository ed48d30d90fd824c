"""A TCP relay between browser and server, whose connections a scenario may break."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Literal

__all__ = ["Direction", "Relay"]

Direction = Literal["to client", "to server"]

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, no seconds: close() sends RST


class Relay:
    """Passes bytes on between `port` and a server, in threads of its own.

    `refuse` stops taking connections and `resume` takes them again on the same port. `cut`
    breaks those there are, `cut_after` does so in the midst of what is passed on. `freeze`
    makes WebSockets silent: nothing passes, though both ends stay open, until `thaw`; and
    `drop_near` ends the browser's side of them, so that only the server believes in them still.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.source = "127.0.0.1"
        """The address from which the server sees new connections come."""
        self.sources: list[str] = []
        """Those addresses, of each WebSocket so far."""
        self._target = (host, port)
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._budget: tuple[Direction, int, bool] | None = None
        self._listener: socket.socket | None = None
        self.resume()

    def resume(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def refuse(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            _shut(listener)  # wakes the thread in accept(); close() alone would not
            listener.close()

    def cut(self, *, reset: bool = True) -> None:
        """End all connections on both sides, with RST or with FIN."""
        with self._lock:
            taken, self._connections = self._connections, set()
        for one in taken:
            one.end(reset=reset)

    def cut_after(self, direction: Direction, count: int, *, reset: bool = True) -> None:
        """Cut a WebSocket when `count` more bytes of any passed this way, and no byte more."""
        with self._lock:
            self._budget = (direction, count, reset)

    @property
    def armed(self) -> bool:
        """Whether a cut is still to come."""
        return self._budget is not None

    def disarm(self) -> None:
        with self._lock:
            self._budget = None

    def freeze(self) -> None:
        """Make the WebSockets silent. Other connections end: a browser would use them again."""
        with self._lock:
            others = {one for one in self._connections if not one.websocket}
            self._connections -= others
            for one in self._connections:
                one.flowing.clear()
        for one in others:
            one.end(reset=True)

    def thaw(self) -> None:
        """Pass on what was kept back, and all that follows."""
        with self._lock:
            for one in self._connections:
                one.flowing.set()

    def drop_near(self, *, reset: bool = True) -> None:
        """End the browser's side of what is frozen."""
        with self._lock:
            frozen = [one for one in self._connections if not one.flowing.is_set()]
        for one in frozen:
            _end(one.near, reset=reset)

    def close(self) -> None:
        self.refuse()
        self.cut()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, 5, (self.source, 0))
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            one = _Connection(near, far)
            with self._lock:
                self._connections.add(one)
            directions: tuple[Direction, ...] = ("to client", "to server")
            for direction in directions:
                threading.Thread(target=self._pump, args=(one, direction), daemon=True).start()

    def _pump(self, one: _Connection, direction: Direction) -> None:
        source, sink = one.near, one.far
        if direction == "to client":
            source, sink = sink, source
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not one.websocket and b"upgrade: websocket" in data.lower():
                    one.websocket = True
                    self.sources.append(one.far.getsockname()[0])
                one.flowing.wait()
                cut = self._spend(direction, len(data)) if one.websocket else None
                sink.sendall(data if cut is None else data[: cut[0]])
                if cut is not None:
                    one.end(reset=cut[1])
        # Nor does the end of a silent connection get through.
        one.flowing.wait()
        _shut(source)
        _shut(sink)
        with self._lock:
            self._connections.discard(one)

    def _spend(self, direction: Direction, size: int) -> tuple[int, bool] | None:
        """How many of these bytes may pass before the cut, and whether it resets, if it is due."""
        with self._lock:
            if self._budget is None or self._budget[0] != direction:
                return None
            _, left, reset = self._budget
            if size < left:
                self._budget = (direction, left - size, reset)
                return None
            self._budget = None
            return left, reset


class _Connection:
    """A connection's two sides."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near = near
        self.far = far
        self.websocket = False
        self.flowing = threading.Event()
        self.flowing.set()

    def end(self, *, reset: bool) -> None:
        _end(self.near, reset=reset)
        _end(self.far, reset=reset)
        self.flowing.set()  # its threads are to end


def _end(one: socket.socket, *, reset: bool) -> None:
    if not reset:
        _shut(one)
        return
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        one.shutdown(socket.SHUT_RD)
    one.close()


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
