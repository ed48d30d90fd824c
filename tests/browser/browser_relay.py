"""A TCP relay between browser and server, whose connections a scenario may break."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

__all__ = ["Relay"]

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, no seconds: close() sends RST


class Relay:
    """Passes bytes on between `port` and a server, in threads of its own.

    `refuse` stops taking connections, `cut` breaks those there are, `resume` takes them again
    on the same port.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self._target = (host, port)
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
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

    def cut(self) -> None:
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for broken in sockets:
            with contextlib.suppress(OSError):
                broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                broken.shutdown(socket.SHUT_RD)
            broken.close()

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
                far = socket.create_connection(self._target, 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._sockets |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        _shut(source)
        _shut(sink)
        with self._lock:
            self._sockets -= {source, sink}


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
