from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flet_anyio.testing import InProcess

if TYPE_CHECKING:
    from flet_anyio.testing import Client

pytestmark = pytest.mark.anyio


def titles(client: Client) -> list[str]:
    return [node["label"] for node in client.page.nodes() if node.type == "Checkbox"]


async def add(client: Client, *tasks: str) -> None:
    await client.see("To do")
    field = client.find(type="TextField")
    for task in tasks:
        # Pasted, all in one.
        client.set(field, value=task)
        client.fire(field, "change", task)
        client.fire(field, "submit", task)
        await client.until(lambda: task in titles(client) and not field.get("value"))  # noqa: B023


def tick(client: Client, task: str) -> None:
    box = client.find(task, type="Checkbox")
    client.set(box, value=not box.get("value", False))
    client.fire(box, "change", box["value"])


def choose(client: Client, name: str) -> None:
    filters = client.find(type="SegmentedButton")
    client.set(filters, selected=[name])
    client.fire(filters, "change", [name])


async def test_tasks_are_added_in_order(example: Any) -> None:
    async with InProcess(example("todo").main) as app, app.connect() as client:
        await add(client, "bake", "eat")
        await client.see("2 left")
        assert titles(client) == ["bake", "eat"]


async def test_no_key_of_a_fast_typist_is_lost(example: Any) -> None:
    async with InProcess(example("todo").main) as app, app.connect() as client:
        await client.see("To do")
        field = client.find(type="TextField")
        client.type(field, "bake a cake")
        client.fire(field, "submit", "bake a cake")
        await client.see("1 left")
        assert titles(client) == ["bake a cake"]


async def test_an_empty_task_is_not_added(example: Any) -> None:
    async with InProcess(example("todo").main) as app, app.connect() as client:
        await client.see("0 left")
        client.fire(client.find(type="TextField"), "submit", "")
        await client.until(lambda: [call["name"] for call in client.calls] == ["focus"])
        await add(client, "bake")
        assert titles(client) == ["bake"]


async def test_done_tasks_are_struck_out_and_not_counted(example: Any) -> None:
    async with InProcess(example("todo").main) as app, app.connect() as client:
        await add(client, "bake", "eat")
        tick(client, "bake")
        await client.see("1 left")
        assert client.find("bake")["label_style"]["decoration"]
        tick(client, "bake")
        await client.see("2 left")
        assert not client.find("bake")["label_style"].get("decoration")


async def test_removing_the_first_keeps_what_the_others_are(example: Any) -> None:
    async with InProcess(example("todo").main) as app, app.connect() as client:
        await add(client, "bake", "eat", "sleep")
        tick(client, "eat")
        await client.see("2 left")
        await client.click("Remove")
        await client.see_no("bake")
        await client.see("1 left")
        assert titles(client) == ["eat", "sleep"]
        assert client.find("eat")["value"] is True
        assert not client.find("sleep").get("value")


async def test_the_filters_choose_what_is_shown(example: Any) -> None:
    async with InProcess(example("todo").main) as app, app.connect() as client:
        await add(client, "bake", "eat")
        tick(client, "bake")
        await client.see("1 left")
        choose(client, "Active")
        await client.until(lambda: titles(client) == ["eat"])
        choose(client, "Done")
        await client.until(lambda: titles(client) == ["bake"])
        choose(client, "All")
        await client.until(lambda: titles(client) == ["bake", "eat"])
