"""Serve demo_app.py, or another app, in one of the ways that the browser tests are run against.

serve_demo.py trio|asyncio|uvicorn PORT UPLOAD_DIR [--renderer skwasm|canvaskit] [--app FILE]
              [--control PORT] [--mount PATH] [--proxy-path PREFIX]

An app that is to be asked and changed from outside has a function `serve_control`, which is
called with the port of --control.
"""

from __future__ import annotations

import argparse
import runpy
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

import flet_anyio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", choices=["trio", "asyncio", "uvicorn"])
    parser.add_argument("port", type=int)
    parser.add_argument("upload_dir")
    parser.add_argument("--renderer")
    parser.add_argument("--app", type=Path, default=Path(__file__).with_name("demo_app.py"))
    parser.add_argument("--control", type=int)
    parser.add_argument("--journal-bytes", type=int, help="few: most updates wait for receipts")
    parser.add_argument("--mount", help="path in another app under which this one is mounted")
    parser.add_argument("--proxy-path", help="prefix that a proxy in front strips")
    options = parser.parse_args()
    names = runpy.run_path(str(options.app))
    app = names["main"]
    if options.control is not None:
        names["serve_control"](options.control)
    settings: dict[str, Any] = {
        "upload_dir": options.upload_dir,
        "secret_key": "not a secret: the server lives as long as its test",
        "web_renderer": options.renderer,
        "proxy_path": options.proxy_path,
        "debug": True,
    }
    if options.journal_bytes is not None:
        settings["limits"] = flet_anyio.Limits(journal_bytes=options.journal_bytes)
    if options.mount is not None:
        app = Starlette(routes=[Mount(options.mount, flet_anyio.app(app, **settings))])
        settings = {}
    if options.server == "uvicorn":
        asgi = flet_anyio.app(app, **settings) if options.mount is None else app
        uvicorn.run(asgi, port=options.port, log_level="warning")
    else:
        flet_anyio.run(app, backend=options.server, port=options.port, **settings)


if __name__ == "__main__":
    main()
