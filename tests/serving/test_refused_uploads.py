"""Uploads that are refused, on each server: whoever sends them learns why."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from programs import COMMANDS, running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

# As proxies ask for: the server closes the connection behind its answer.
HEAD = (
    "PUT /upload?grant=forged HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    "Content-Length: {}\r\n\r\n"
)
MEGABYTE = b"x" * 1_000_000


@pytest.mark.parametrize("server", COMMANDS)
def test_who_sends_all_of_a_refused_file_still_reads_why(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLET_UPLOAD_DIR", str(tmp_path))
    with running(server) as program:
        address = urlsplit(program.url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as client:
            # Large enough to be under way still when the answer has long been sent.
            client.sendall(HEAD.format(20 * len(MEGABYTE)).encode())
            for _ in range(20):
                client.sendall(MEGABYTE)
            assert b" 403 " in client.recv(65536)
