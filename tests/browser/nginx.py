"""nginx with the configurations of docs/deployment.md, in front of a test's server."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sites import free_port, wait_listening

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["proxied", "require_nginx"]

DEPLOYMENT = Path(__file__).parents[2] / "docs" / "deployment.md"

# Workers of a master that is root are another user, who may not write in the test's folder.
_MAIN = """
user {user} {group};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""


def require_nginx() -> None:
    """Skip the test where there is no nginx, or let it fail if it is required."""
    if shutil.which("nginx") is None:
        if os.environ.get("FLET_ANYIO_REQUIRE_NGINX") == "1":
            pytest.fail("there is no nginx")
        pytest.skip("there is no nginx")


@contextlib.contextmanager
def proxied(
    server_port: int, folder: Path, *, prefix: str = "", strip: bool = True
) -> Iterator[str]:
    """Run nginx in front of a server, and give the URL under which it publishes that."""
    port = free_port()
    file = folder / "nginx.conf"
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    site = _site(port, server_port, prefix=bool(prefix), strip=strip)
    file.write_text(_MAIN.format(user=user, group=group, folder=folder, site=site))
    log = folder / "nginx.log"
    with log.open("wb") as output:
        command = ["nginx", "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(file)]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_listening(process, port, log)
            yield f"http://127.0.0.1:{port}{prefix}/"
        finally:
            # A master that is killed leaves its workers behind.
            process.terminate()
            try:
                process.wait(15)
            finally:
                process.kill()
                process.wait()


def _site(port: int, server_port: int, *, prefix: bool, strip: bool) -> str:
    """What the documentation says, with the addresses of the test and without TLS."""
    whole, location = re.findall(r"^```nginx\n(.*?)^```", DEPLOYMENT.read_text(), re.M | re.S)
    if prefix:
        whole, count = re.subn(
            r"^    location / \{.*?^    \}\n", lambda _: location, whole, flags=re.M | re.S
        )
        assert count == 1
        if not strip:
            whole = _replaced(whole, "http://127.0.0.1:8000/;", "http://127.0.0.1:8000;")
    whole = re.sub(r"^    ssl_.*\n", "", whole, flags=re.M)
    whole = _replaced(whole, "listen 443 ssl;", f"listen 127.0.0.1:{port};")
    return _replaced(whole, "127.0.0.1:8000", f"127.0.0.1:{server_port}")


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{text.count(old)} times {old} in the documentation"
    return text.replace(old, new)
