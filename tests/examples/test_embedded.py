from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from flet.messaging.protocol import MessageAction

from flet_anyio.testing import InProcess

trio = pytest.importorskip("trio")
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


def shows_a_measurement(body: Any) -> bool:
    patch = body.get("patch", [])
    return any(str(part[-1]).endswith(" ms") for part in patch[1:])


async def test_pages_show_what_the_program_measures(example: Any) -> None:
    lateness = example("embedded").Lateness()
    async with InProcess(lateness.show) as app, app.connect() as client, trio.open_nursery() as n:
        await client.see("…")
        n.start_soon(lateness.measure)
        await client.until(lambda: any(text.endswith(" ms") for text in client.texts))
        assert lateness.values[-1] > 0
        n.cancel_scope.cancel()


@pytest.mark.slow
async def test_the_program_serves_beside_its_work_and_ends_in_order(
    example: Any, open_socket: Any
) -> None:
    program = example("embedded").program
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(program, port=0))
        async with open_socket(url.replace("http", "ws") + "ws") as socket:
            await socket.register()
            action, body = await socket.receive()
            assert action is MessageAction.REGISTER_CLIENT
            assert body["session_id"]
            await socket.receive_until(shows_a_measurement)
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                assert await socket.wait_goodbye() == 1012
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream("127.0.0.1", int(url.rstrip("/").rpartition(":")[2]))
