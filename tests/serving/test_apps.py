from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flet_anyio
from flet_anyio.limits import Limits
from flet_anyio.serving.apps import is_asgi, limits_for

if TYPE_CHECKING:
    import flet as ft


def main(page: ft.Page) -> None: ...


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def test_an_asgi_app_is_told_from_a_flet_app() -> None:
    assert is_asgi(asgi)
    assert not is_asgi(main)
    assert not is_asgi(None)


def test_a_server_has_the_limits_of_its_app() -> None:
    own, given = Limits(shutdown_grace=1), Limits(shutdown_grace=2)
    app = flet_anyio.app(main, limits=own)
    assert limits_for(app, None) is own
    assert limits_for(app, given) is given
    assert limits_for(main, None) == limits_for(asgi, None) == Limits()
