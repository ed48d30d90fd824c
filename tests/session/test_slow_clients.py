"""Clients that take updates more slowly than the app makes them."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import anyio
import flet as ft
import pytest

from flet_anyio import Limits, OutboxFull, TransportClosed
from flet_anyio.testing import Client, InProcess
from waiting import gone, reached, read_until

pytestmark = pytest.mark.anyio

SMALL = Limits(journal_bytes=300)


def main(page: ft.Page) -> None:
    page.add(ft.TextField(label="Name"), ft.Text("start", key="status"), ft.Column([]))


def parts(app: InProcess) -> tuple[ft.Page, ft.TextField, ft.Text, ft.Column]:
    page = app.session.page
    field, status, column = page.controls[:3]
    assert isinstance(field, ft.TextField)
    assert isinstance(status, ft.Text)
    assert isinstance(column, ft.Column)
    return page, field, status, column


def receipts(client: Client) -> list[dict[str, Any]]:
    """The receipts that the client was asked for."""
    return [call for call in client.calls if ":" in call["call_id"]]


async def confirm_all(client: Client) -> None:
    await client.until(lambda: receipts(client))
    for call in receipts(client):
        client.reply(call, error="no such control")


def fall_behind(app: InProcess) -> None:
    page, _, status, _ = parts(app)
    for number in range(30):
        status.value = f"number {number}"
        page.update()


async def test_the_last_state_comes_in_one_update_when_the_client_has_caught_up() -> None:
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        client.silent = True
        fall_behind(app)
        await client.until(lambda: receipts(client))
        before = len(client.received)
        assert before < 20
        assert "number 29" not in client.texts
        await confirm_all(client)
        await client.see("number 29")
        patches = [body for action, body in client.received[before:] if action == 2]
        # The last one that was not kept back, and all the others.
        assert len(patches) <= 2
        assert "number 29" in str(patches[-1])


async def test_a_client_that_keeps_up_gets_each_update() -> None:
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        _, _, status, _ = parts(app)
        for number in range(50):
            status.value = f"number {number}"
            status.update()
            await client.see(f"number {number}")


async def test_what_was_added_and_removed_meanwhile_was_never_there() -> None:
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        page, _, _, column = parts(app)
        client.silent = True
        fall_behind(app)
        mounted: list[str] = []

        class Told(ft.Text):
            def did_mount(self) -> None:
                mounted.append(str(self.value))

            def will_unmount(self) -> None:
                mounted.remove(str(self.value))

        rows = [Told(f"row {number}") for number in range(200)]
        for row in rows:
            column.controls.append(row)
            column.update()
            row.update()  # it is on the page, whatever the client has
        assert len(mounted) == 200
        del column.controls[:195]
        page.update()
        assert len(mounted) == 5
        await confirm_all(client)
        await client.see(*(f"row {number}" for number in range(195, 200)))
        assert len([text for text in client.texts if text.startswith("row")]) == 5
        assert len(client.frames) < 30


async def test_what_the_user_typed_meanwhile_is_not_sent_back() -> None:
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        _, field, _, _ = parts(app)
        client.silent = True
        fall_behind(app)
        before = len(client.received)
        client.set(field._i, value="typed")
        await reached(lambda: field.value == "typed")
        client.find("Name").fields["value"] = "typed on"
        await confirm_all(client)
        await client.see("number 29")
        patches = [body for action, body in client.received[before:] if action == 2]
        assert not any("typed" in str(patch) for patch in patches)
        assert client.find("Name")["value"] == "typed on"


async def test_what_the_app_set_meanwhile_is_sent_also_where_the_user_typed() -> None:
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        _, field, _, _ = parts(app)
        client.silent = True
        fall_behind(app)
        client.set(field._i, value="typed")
        await reached(lambda: field.value == "typed")
        field.value = ""
        field.update()
        await confirm_all(client)
        await client.until(lambda: client.find("Name").get("value") in (None, ""))


async def test_a_call_comes_after_the_control_it_is_for() -> None:
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        page, *_ = parts(app)
        client.silent = True
        fall_behind(app)
        field = ft.TextField(label="Added")
        page.add(field)
        assert "Added" not in client.texts
        app.session.run_task(field.focus)
        await client.until(lambda: [c for c in client.calls if c["name"] == "focus"])
        assert "Added" in client.texts
        assert "number 29" in client.texts


async def test_an_error_meanwhile_is_shown_in_the_end() -> None:
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        client.silent = True
        fall_behind(app)
        for number in range(100):
            app.session.error(f"error {number}")
        await confirm_all(client)
        await client.until(lambda: client.errors)
        assert client.errors == ["error 99"]
        await client.see("number 29")


async def test_one_that_goes_away_behind_comes_back_in_place() -> None:
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        page, _, status, _ = parts(app)
        client.silent = True
        fall_behind(app)
        await gone(client)
        status.value = "while away"
        page.update()
        async with app.connect(after=client, live=True) as back:
            (reply,) = [body for action, body in back.received if action == 1]
            assert reply["page_patch"] == {}
            assert "while away" in back.texts
            status.value = "later"
            page.update()
            await back.see("later")


async def test_what_cannot_be_drawn_elsewhere_costs_no_other_update(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        _, _, status, column = parts(app)
        client.silent = True
        column.tooltip = object()  # type: ignore[assignment]  # not updated, so not seen yet
        for number in range(30):
            status.value = f"number {number} {'x' * 20}"
            status.update()
        assert "a page cannot be drawn" in caplog.text
        column.tooltip = None
        await gone(client)
        status.value = "mended"
        status.update()
        async with app.connect(after=client, live=True) as back:
            await back.see("mended")


def some_edit(rng: random.Random, app: InProcess) -> None:
    page, field, status, column = parts(app)
    rows = column.controls
    match rng.randint(0, 6):
        case 0:
            rows.insert(rng.randint(0, len(rows)), ft.Text(f"row {rng.random()}"))
        case 1 if rows:
            del rows[rng.randrange(len(rows))]
        case 2:
            rng.shuffle(rows)
        case 3:
            status.value = f"status {rng.random()}"
            status.visible = rng.random() < 0.8
        case 4:
            field.value = f"field {rng.random()}"
        case 5:
            inner = ft.Row([ft.Text(f"inner {rng.random()}") for _ in range(rng.randint(0, 3))])
            rows.append(inner)
        case 6:
            page.appbar = ft.AppBar(title=ft.Text(f"bar {rng.random()}"))
    page.update()


@pytest.mark.parametrize("seed", range(10))
async def test_random_edits_and_pauses_end_with_the_same_page(seed: int) -> None:
    rng = random.Random(seed)
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        done = 0
        for turn in range(10):
            client.silent = True
            for _ in range(rng.randint(0, 30)):
                some_edit(rng, app)
            client.silent = False
            for call in receipts(client)[done:]:
                client.reply(call)
            done = len(receipts(client))
            app.session.page.add(ft.Text(f"turn {turn}"))
            await client.see(f"turn {turn}")
        shown = [(node.id, node.type, node.texts) for node in client.page.nodes()]
        client.drop()
        async with app.connect(after=client) as reloaded:
            await reached(lambda: reloaded.registered)
            again = [(node.id, node.type, node.texts) for node in reloaded.page.nodes()]
            assert sorted(shown) == sorted(again)


# --- what cannot wait -------------------------------------------------------------------------


async def test_a_call_beyond_the_bound_fails_at_its_caller() -> None:
    limits = Limits(outbox_bytes=2_000)
    async with (
        InProcess(main, limits=limits) as app,
        app.connect(frames=0, register=False) as client,
    ):
        client.register()
        await read_until(client, "start")
        session = app.session
        async with anyio.create_task_group() as tasks:
            call = session.invoke_method
            tasks.start_soon(call, 1, "method", {"text": "x" * 1_500}, 60)
            await anyio.wait_all_tasks_blocked()  # the writer has taken it, and waits
            tasks.start_soon(call, 1, "method", {"text": "x" * 1_500}, 60)
            await reached(lambda: session.pending_calls == 2)
            with pytest.raises(OutboxFull, match=r"Limits\.outbox_bytes"):
                await call(1, "method", {"text": "x" * 1_500}, 60)
            assert session.pending_calls == 2
            assert session.attached
            tasks.cancel_scope.cancel()
        assert session.pending_calls == 0


async def test_a_data_frame_beyond_the_bound_fails_at_its_sender() -> None:
    limits = Limits(outbox_bytes=2_000)
    async with (
        InProcess(main, limits=limits) as app,
        app.connect(frames=0, register=False) as client,
    ):
        client.register()
        await read_until(client, "start")
        channel = app.connections[0].data_channel_for(7)
        channel.send(b"x" * 1_500)
        await anyio.wait_all_tasks_blocked()  # the writer has taken it, and waits
        channel.send(b"x" * 1_500)
        with pytest.raises(OutboxFull):
            channel.send(b"x" * 1_500)
        assert app.session.attached


async def test_an_update_that_does_not_fit_is_not_sent_in_part() -> None:
    limits = Limits(outbox_bytes=5_000)
    async with (
        InProcess(main, limits=limits) as app,
        app.connect(frames=0, register=False) as client,
    ):
        client.register()
        await read_until(client, "start")
        _, _, status, column = parts(app)
        status.value = "small"
        status.update()
        column.controls.append(ft.Text("x" * 10_000))
        column.update()
        with suppress(TransportClosed):
            while True:
                await client.read_one()
        async with app.connect(after=client, live=True) as back:
            await back.see("x" * 10_000)
            assert back.texts.count("x" * 10_000) == 1


async def test_more_than_fits_is_no_reason_not_to_come_back() -> None:
    limits = Limits(outbox_bytes=2_000)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.see("start")
        page, *_ = parts(app)
        await gone(client)
        for number in range(50):
            page.add(ft.Text(f"{number} {'x' * 100}"))
        async with app.connect(after=client, live=True) as back:
            await back.see(f"49 {'x' * 100}")
            assert not back.closed


async def test_a_list_that_was_empty_is_filled() -> None:
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        page, _, status, _ = parts(app)
        status.spans = []
        client.silent = True
        fall_behind(app)
        status.spans = [ft.TextSpan("a span")]
        page.update()
        await confirm_all(client)
        await client.see("a span")


async def test_components_that_fill_the_journal_are_drawn_once() -> None:
    set_rows: list[Any] = []

    @ft.component
    def rows() -> ft.Column:
        names, set_names = ft.use_state(["a", "b"])
        set_rows.append(set_names)
        return ft.Column([ft.Text(name, key=name) for name in names])

    async with (
        InProcess(lambda page: page.render(rows), limits=SMALL) as app,
        app.connect() as client,
    ):
        await client.see("a", "b")
        client.silent = True
        names = ["a", "b"]
        for number in range(12):
            names = [*names, f"row {number}"] if number % 3 else names[1:]
            app.session.tasks.fresh_context().run(set_rows[-1], names)
            await anyio.wait_all_tasks_blocked()
        client.silent = False
        for call in receipts(client):
            client.reply(call)
        await client.until(lambda: client.texts == names)


async def test_calls_force_no_more_on_a_client_that_confirms_nothing() -> None:
    async with InProcess(main, limits=SMALL) as app, app.connect() as client:
        await client.see("start")
        page, *_ = parts(app)
        client.silent = True
        session = app.session
        refused = None
        for number in range(100):
            page.add(ft.Text(f"row {number} {'x' * 50}"))
            try:
                await session.invoke_method(1, "method", None, 0.001)
            except TimeoutError:
                continue
            except OutboxFull as error:
                refused = error
                break
        assert refused is not None
        assert "the limit is 600 (Limits.journal_bytes)" in str(refused)
        assert session.attached
