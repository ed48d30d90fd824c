from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import flet as ft
import pytest
from anyio.lowlevel import checkpoint

from flet_anyio import Limits
from flet_anyio.testing import Client, InProcess
from waiting import reached

pytestmark = pytest.mark.anyio

App = Callable[[ft.Page], None]


def chat(kind: str = "sync") -> App:
    """Shows what is published. The buttons publish; the route is the sender's name."""

    def main(page: ft.Page) -> None:
        def show(text: str) -> None:
            assert ft.context.page is page
            page.add(ft.Text(text))

        def sync(message: str) -> None:
            show(message)

        async def coroutine(message: str) -> None:
            await checkpoint()
            show(message)

        def on_topic(topic: str, message: str) -> None:
            show(f"{topic}: {message}")

        async def on_topic_async(topic: str, message: str) -> None:
            await checkpoint()
            show(f"{topic}: {message}")

        pubsub = page.pubsub
        if kind == "sync":
            pubsub.subscribe(sync)
            pubsub.subscribe_topic("news", on_topic)
        else:
            pubsub.subscribe(coroutine)
            pubsub.subscribe_topic("news", on_topic_async)
        me = page.route
        actions: dict[str, Callable[[], Any]] = {
            "all": lambda: pubsub.send_all(f"all {me}"),
            "others": lambda: pubsub.send_others(f"others {me}"),
            "topic": lambda: pubsub.send_all_on_topic("news", f"all {me}"),
            "topic others": lambda: pubsub.send_others_on_topic("news", f"others {me}"),
            "off": pubsub.unsubscribe,
            "topic off": lambda: pubsub.unsubscribe_topic("news"),
            "all off": pubsub.unsubscribe_all,
        }
        page.add(*(ft.Button(name, on_click=act) for name, act in actions.items()))

    return main


def heard(client: Client) -> list[str]:
    return [node["value"] for node in client.page.nodes() if node.type == "Text"]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_send_all_reaches_everyone_and_send_others_all_but_the_sender(kind: str) -> None:
    async with (
        InProcess(chat(kind)) as app,
        app.connect(route="/a") as a,
        app.connect(route="/b") as b,
    ):
        await b.see("all")
        await a.click("others")
        await a.click("all")
        await a.see("all /a")
        await b.see("all /a")
        assert heard(a) == ["all /a"]
        assert sorted(heard(b)) == ["all /a", "others /a"]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_topics_reach_their_subscribers_with_the_topic(kind: str) -> None:
    async with (
        InProcess(chat(kind)) as app,
        app.connect(route="/a") as a,
        app.connect(route="/b") as b,
    ):
        await b.see("all")
        await a.click("topic others")
        await a.click("topic")
        await a.see("news: all /a")
        await b.see("news: all /a")
        assert heard(a) == ["news: all /a"]
        assert sorted(heard(b)) == ["news: all /a", "news: others /a"]


@pytest.mark.parametrize(
    ("off", "left"),
    [
        ("off", ["news: all /b"]),
        ("topic off", ["all /b"]),
        ("all off", []),
    ],
)
async def test_unsubscribing_ends_what_it_says(off: str, left: list[str]) -> None:
    async with (
        InProcess(chat()) as app,
        app.connect(route="/a") as a,
        app.connect(route="/b") as b,
    ):
        await a.click(off)
        # Clicks of one client are handled in order: its own publication comes after `off`.
        await a.click("others")
        await b.see("others /a")
        await b.click("all")
        await b.click("topic")
        await b.see("all /b", "news: all /b")
        page = next(s.page for s in app.sessions if s.page.route == "/a")
        page.run_task(_mark, page)
        await a.see("marked")
        assert heard(a) == [*left, "marked"]


async def _mark(page: ft.Page) -> None:
    page.add(ft.Text("marked"))


async def test_messages_come_in_the_order_of_publication() -> None:
    def main(page: ft.Page) -> None:
        def publish() -> None:
            for number in range(50):
                page.pubsub.send_all(number)

        page.pubsub.subscribe(lambda number: page.add(ft.Text(str(number))))
        page.add(ft.Button("go", on_click=publish))

    async with InProcess(main) as app, app.connect() as a, app.connect() as b:
        await b.see("go")
        await a.click("go")
        for client in (a, b):
            await client.see("49")
            assert heard(client) == [str(number) for number in range(50)]


async def test_a_handler_that_subscribes_twice_is_called_once() -> None:
    def main(page: ft.Page) -> None:
        def show(message: str) -> None:
            page.add(ft.Text(message))

        page.pubsub.subscribe(show)
        page.pubsub.subscribe(show)
        page.pubsub.send_all("once")
        page.pubsub.send_all("then this")

    async with InProcess(main) as app, app.connect() as client:
        await client.see("then this")
        assert heard(client) == ["once", "then this"]


async def test_a_subscriber_runs_in_its_own_session() -> None:
    pages: dict[str, ft.Page] = {}

    def main(page: ft.Page) -> None:
        def sync(message: str) -> None:
            pages[page.route] = ft.context.page

        async def coroutine(message: str) -> None:
            await checkpoint()
            pages[f"{page.route} async"] = ft.context.page

        page.pubsub.subscribe(sync)
        page.pubsub.subscribe(coroutine)
        page.add(ft.Button("go", on_click=lambda: page.pubsub.send_all("hello")))

    async with (
        InProcess(main) as app,
        app.connect(route="/a") as a,
        app.connect(route="/b") as b,
    ):
        await b.see("go")
        await a.click("go")
        await reached(lambda: len(pages) == 4)
        by_route = {session.page.route: session.page for session in app.sessions}
        for key, page in pages.items():
            assert page is by_route[key.split()[0]], key


