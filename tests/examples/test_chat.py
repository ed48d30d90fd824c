from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flet_anyio.testing import InProcess

if TYPE_CHECKING:
    from flet_anyio.testing import Client

pytestmark = pytest.mark.anyio


async def join(client: Client, name: str) -> None:
    await client.see("Your name")
    client.type("Your name", name)
    await client.click("Join")
    await client.see(f"{name} joined")


def say(client: Client, text: str) -> None:
    field = client.find(type="TextField")
    client.type(field, text)
    client.fire(field, "submit", text)


@pytest.mark.slow
async def test_everybody_sees_what_is_said_and_by_whom(example: Any) -> None:
    async with InProcess(example("chat").main) as app, app.connect() as ada:
        await join(ada, "Ada")
        async with app.connect() as linus:
            await join(linus, "Linus")
            await ada.see("Linus joined")
            say(ada, "Hello!")
            await linus.see("Hello!", "Ada")
            say(linus, "Hi.")
            await ada.see("Hi.", "Linus", "Hello!")


async def test_the_field_is_empty_and_focused_after_sending(example: Any) -> None:
    async with InProcess(example("chat").main) as app, app.connect() as ada:
        await join(ada, "Ada")
        ada.calls.clear()
        say(ada, "Hello!")
        await ada.see("Ada", "Hello!")
        field = ada.find(type="TextField")
        await ada.until(lambda: not field.get("value"))
        await ada.until(lambda: [call["name"] for call in ada.calls] == ["focus"])


async def test_nothing_is_sent_when_nothing_was_typed(example: Any) -> None:
    async with InProcess(example("chat").main) as app, app.connect() as ada:
        await join(ada, "Ada")
        say(ada, "  ")
        say(ada, "Hello!")
        await ada.see("Ada", "Hello!")
        assert "  " not in ada.texts
        assert ada.texts.count("Ada") == 1


async def test_without_a_name_one_stays_outside(example: Any) -> None:
    async with InProcess(example("chat").main) as app, app.connect() as client:
        await client.click("Join")
        await client.until(lambda: client.find("Your name").get("error") == "Who are you?")


async def test_the_others_see_who_leaves(example: Any) -> None:
    async with InProcess(example("chat").main) as app, app.connect() as ada:
        await join(ada, "Ada")
        async with app.connect() as linus:
            await join(linus, "Linus")
            session = app.session_of(linus)
            assert session is not None
            session.close()
            await ada.see("Linus left")
