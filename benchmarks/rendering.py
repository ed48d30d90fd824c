"""The CPU of a first page, without the server around it and without `main` that builds it."""

from __future__ import annotations

import statistics
import time
from typing import Any

import flet as ft
import msgpack
from flet.controls.base_control import BaseControl
from flet.controls.object_patch import ObjectPatch
from flet.messaging.protocol import configure_encode_object_for_msgpack

from flet_anyio.render import encode_page, make_renderer
from flet_anyio.session.events import ControlIndex

from .apps import row

__all__ = ["first_page"]


def first_page(app: str, *, rows: int = 1_000, rounds: int = 7) -> float:
    """Milliseconds to find, set up and pack the controls of a page of so many rows."""
    draw = _ours if app == "ours" else _upstreams
    return statistics.median(_timed(draw, rows) for _ in range(rounds)) * 1e3


def _timed(draw: Any, rows: int) -> float:
    page = ft.Page(_NoSession())  # type: ignore[arg-type]
    page.views[0].controls = [row(number) for number in range(rows)]
    began = time.process_time()
    draw(page)
    return time.process_time() - began


class _NoSession:
    """A page that was not sent yet asks nothing of it."""


def _ours(page: ft.Page) -> None:
    index = ControlIndex({page._i: page})
    renderer = make_renderer("tracked", page, index)
    for control in renderer.draw().added:
        index[control._i] = control
    msgpack.packb(encode_page(page, renderer.first_time), default=renderer.first_time)


def _upstreams(page: ft.Page) -> None:
    patch, added, _ = ObjectPatch.from_diff(None, page, control_cls=BaseControl)
    index = {control._i: control for control in added}
    encode = configure_encode_object_for_msgpack(BaseControl)
    msgpack.packb(patch.to_message(), default=encode)
    del index
