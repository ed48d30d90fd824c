"""A client that comes back with its page: every update once, and nothing else touched."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import anyio
import flet as ft
import pytest
from anyio.lowlevel import checkpoint
from flet.messaging.protocol import MessageAction

from flet_anyio import Limits
from flet_anyio.testing import Client, InProcess
from waiting import gone, reached, read_until

pytestmark = pytest.mark.anyio

Edit: TypeAlias = Callable[[random.Random, ft.Page, ft.Column], None]


def in_place(client: Client) -> bool:
    """Whether the client kept its page when it registered."""
    (reply,) = [
        body for action, body in client.received if action == MessageAction.REGISTER_CLIENT.value
    ]
    return not reply["page_patch"]


def shown(client: Client) -> list[tuple[Any, ...]]:
    return [
        (node.id, node.type, node.get("value"), node.get("visible", True) is not False)
        for node in client.page.nodes()
        if node.type in ("Page", "View", "Column", "Row", "Text")
    ]


def send_queued(client: Client, field: ft.TextField, value: str) -> None:
    """Send what the user typed while away: the client shows it no more, or not yet."""
    body = {"id": field._i, "props": {"value": value}}
    client.send(MessageAction.UPDATE_CONTROL_PROPS, body)


def say_closed(client: Client, dialog: int) -> None:
    """Say what the client says when it has closed a dialog, whoever wanted that."""
    body = {"id": dialog, "props": {"open": False}}
    client.send(MessageAction.UPDATE_CONTROL_PROPS, body)
    client.fire(dialog, "dismiss")


async def turns_of(client: Client) -> None:
    """Wait until the app has acted on all that the client has said so far."""
    for _ in range(20):
        await checkpoint()


def field_of(app: InProcess) -> ft.TextField:
    field = app.session.page.controls[0]
    assert isinstance(field, ft.TextField)
    return field


def field_and_text(page: ft.Page) -> None:
    page.add(ft.TextField(label="Name"), ft.Text("start"))


async def test_a_short_drop_costs_nothing() -> None:
    async with InProcess(field_and_text) as app, app.connect() as client:
        await client.see("start")
        await gone(client)
        async with app.connect(after=client, live=True) as back:
            assert in_place(back)
            assert len(back.received) == 1


async def test_what_was_lost_on_the_way_is_given_again() -> None:
    async with InProcess(field_and_text) as app, app.connect() as client:
        await client.see("start")
        client.drop_after(1)
        for number in range(5):
            app.session.page.add(ft.Text(f"text {number}"))
            # One of another control, or all of them would be sent in one frame.
            field = app.session.page.controls[0]
            assert isinstance(field, ft.TextField)
            field.width = number
            field.update()
        await client.until(lambda: client.closed)
        assert "text 4" not in client.texts
        async with app.connect(after=client, live=True) as back:
            assert in_place(back)
            assert back.texts == ["Name", "start", *(f"text {number}" for number in range(5))]
            app.session.page.add(ft.Text("later"))
            await back.see("later")


async def test_what_changed_while_away_is_there_before_the_reply() -> None:
    async with InProcess(field_and_text) as app, app.connect() as client:
        await client.see("start")
        client.drop()
        session = app.session
        await client.until(lambda: client.closed)
        session.page.add(ft.Text("while away"))
        async with app.connect(after=client, live=True, register=False) as back:
            back.register()
            await back.until(lambda: back.registered)
            assert in_place(back)
            assert "while away" in back.texts


async def test_more_than_is_kept_becomes_one_update() -> None:
    limits = Limits(journal_bytes=200)
    async with InProcess(field_and_text, limits=limits) as app, app.connect() as client:
        await client.see("start")
        client.drop()
        session = app.session
        await client.until(lambda: client.closed)
        for number in range(50):
            session.page.add(ft.Text(f"text {number}"))
        for _ in range(45):
            session.page.controls.pop()
            session.page.update()
        async with app.connect(after=client, live=True) as back:
            assert in_place(back)
            assert back.texts == ["Name", "start", *(f"text {number}" for number in range(5))]
            patches = [body for action, body in back.received if action == 2]
            assert len(patches) < 10
            session.page.add(ft.Text("later"))
            await back.see("later")


async def test_a_client_that_goes_away_during_a_refresh_is_refreshed_again() -> None:
    limits = Limits(journal_bytes=1)
    async with InProcess(field_and_text, limits=limits) as app, app.connect() as client:
        await client.see("start")
        app.session.page.add(ft.Text("more"))
        await gone(client)
        client.page.root["window"]["e"] = "another page"
        async with app.connect(after=client, live=True, register=False) as second:
            second.silent = True  # never builds the stand-in
            second.register()
            await second.until(lambda: second.registered)
            assert "start" not in second.texts
        async with app.connect(after=second, live=True) as third:
            assert not in_place(third)
            await third.see("start", "more")


async def test_a_refresh_leaves_nothing_of_the_old_page() -> None:
    def main(page: ft.Page) -> None:
        page.theme = ft.Theme(scaffold_bgcolor=ft.Colors.RED)
        page.overlay.append(ft.Text("over"))
        page.add(ft.Text("start"))

    async with InProcess(main) as app, app.connect() as client:
        await client.see("start", "over")
        page = app.session.page
        await gone(client)
        client.page.root["window"]["e"] = "another page"
        page.theme = ft.Theme(color_scheme_seed=ft.Colors.GREEN)
        page.overlay.clear()
        page.update()
        async with app.connect(after=client, live=True) as back:
            await back.see("start")
            assert back.texts == ["start"]
            theme = back.page.root["theme"]
            assert theme["color_scheme_seed"] == "green"
            assert "scaffold_bgcolor" not in theme


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_refresh_gets_below_a_dialog_that_the_client_still_shows(restarted: bool) -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Text("start"))

    async with InProcess(main) as app, app.connect() as client:
        await client.see("start")
        page = app.session.page
        page.show_dialog(ft.AlertDialog(content=ft.Text("dialog")))
        await client.see("dialog")
        await gone(client)
        page.pop_dialog()
        client.page.root["window"]["e"] = "another page"
        if restarted:
            app.session.close()
            await reached(lambda: not app.sessions)
        async with app.connect(after=client, live=True, register=False) as back:
            back.silent = True  # never builds the stand-in
            back.register()
            await back.until(lambda: back.registered)
            assert back.page.root["views"][0]["route"] == "/~"


async def test_a_refreshed_page_takes_updates_when_it_has_built_its_views() -> None:
    async with InProcess(field_and_text) as app, app.connect() as client:
        await client.see("start")
        page = app.session.page
        client.page.root["window"]["e"] = "another page"
        await gone(client)
        async with app.connect(after=client, live=True, register=False) as back:
            back.silent = True
            back.register()
            await back.until(lambda: len(back.calls) == 1)
            back.reply(back.calls[0])
            await back.until(lambda: len(back.calls) == 2)
            assert back.calls[1]["control_id"] == page.views[-1]._i
            assert "start" in back.texts
            page.show_dialog(ft.AlertDialog(content=ft.Text("dialog")))
            await turns_of(back)
            assert "dialog" not in back.texts
            back.reply(back.calls[1])
            await back.see("dialog")


async def test_an_open_dialog_belongs_to_the_views_that_a_refresh_ends_with() -> None:
    async with InProcess(field_and_text) as app, app.connect() as client:
        await client.see("start")
        page = app.session.page
        dialog = ft.AlertDialog(content=ft.Text("dialog"))
        page.show_dialog(dialog)
        await client.see("dialog")
        old = client.find(type="AlertDialog").id
        client.page.root["window"]["e"] = "another page"
        await gone(client)
        async with app.connect(after=client, live=True, register=False) as back:
            back.silent = True
            back.register()
            await back.until(lambda: back.calls)
            assert "dialog" not in back.texts
            back.silent = False
            back.reply(back.calls[0])
            await back.see("dialog")
            # The old views close theirs, which is not the user's doing.
            say_closed(back, old)
            await turns_of(back)
            assert dialog.open
            page.pop_dialog()
            await back.until(lambda: back.find(type="AlertDialog").get("open") is False)
            say_closed(back, back.find(type="AlertDialog").id)
            await back.until(lambda: "dialog" not in back.texts)


async def test_what_is_said_of_a_page_that_a_server_before_drew_is_not_heard() -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.TextField(label="Name"), ft.Button("go", on_click=clicks.append))

    clicks: list[Any] = []
    async with InProcess(main) as app, app.connect() as client:
        await client.see("go")
        client.page.root["window"]["e"] = "another page"
        app.session.close()
        await reached(lambda: not app.sessions)
        async with app.connect(after=client, live=True, register=False) as back:
            back.silent = True
            back.register()
            await back.until(lambda: back.calls)
            _, button = app.session.page.controls
            send_queued(back, field_of(app), "not of this page")
            back.fire(button._i, "click")
            back.silent = False
            back.reply(back.calls[0])
            await back.see("go")
            await back.click("go")
            await reached(lambda: clicks)
            assert len(clicks) == 1
            assert not field_of(app).value


async def test_an_update_that_may_have_been_half_done_is_not_repeated() -> None:
    def main(page: ft.Page) -> None:
        page.add(ft.Column([ft.Text("start")], key="column"))

    async with InProcess(main, renderer="flet") as app, app.connect() as client:
        await client.see("start")
        column = app.session.page.controls[0]
        assert isinstance(column, ft.Column)
        client.drop_after(2)  # that it begins, and the patch; not that it has ended
        column.controls.append(ft.Text("added"))
        column.update()
        await client.until(lambda: client.closed)
        assert client.texts == ["start", "added"]
        async with app.connect(after=client, live=True) as back:
            await back.see("added")
            assert back.texts == ["start", "added"]
            assert not in_place(back)


async def test_where_user_and_app_changed_the_same_the_user_counts() -> None:
    async with InProcess(field_and_text) as app, app.connect() as client:
        await client.see("start")
        page = app.session.page
        field = field_of(app)
        await gone(client)
        field.value = "from the app"
        page.update()
        async with app.connect(after=client, live=True, register=False) as back:
            back.silent = True
            back.register()
            await back.until(lambda: back.registered)
            assert back.find("Name")["value"] == "from the app"
            # What the client had queued comes before its answer to the barrier.
            send_queued(back, field, "from the user")
            await back.until(lambda: back.calls)
            back.reply(back.calls[0], error="no such control")
            await back.until(lambda: back.find("Name")["value"] == "from the user")
            assert field.value == "from the user"


async def test_a_field_is_not_set_again_where_only_others_were() -> None:
    # Flutter would move the cursor to the end of it.
    async with InProcess(field_and_text) as app, app.connect() as client:
        await client.see("start")
        text, field = app.session.page.controls[1], field_of(app)
        assert isinstance(text, ft.Text)
        # Without its number: it is given again to a client that may have it.
        text.value = "changed"
        text.update()
        await client.see("changed")
        client.set("Name", value="typed")
        await turns_of(client)
        assert field.value == "typed"
        client.drop()
        async with app.connect(after=client, live=True) as back:
            await back.see("changed")
            await turns_of(back)
            patches = [body for action, body in back.received if action == 2]
            assert [body["id"] for body in patches] == [text._i]


async def test_the_users_change_counts_also_when_it_waits_behind_an_event() -> None:
    busy = anyio.Event()

    def main(page: ft.Page) -> None:
        async def wait() -> None:
            await busy.wait()

        page.add(ft.TextField(label="Name"), ft.Button("wait", on_click=wait))

    limits = Limits(events_in_flight=1)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.see("wait")
        page = app.session.page
        field = field_of(app)
        await gone(client)
        field.value = "from the app"
        page.update()
        async with app.connect(after=client, live=True, register=False) as back:
            back.silent = True
            back.register()
            await back.until(lambda: back.calls)
            await back.click("wait")
            await back.click("wait")  # and what follows waits behind it
            send_queued(back, field, "from the user")
            back.reply(back.calls[0], error="no such control")
            await turns_of(back)
            assert field.value == "from the app"
            busy.set()
            await back.until(lambda: back.find("Name")["value"] == "from the user")


async def test_what_the_user_did_before_a_refresh_is_shown_after_it() -> None:
    async with InProcess(field_and_text) as app, app.connect() as client:
        await client.see("start")
        field = field_of(app)
        client.page.root["window"]["e"] = "another page"
        await gone(client)
        async with app.connect(after=client, live=True, register=False) as back:
            back.silent = True
            back.register()
            await back.until(lambda: back.calls)
            send_queued(back, field, "typed while away")
            back.silent = False
            back.reply(back.calls[0])
            await back.until(
                lambda: (
                    "start" in back.texts and back.find("Name").get("value") == "typed while away"
                )
            )


async def test_the_users_change_counts_that_crossed_an_update_the_client_never_got() -> None:
    async with (
        InProcess(field_and_text) as app,
        app.connect(frames=0, register=False) as client,
    ):
        client.register()
        await client.read_one()
        await read_until(client, "start")
        field = field_of(app)
        field.value = "from the app"
        field.update()
        client.set("Name", value="from the user")
        await reached(lambda: field.value == "from the user")
        async with app.connect(after=client, live=True) as back:
            await back.until(lambda: back.find("Name")["value"] == "from the user")


async def test_the_users_change_counts_when_the_client_leaves_before_the_barrier() -> None:
    async with InProcess(field_and_text) as app, app.connect() as client:
        await client.see("start")
        field = field_of(app)
        await gone(client)
        field.value = "from the app"
        field.update()
        async with app.connect(after=client, live=True, register=False) as second:
            second.silent = True
            second.register()
            await second.until(lambda: second.calls)
            send_queued(second, field, "from the user")
            await reached(lambda: field.value == "from the user")
        async with app.connect(after=second, live=True) as back:
            await back.until(lambda: back.find("Name")["value"] == "from the user")


# --- random programs --------------------------------------------------------------------------


def append(rng: random.Random, page: ft.Page, column: ft.Column) -> None:
    page.controls.append(ft.Text(f"text {rng.random()}"))
    page.update()


def insert(rng: random.Random, page: ft.Page, column: ft.Column) -> None:
    page.controls.insert(rng.randint(0, len(page.controls)), ft.Text(f"text {rng.random()}"))
    page.update()


def remove(rng: random.Random, page: ft.Page, column: ft.Column) -> None:
    texts = [control for control in page.controls if isinstance(control, ft.Text)]
    if texts:
        page.controls.remove(rng.choice(texts))
        page.update()


def shuffle(rng: random.Random, page: ft.Page, column: ft.Column) -> None:
    rng.shuffle(page.controls)
    page.update()


def change(rng: random.Random, page: ft.Page, column: ft.Column) -> None:
    for control in page.controls:
        if isinstance(control, ft.Text) and rng.random() < 0.5:
            control.value = f"changed {rng.random()}"
            control.visible = rng.random() < 0.8
    page.update()


def change_one(rng: random.Random, page: ft.Page, column: ft.Column) -> None:
    if column.controls:
        text = rng.choice(column.controls)
        assert isinstance(text, ft.Text)
        text.value = f"own {rng.random()}"
        text.update()


def grow_column(rng: random.Random, page: ft.Page, column: ft.Column) -> None:
    column.controls.insert(rng.randint(0, len(column.controls)), ft.Text(f"in {rng.random()}"))
    column.update()


def empty_column(rng: random.Random, page: ft.Page, column: ft.Column) -> None:
    del column.controls[rng.randint(0, len(column.controls)) :]
    column.update()


EDITS: list[Edit] = [
    append,
    insert,
    remove,
    shuffle,
    change,
    change_one,
    grow_column,
    empty_column,
]


@pytest.mark.parametrize("seed", range(12))
async def test_random_edits_and_drops_end_with_the_same_page(seed: int) -> None:
    rng = random.Random(seed)

    def main(page: ft.Page) -> None:
        page.add(ft.Text("start"), ft.Column([ft.Text("first")]))

    limits = Limits(journal_bytes=rng.choice([1_000, 100_000]))
    kept = 0
    async with InProcess(main, limits=limits) as app, AsyncExitStack() as connections:
        client = await connections.enter_async_context(app.connect())
        await client.see("first")
        page = app.session.page
        column = next(c for c in page.controls if isinstance(c, ft.Column))
        for turn in range(8):
            client.drop_after(rng.randint(0, 12))
            for _ in range(rng.randint(0, 10)):
                rng.choice(EDITS)(rng, page, column)
            while not client.closed:
                page.add(ft.Text("something to lose"))
                await checkpoint()
            for _ in range(rng.randint(0, 3)):
                rng.choice(EDITS)(rng, page, column)
            client = await connections.enter_async_context(app.connect(after=client, live=True))
            kept += in_place(client)
            page.add(ft.Text(f"back {turn}"))
            await client.see(f"back {turn}")
            live = shown(client)
            client.drop()
            client = await connections.enter_async_context(app.connect(after=client))
            await client.see(f"back {turn}")
            assert shown(client) == live
    assert kept


async def test_a_control_whose_arrival_is_not_sure_is_not_given_twice() -> None:
    # The client would have two of it: one on the screen, and another that is updated.
    box = ft.Container()
    async with (
        InProcess(lambda page: page.add(box, ft.Text("start")), renderer="flet") as app,
        app.connect() as client,
    ):
        await client.see("start")
        client.drop_after(2)  # that it begins, and the patch; not that it has ended
        box.content = ft.Text("content")
        box.update()
        await client.until(lambda: client.closed)
        assert "content" in client.texts
        async with app.connect(after=client, live=True) as back:
            assert not in_place(back)
            await back.see("content")


@pytest.mark.parametrize("frames", [0, 1])
async def test_a_dialog_comes_whole_or_not_at_all(frames: int) -> None:
    async with InProcess(field_and_text) as app, app.connect() as client:
        await client.see("start")
        client.drop_after(frames)
        app.session.page.show_dialog(ft.AlertDialog(content=ft.Text("dialog")))
        await client.until(lambda: client.closed)
        assert ("dialog" in client.texts) == bool(frames)
        async with app.connect(after=client, live=True) as back:
            assert in_place(back)
            assert back.texts.count("dialog") == 1


async def test_a_value_is_given_again_where_its_arrival_is_not_sure() -> None:
    async with InProcess(field_and_text) as app, app.connect() as client:
        await client.see("start")
        text = app.session.page.controls[1]
        assert isinstance(text, ft.Text)
        client.drop_after(1)
        text.value = "changed"
        text.update()
        await client.until(lambda: client.closed)
        async with app.connect(after=client, live=True) as back:
            assert in_place(back)
            assert "changed" in back.texts