async def test_services_made_by_a_subscriber_belong_to_its_session() -> None:
    def main(page: ft.Page) -> None:
        async def read(message: str) -> None:
            page.add(ft.Text(str(await ft.Clipboard().get())))

        page.pubsub.subscribe(read)
        page.add(ft.Button("go", on_click=lambda: page.pubsub.send_others("hello")))

    async with InProcess(main) as app, app.connect() as a, app.connect() as b:
        a.answers["get"] = lambda: "clipboard of a"
        b.answers["get"] = lambda: "clipboard of b"
        await b.see("go")
        await a.click("go")
        await b.see("clipboard of b")
        assert a.calls == []


async def test_publishing_from_a_thread() -> None:
    def main(page: ft.Page) -> None:
        page.pubsub.subscribe(lambda message: page.add(ft.Text(message)))
        page.add(
            ft.Button("go", on_click=lambda: page.run_thread(page.pubsub.send_all, "by thread"))
        )

    async with InProcess(main) as app, app.connect() as a, app.connect() as b:
        await b.see("go")
        await a.click("go")
        await a.see("by thread")
        await b.see("by thread")


async def test_subscribing_from_a_thread() -> None:
    def main(page: ft.Page) -> None:
        def subscribe() -> None:
            page.pubsub.subscribe(lambda message: page.add(ft.Text(message)))
            page.pubsub.send_all("heard")

        page.run_thread(subscribe)

    async with InProcess(main) as app, app.connect() as client:
        await client.see("heard")


async def test_subscribers_go_with_their_session() -> None:
    heard_by: list[str] = []

    def main(page: ft.Page) -> None:
        page.pubsub.subscribe(lambda message: heard_by.append(page.route))
        page.pubsub.subscribe_topic("news", lambda topic, message: heard_by.append(page.route))
        page.add(
            ft.Button("leave", on_click=lambda: page.session.close()),
            ft.Button("go", on_click=lambda: publish(page)),
        )

    def publish(page: ft.Page) -> None:
        page.pubsub.send_all("hello")
        page.pubsub.send_all_on_topic("news", "hello")

    async with InProcess(main) as app, app.connect(route="/a") as a:
        async with app.connect(route="/b") as b:
            await b.click("leave")
            await b.until(lambda: b.closed)
        await a.click("go")
        await reached(lambda: len(heard_by) == 2)
        await anyio.wait_all_tasks_blocked()
        assert heard_by == ["/a", "/a"]


async def test_a_failing_subscriber_is_reported_in_its_session_only() -> None:
    def main(page: ft.Page) -> None:
        def sync(message: str) -> None:
            if page.route == "/bad":
                raise LookupError("sync failed")

        async def coroutine(message: str) -> None:
            if page.route == "/bad":
                raise LookupError("async failed")

        page.pubsub.subscribe(sync)
        page.pubsub.subscribe(coroutine)
        page.pubsub.subscribe(lambda message: page.add(ft.Text(message)))
        page.add(ft.Button("go", on_click=lambda: page.pubsub.send_all("hello")))

    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(InProcess(main))
        clients = [
            await stack.enter_async_context(app.connect(route=route)) for route in ("/bad", "/good")
        ]
        bad, good = clients
        await bad.see("go")
        await good.click("go")
        await bad.see("hello")
        await good.see("hello")
        await bad.until(lambda: len(bad.errors) == 2)
        assert {error.splitlines()[0] for error in bad.errors} == {"sync failed", "async failed"}
        assert good.errors == []


async def test_a_subscriber_may_subscribe_and_unsubscribe() -> None:
    def main(page: ft.Page) -> None:
        def once(message: str) -> None:
            page.pubsub.unsubscribe()
            page.pubsub.subscribe(later)
            page.add(ft.Text(f"once {message}"))

        def later(message: str) -> None:
            page.add(ft.Text(f"later {message}"))

        page.pubsub.subscribe(once)
        page.pubsub.send_all("1")
        page.add(ft.Button("go", on_click=lambda: page.pubsub.send_all("2")))

    async with InProcess(main) as app, app.connect() as client:
        await client.see("once 1")
        await client.click("go")
        await client.see("later 2")
        assert heard(client) == ["once 1", "later 2"]


async def test_a_message_reaches_a_session_whose_client_is_away() -> None:
    async with InProcess(chat()) as app, app.connect(route="/a") as a:
        async with app.connect(route="/b") as b:
            await b.see("all")
        await reached(lambda: sum(session.attached for session in app.sessions) == 1)
        await a.click("all")
        await a.see("all /a")
        async with app.connect(after=b, route="/b") as back:
            await back.see("all /a")


async def test_messages_beyond_the_limit_are_dropped_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    got: list[int] = []

    def main(page: ft.Page) -> None:
        def publish() -> None:
            for number in range(5):
                page.pubsub.send_all(number)

        page.pubsub.subscribe(got.append)
        page.add(ft.Button("go", on_click=publish))

    limits = Limits(deliveries_queued=3)
    async with InProcess(main, limits=limits) as app, app.connect() as client:
        await client.click("go")
        await reached(lambda: len(got) == 3)
        await client.click("go")
        await reached(lambda: len(got) == 6)
        assert got == [0, 1, 2, 0, 1, 2]
        dropped = [r for r in caplog.records if "Limits.deliveries_queued" in r.getMessage()]
        assert len(dropped) == 4


async def test_apps_do_not_hear_each_other() -> None:
    async with (
        InProcess(chat()) as one,
        InProcess(chat()) as two,
        one.connect(route="/a") as a,
        two.connect(route="/b") as b,
    ):
        await b.see("all")
        await a.click("all")
        await a.see("all /a")
        await b.click("all")
        await b.see("all /b")
        assert heard(a) == ["all /a"]
        assert heard(b) == ["all /b"]
