"""What a broken or hostile client sends ends its own connection, and nothing else."""

from __future__ import annotations

from typing import Any

import flet as ft
import msgpack
import pytest
from flet.messaging.protocol import MessageAction

from flet_anyio import Limits
from flet_anyio.testing import InProcess
from logged import warnings_of

pytestmark = pytest.mark.anyio

EVENT = MessageAction.CONTROL_EVENT
UPDATE = MessageAction.UPDATE_CONTROL_PROPS
REPLY = MessageAction.INVOKE_METHOD


def counter(page: ft.Page) -> None:
    count = ft.Text("0")

    def add() -> None:
        count.value = str(int(count.value) + 1)

    page.add(count, ft.Button("+", on_click=add), ft.TextField(label="Name"))


def message(action: int, body: Any) -> bytes:
    packed: bytes = msgpack.packb([action, body])
    return b"\x00" + packed


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param("text", 1003, id="text frame"),
        pytest.param(b"", 1007, id="empty frame"),
        pytest.param(b"\x07abc", 1003, id="unknown packet type"),
        pytest.param(b"\x00\xc1\xc1", 1007, id="broken msgpack"),
        pytest.param(b"\x00", 1007, id="no message"),
        pytest.param(b"\x01\x00", 1007, id="short data packet"),
        pytest.param(message(99, {}), 1002, id="unknown action"),
        pytest.param(message(2, {"id": 1, "patch": []}), 1002, id="server's action"),
        pytest.param(message(3, {"target": "x"}), 1007, id="wrong type"),
        pytest.param(message(4, {"id": 1, "props": 5}), 1007, id="wrong shape"),
        pytest.param(message(1, {"session_id": None, "page": {}}), 1002, id="second register"),
    ],
)
async def test_it_closes_this_connection_and_is_logged_once(
    frame: bytes | str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with InProcess(counter) as app, app.connect() as healthy, app.connect() as client:
        await client.see("+")
        client.transport.client_send(frame)
        await client.until(lambda: client.closed)
        assert client.transport.close_code == code
        assert len(warnings_of(caplog)) == 1
        await healthy.click("+")
        await healthy.see("1")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(message(3, {"target": 1, "name": "click"}), 1002, id="event"),
        pytest.param(message(4, {"id": 1, "props": {}}), 1002, id="properties"),
        pytest.param(message(5, {"control_id": 1, "call_id": "1"}), 1002, id="reply"),
        pytest.param(b"\x01\x00\x00\x00\x00", 1002, id="data"),
        pytest.param("text", 1003, id="text"),
        pytest.param(message(1, {"page": None}), 1007, id="broken register"),
        pytest.param(message(1, {"page": {"media": 5}, "session_id": None}), 1007, id="media"),
        pytest.param(
            message(1, {"page": {"platform": "amiga"}, "session_id": None}), 1007, id="platform"
        ),
        pytest.param(message(1, {"page": {"window": 5}, "session_id": None}), 1007, id="window"),
    ],
)
async def test_what_comes_before_registration_makes_no_session(
    frame: bytes | str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with InProcess(counter) as app, app.connect(register=False) as client:
        client.transport.client_send(frame)
        await client.until(lambda: client.closed)
        assert client.transport.close_code == code
        assert not app.sessions
        assert len(warnings_of(caplog)) == 1


async def test_a_client_that_leaves_before_registration_leaves_nothing() -> None:
    async with InProcess(counter) as app:
        async with app.connect(register=False):
            pass
        assert not app.sessions


async def test_a_frame_that_is_too_large_is_refused() -> None:
    limits = Limits(message_bytes=1000)
    async with InProcess(counter, limits=limits) as app, app.connect() as client:
        client.transport.client_send(bytes(1001))
        await client.until(lambda: client.closed)
        assert client.transport.close_code == 1009


@pytest.mark.parametrize(
    ("action", "body"),
    [
        pytest.param(EVENT, {"target": 999_999, "name": "click"}, id="unknown control"),
        pytest.param(EVENT, {"target": 1, "name": "no_such_event"}, id="unknown event"),
        pytest.param(UPDATE, {"id": 999_999, "props": {"value": 1}}, id="gone control"),
        pytest.param(REPLY, {"control_id": 1, "call_id": "99"}, id="unknown call"),
    ],
)
async def test_what_may_have_crossed_a_change_on_the_way_is_ignored(
    action: MessageAction, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with InProcess(counter) as app, app.connect() as client:
        client.send(action, body)
        await client.click("+")
        await client.see("1")
        assert not warnings_of(caplog)


async def test_a_data_frame_for_no_channel_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    async with InProcess(counter) as app, app.connect() as client:
        client.send_data(77, b"abc")
        await client.click("+")
        await client.see("1")
        assert not warnings_of(caplog)


@pytest.mark.parametrize(
    ("action", "body"),
    [
        pytest.param(EVENT, {"target": 1, "name": "resize", "data": {"w": 1}}, id="event data"),
        pytest.param(UPDATE, {"id": 1, "props": {"platform_brightness": "dim"}}, id="enum"),
        pytest.param(UPDATE, {"id": 1, "props": {"media": {"padding": 5}}}, id="nested"),
        pytest.param(
            UPDATE, {"id": 1, "props": {"platform_brightness": None}}, id="enum of nothing"
        ),
    ],
)
async def test_values_that_fit_no_type_close_the_connection(
    action: MessageAction, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with InProcess(counter) as app, app.connect() as client:
        client.send(action, body)
        await client.until(lambda: client.closed)
        assert client.transport.close_code == 1007
        assert len(warnings_of(caplog)) == 1
        async with app.connect(after=client, live=True) as again:
            await again.click("+")
            await again.see("1")


async def test_what_is_not_the_clients_is_not_set_in_parts_either() -> None:
    parts = {"_i": 77, "_values": 5, "on_event": 5, "data": 5, "opacity": 0.5}
    async with InProcess(counter) as app, app.connect(register=False) as client:
        client.register(window=parts)
        await client.see("+")
        window = app.session.page.window
        assert (window._i, window.on_event, window.data) == (2, None, None)
        assert window.opacity == 0.5
