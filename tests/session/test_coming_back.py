"""What lets a client back in, over a whole connection."""

from __future__ import annotations

import logging
import re

import flet as ft
import pytest

from flet_anyio import Limits
from flet_anyio.testing import InProcess
from waiting import gone

pytestmark = pytest.mark.anyio


def main(page: ft.Page) -> None:
    page.add(ft.Text("ready"), ft.TextField(label="Name"))


async def test_the_token_is_not_the_sessions_id() -> None:
    async with InProcess(main) as app, app.connect() as client:
        await client.see("ready")
        assert client.session_id is not None
        assert app.session.id not in client.session_id
        assert app.session.label not in client.session_id


async def test_the_sessions_id_lets_nobody_in() -> None:
    async with InProcess(main) as app, app.connect() as client:
        await client.see("ready")
        session = app.session
        await gone(client)
        client.session_id = session.id
        async with app.connect(after=client) as other:
            assert app.session_of(other) is not session


async def test_a_short_drop_keeps_the_token() -> None:
    async with InProcess(main) as app, app.connect() as client:
        await client.see("ready")
        token = client.session_id
        await gone(client)
        async with app.connect(after=client, live=True) as back:
            assert back.session_id == token


async def test_a_reload_brings_another_token_and_spends_the_one_before() -> None:
    async with InProcess(main) as app, app.connect() as client:
        await client.see("ready")
        session, first = app.session, client.session_id
        await gone(client)
        async with app.connect(after=client) as reloaded:
            assert app.session_of(reloaded) is session
            assert reloaded.session_id != first
            reloaded.set(reloaded.find("Name"), value="x")  # so it has the page
            await gone(reloaded)
            async with app.connect(after=client) as late:
                assert app.session_of(late) is not session
            async with app.connect(after=reloaded) as again:
                assert app.session_of(again) is session


async def test_a_refresh_brings_another_token() -> None:
    async with InProcess(main) as app, app.connect() as client:
        await client.see("ready")
        session, first = app.session, client.session_id
        await gone(client)
        client.page.root["window"]["e"] = "another page"
        async with app.connect(after=client, live=True) as back:
            await back.see("ready")
            assert app.session_of(back) is session
            assert back.session_id != first


async def test_a_lost_answer_costs_nobody_the_session() -> None:
    async with InProcess(main) as app, app.connect() as client:
        await client.see("ready")
        session, first = app.session, client.session_id
        await gone(client)
        for _ in range(3):
            async with app.connect(after=client, register=False) as lost:
                lost.drop_after(1)
                lost.register()
                await lost.until(lambda: lost.closed)
            client.session_id = first
        async with app.connect(after=client) as back:
            assert app.session_of(back) is session


async def test_two_who_show_the_same_token_end_with_a_session_each() -> None:
    limits = Limits(ping_timeout=1)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.see("ready")
        session = app.session
        client.silent = True
        async with (
            app.connect(after=client, register=False) as one,
            app.connect(after=client, register=False) as two,
        ):
            one.register()
            two.register()
            await one.see("ready")
            await two.see("ready")
            # The second finds the first, which answers, where it had asked the old one.
            assert session in (app.session_of(one), app.session_of(two))
            assert app.session_of(one) is not app.session_of(two)
            assert not one.closed
            assert not two.closed


async def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with InProcess(main) as app, app.connect() as client:
        await client.see("ready")
        secrets = [app.session.id, app.session.token.session_key, client.session_id]
        await gone(client)
        async with app.connect(after=client) as back:
            secrets.append(back.session_id)
            back.send_data(77, b"x")
            back.session_id = "forged.token"
        async with app.connect(after=back) as other:
            await other.see("ready")
    for secret in secrets:
        assert secret is not None
        assert not re.search(re.escape(secret), caplog.text)
