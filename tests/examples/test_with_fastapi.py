from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from flet.messaging.protocol import MessageAction

import flet_anyio
from flet_anyio.testing import InProcess

pytest.importorskip("fastapi")
pytestmark = pytest.mark.anyio


async def test_votes_over_http_reach_the_pages(example: Any) -> None:
    dash = example("with_fastapi")
    transport = httpx.ASGITransport(dash.api)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://test") as http,
        InProcess(dash.main) as app,
        app.connect() as client,
    ):
        await client.see("What shall we drink?")
        assert (await http.post("/votes/tea")).json() == {"tea": 1, "coffee": 0, "water": 0}
        await client.see("1")
        bars = [node["value"] for node in client.page.nodes() if node.type == "ProgressBar"]
        assert bars == [1, 0, 0]


async def test_votes_of_a_page_are_told_over_http_and_on_other_pages(example: Any) -> None:
    dash = example("with_fastapi")
    transport = httpx.ASGITransport(dash.api)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://test") as http,
        InProcess(dash.main) as app,
        app.connect() as one,
        app.connect() as other,
    ):
        await one.click("Water")
        await other.see("1")
        assert (await http.get("/votes")).json() == {"tea": 0, "coffee": 0, "water": 1}


async def test_nobody_can_vote_for_what_is_not_offered(example: Any) -> None:
    transport = httpx.ASGITransport(example("with_fastapi").api)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        assert (await http.post("/votes/beer")).status_code == 404


@pytest.mark.slow
@pytest.mark.usefixtures("hypercorn_runs")
async def test_one_server_answers_http_and_serves_pages(example: Any, open_socket: Any) -> None:
    api = example("with_fastapi").api
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(partial(flet_anyio.serve, api, port=0))
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            page = await http.get("/dash/")
            assert page.status_code == 200
            assert "<title>" in page.text
            async with open_socket(url.replace("http", "ws") + "dash/ws") as socket:
                await socket.register()
                action, body = await socket.receive()
                assert action is MessageAction.REGISTER_CLIENT
                assert body["session_id"]
                await socket.receive_until(lambda body: "What shall we drink?" in str(body))
                await http.post("/votes/coffee")
                await socket.receive_until(lambda body: "1" in [op[-1] for op in body["patch"][1:]])
            assert (await http.get("/votes")).json()["coffee"] == 1
        tasks.cancel_scope.cancel()
