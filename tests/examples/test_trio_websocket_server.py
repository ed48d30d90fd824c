from __future__ import annotations

import signal
from functools import partial
from typing import Any

import pytest
from flet.messaging.protocol import MessageAction

from flet_anyio.testing import InProcess

trio = pytest.importorskip("trio")
pytest.importorskip("trio_websocket")
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


async def test_the_app_counts(example: Any) -> None:
    async with InProcess(example("trio_websocket_server").main) as app, app.connect() as client:
        await client.click("+")
        await client.see("1")


async def test_a_socket_gets_a_session_and_its_events_are_handled(
    example: Any, open_socket: Any
) -> None:
    serve = example("trio_websocket_server").serve
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(serve, port=0))
        async with open_socket(url) as socket:
            await socket.register()
            action, body = await socket.receive()
            assert action is MessageAction.REGISTER_CLIENT
            assert body["session_id"]
            page = await socket.receive_until(lambda body: "Button" in str(body))
            button = _find(page, "Button")
            click = {"target": button["_i"], "name": "click", "data": None}
            await socket.send(MessageAction.CONTROL_EVENT, click)
            await socket.receive_until(lambda body: "1" in [op[-1] for op in body["patch"][1:]])
        nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_a_signal_stops_it_and_tells_its_clients_to_come_back(
    example: Any, open_socket: Any
) -> None:
    serve = example("trio_websocket_server").serve
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(serve, port=0))
        async with open_socket(url) as socket:
            await socket.register()
            await socket.receive()
            signal.raise_signal(signal.SIGTERM)
            assert await socket.wait_goodbye() == 1012


def _find(value: Any, control: str) -> dict[str, Any]:
    """The first control of this type in what was sent."""
    if isinstance(value, dict) and value.get("_c") == control:
        return value
    children = value.values() if isinstance(value, dict) else value
    for child in children if isinstance(value, dict | list) else ():
        if found := _find(child, control):
            return found
    return {}
