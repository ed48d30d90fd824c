"""Upload one large file over a real socket, and say what it cost the server.

    python -m soak.upload [--gib N] [--growth MIB] [--minutes N] [--folder DIR] [BACKEND…]

The server is a process of its own, which stores the file under the folder; it is removed
afterwards. The status is 1 when the server's memory ever grew by more than was allowed, when the
upload took too long or failed, or when anything is left.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import flet as ft

import flet_anyio
from flet_anyio.web.uploads.grants import GrantSigner

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKENDS = ["asyncio", "asyncio+uvloop", "trio"]
GIB = 1024**3
MIB = 1024**2
_BLOCK = bytes(MIB)
_SECRET = "not a secret: the server lives as long as one upload"
_SPARE = GIB
"""Room on the disk that is left for others."""


def main(page: ft.Page) -> None:
    page.add(ft.Text("ready"))


async def serve(folder: str) -> None:
    app = flet_anyio.app(main, upload_dir=folder, secret_key=_SECRET, limits=limits())
    async with anyio.create_task_group() as tasks:
        print(await tasks.start(_serve, app), flush=True)


async def _serve(app: Any, *, task_status: Any) -> None:
    await flet_anyio.serve(app, port=0, task_status=task_status)


def limits() -> flet_anyio.Limits:
    return flet_anyio.Limits(session_upload_bytes=None)


def memory(process: subprocess.Popen[str], which: str) -> int:
    """`VmRSS`, what it holds now, or `VmHWM`, the most that it ever held; in bytes."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(which)


def upload(url: str, size: int, name: str, minutes: float) -> int:
    """Send zeros; return the status of the answer."""
    address = urlsplit(url)
    assert address.hostname is not None
    connection = HTTPConnection(address.hostname, address.port, timeout=minutes * 60)
    end = time.monotonic() + minutes * 60

    def body() -> Iterator[bytes]:
        rest = size
        while rest:
            if time.monotonic() > end:
                raise TimeoutError
            block = _BLOCK[:rest]
            yield block
            rest -= len(block)

    path = GrantSigner(_SECRET).sign("upload", name, 3600)
    headers = {"Content-Length": str(size)}
    try:
        connection.request("PUT", path, body(), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def soak(backend: str, folder: Path, options: argparse.Namespace) -> list[str]:
    """Upload to one server; return what was not as it should be."""
    size = int(options.gib * GIB)
    command = [sys.executable, "-m", "soak.upload", "--serve", str(folder), backend]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            # What is there for any upload, was there before.
            broken = check(upload(url, 1, "small", options.minutes), folder / "small", 1)
            before = memory(process, "VmRSS")
            began = time.monotonic()
            status = upload(url, size, "large", options.minutes)
            took = time.monotonic() - began
            broken += check(status, folder / "large", size)
            growth = (memory(process, "VmHWM") - before) / MIB
        except TimeoutError:
            return [f"it took longer than {options.minutes:g} minutes"]
        finally:
            process.kill()
    print(
        f"{backend}: {options.gib:g} GiB in {took:.0f} s, {size / MIB / took:.0f} MiB/s; "
        f"memory grew from {before / MIB:.1f} MiB by {growth:.1f} MiB at most",
        flush=True,
    )
    if growth >= options.growth:
        broken.append(f"{growth:.1f} MiB more memory")
    return broken


def check(status: int, stored: Path, size: int) -> list[str]:
    """Look whether the file is there whole, and alone; remove it."""
    if status != 200:
        return [f"the upload of {stored.name} was answered {status}"]
    broken = [] if stored.stat().st_size == size else [f"{stored.name} has another size"]
    stored.unlink()
    broken += [f"{path.name} is left" for path in stored.parent.iterdir()]
    return broken


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="soak.upload",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--gib", type=float, default=10, help="size of the file")
    parser.add_argument("--growth", type=float, default=64, help="MiB of memory that are too much")
    parser.add_argument("--minutes", type=float, default=5, help="more, and it has failed")
    parser.add_argument("--folder", help="where the disk has room; default: the system's own")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument(
        "backends", nargs="*", default=["asyncio", "trio"], help=", ".join(BACKENDS)
    )
    return parser.parse_args()


def run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="flet-anyio-upload-") as folder:
        free = shutil.disk_usage(folder).free
        if free < options.gib * GIB + _SPARE:
            print(f"BROKEN: {folder} has room for {free / GIB:.1f} GiB only")
            return 1
        broken = {name: soak(name, Path(folder), options) for name in options.backends}
    for backend, promises in broken.items():
        for promise in promises:
            print(f"BROKEN on {backend}: {promise}")
    return 1 if any(broken.values()) else 0


if __name__ == "__main__":
    given = parse()
    if given.serve is None:
        sys.exit(run(given))
    name, _, loop = given.backends[0].partition("+")
    uvloop = {"use_uvloop": True} if loop else {}
    anyio.run(serve, given.serve, backend=name, backend_options=uvloop)
