"""A TCP relay between browser and server that counts the bytes it passes on."""

from __future__ import annotations

import contextlib
import re
import socket
import threading

__all__ = ["CountingRelay"]

_ACCEPTED = re.compile(rb"(?i)(?<=\r\nAccept-Encoding: )[^\r]*")


class CountingRelay:
    """Passes on what a browser and a server say to each other, in threads of its own.

    Attributes:
        port: Where the browser finds it.
        target: Where it finds the server; may be changed for connections to come.
        passed: Bytes so far, in both directions.
        connections: How many there were so far.
        accept_encoding: What the browser's requests are changed to accept; None leaves them.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self._lock = threading.Lock()
        self.passed = 0
        self.connections = 0
        self.accept_encoding: bytes | None = None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            self.connections += 1
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    self.passed += len(data)
                sink.sendall(self._changed(data))
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _changed(self, data: bytes) -> bytes:
        # A browser writes the head of a request at once; nothing else begins like this.
        if self.accept_encoding is None or not data.startswith(b"GET /"):
            return data
        return _ACCEPTED.sub(self.accept_encoding, data)
