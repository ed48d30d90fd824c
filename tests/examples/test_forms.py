from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack
import pytest

from flet_anyio.testing import InProcess

if TYPE_CHECKING:
    from flet_anyio.testing import Client, Node

pytestmark = pytest.mark.anyio


def change(client: Client, control: Node, value: Any) -> None:
    client.set(control, value=value)
    client.fire(control, "change", value)


async def pick_day(client: Client, moment: str) -> None:
    await client.click("Choose a day")
    await client.until(lambda: any(node.type == "DatePicker" for node in client.page.nodes()))
    calendar = client.find(type="DatePicker")
    client.set(calendar, open=False)
    change(client, calendar, msgpack.ExtType(1, moment.encode()))
    client.fire(calendar, "dismiss")


async def fill(client: Client) -> None:
    await client.see("Book a table")
    client.type("Name", "Ada")
    client.type("E-mail", "ada@example.org")
    client.set("Occasion", value="Birthday")
    change(client, client.find(type="Slider"), 5.0)
    client.set("Vegetarian menu", value=True)
    client.set("I will call if I cannot come", value=True)


async def test_a_complete_form_is_confirmed(example: Any) -> None:
    async with InProcess(example("forms").main) as app, app.connect() as client:
        await fill(client)
        await pick_day(client, "2030-05-17T00:00:00+00:00")
        await client.click("Book")
        await client.see("See you, Ada!")
        await client.see(
            "Birthday for 5 guests on 17 May 2030, vegetarian.\nWe will write to ada@example.org."
        )
        await client.click("Close")
        await client.until(lambda: client.find(type="AlertDialog").get("open") is False)


@pytest.mark.parametrize(
    "midnight",
    [
        pytest.param("2030-05-16T11:00:00+00:00", id="UTC+13"),
        pytest.param("2030-05-16T15:00:00+00:00", id="UTC+9"),
        pytest.param("2030-05-17T00:00:00+00:00", id="UTC"),
        pytest.param("2030-05-17T10:00:00+00:00", id="UTC-10"),
    ],
)
async def test_the_day_is_the_one_the_user_chose(example: Any, midnight: str) -> None:
    async with InProcess(example("forms").main) as app, app.connect() as client:
        await client.see("Book a table")
        await pick_day(client, midnight)
        await client.see("17 May 2030")


async def test_an_empty_form_says_what_is_missing(example: Any) -> None:
    async with InProcess(example("forms").main) as app, app.connect() as client:
        await client.see("Book a table")
        assert client.find("Please choose a day")["visible"] is False
        await client.click("Book")
        await client.until(lambda: client.find("Name").get("error") == "Please tell us your name")
        assert client.find("E-mail")["error"] == "This is no e-mail address"
        assert client.find("Occasion")["error_text"] == "Please choose one"
        assert client.find("Please choose a day").get("visible", True)
        assert client.find("I will call if I cannot come")["error"] is True


async def test_complaints_go_when_they_are_met(example: Any) -> None:
    async with InProcess(example("forms").main) as app, app.connect() as client:
        await client.click("Book")
        await client.until(lambda: client.find("Name").get("error"))
        await fill(client)
        await client.click("Book")
        await client.until(lambda: not client.find("Name").get("error"))
        assert not client.find("E-mail").get("error")
        assert client.find("Please choose a day").get("visible", True)
        assert "See you, Ada!" not in client.texts


async def test_one_guest_is_no_guests(example: Any) -> None:
    async with InProcess(example("forms").main) as app, app.connect() as client:
        await client.see("2 guests")
        change(client, client.find(type="Slider"), 1.0)
        await client.see("1 guest")
