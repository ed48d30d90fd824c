"""Serve an app on upstream's own server, to compare with: serve_upstream.py FILE PORT."""

from __future__ import annotations

import runpy
import sys
from importlib import import_module

import uvicorn

if __name__ == "__main__":
    # Upstream's package tells no types.
    app = import_module("flet_web.fastapi").app(runpy.run_path(sys.argv[1])["main"], no_cdn=True)
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
