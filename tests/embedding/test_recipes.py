"""The programs in docs/embedding.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import flet_anyio
from visits import browsing, running, visit_asgi, visit_url
from waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"
PROGRAMS = dict(
    re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
)


def program(title: str) -> dict[str, Any]:
    """Run the program under a heading; return what it defines."""
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(PROGRAMS[title], title, "exec", dont_inherit=True), names)
    return names


def backend(wanted: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("anyio_backend", [wanted])


async def test_in_starlette() -> None:
    site = program("In Starlette")["site"]
    async with running(site), browsing(site) as http:
        assert (await http.get("/hello")).text == "hello"
        assert '<base href="/desk/">' in (await http.get("/desk/")).text
        async with visit_asgi(site, "/dash/ws") as dash, visit_asgi(site, "/desk/ws") as desk:
            await dash.see("This is dash")
            await desk.see("This is desk")


async def test_in_fastapi() -> None:
    pytest.importorskip("fastapi")
    site = program("In FastAPI")["site"]
    async with running(site), browsing(site) as http:
        assert (await http.get("/hello")).json() == "hello"
        async with visit_asgi(site, "/dash/ws") as client:
            await client.see("The dashboard")


async def test_beside_a_lifespan() -> None:
    names = program("Beside a lifespan of your own")
    async with running(names["site"]), visit_asgi(names["site"], "/shop/ws") as client:
        await client.see("The shop")
    assert names["log"] == ["the database opens", "the session ends", "the database closes"]


async def run_beside(run: Callable[[Any], Awaitable[None]], printed: Any, text: str) -> None:
    """Run a program with work beside it, that visits its page and then ends the program."""
    done = anyio.Event()

    with anyio.CancelScope() as scope:

        async def work() -> None:
            with anyio.fail_after(PATIENCE):
                while not (line := printed.readouterr().out):
                    await anyio.lowlevel.checkpoint()
            async with visit_url(f"{line.split()[-1]}ws") as client:
                await client.see(text)
                done.set()
            scope.cancel()

        await run(work)
    assert done.is_set()


@pytest.mark.slow
@pytest.mark.usefixtures("hypercorn_runs")
async def test_in_a_program_on_anyio(capsys: pytest.CaptureFixture[str]) -> None:
    run = program("In a program on anyio")["program"]
    await run_beside(run, capsys, "A part of a program")


@pytest.mark.slow
@backend("trio")
async def test_in_a_program_on_trio(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("trio")
    run = program("In a program on trio")["program"]
    await run_beside(run, capsys, "A part of a nursery")


@pytest.mark.slow
@backend("trio")
async def test_beside_quart_trio() -> None:
    pytest.importorskip("quart_trio")
    import httpx

    site = program("Beside a Quart-Trio app")["site"]
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(lambda **kw: flet_anyio.serve(site, port=0, **kw))
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{url}hello")).text == "hello"
            assert '<base href="/dash/">' in (await http.get(f"{url}dash/")).text
        async with visit_url(f"{url}dash/ws") as client:
            await client.see("Beside Quart")
            tasks.cancel_scope.cancel()
            await client.until(lambda: client.closed)
            assert client.transport.close_code == 1012


@pytest.mark.slow
@backend("asyncio")
async def test_several_on_one_hypercorn() -> None:
    site = program("Several apps on one hypercorn")["site"]
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(lambda **kw: flet_anyio.serve(site, port=0, **kw))
        async with visit_url(f"{url}shop/ws") as shop, visit_url(f"{url}ws") as desk:
            await shop.see("The shop")
            await desk.see("The desk")
            tasks.cancel_scope.cancel()
            await shop.until(lambda: shop.closed)
            await desk.until(lambda: desk.closed)
            assert shop.transport.close_code == desk.transport.close_code == 1012


async def test_a_route_of_your_own() -> None:
    site = program("A route of your own")["site"]
    async with running(site), browsing(site) as http:
        assert "<title>Flet</title>" in (await http.get("/")).text
        async with visit_asgi(site, headers={"cookie": "friend=yes"}) as friend:
            await friend.see("Hello, friend")
        async with visit_asgi(site) as guest:
            await guest.see("Hello, guest")


async def test_behind_a_proxy() -> None:
    site = program("Behind a proxy")["site"]
    headers = {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"}
    async with visit_asgi(site, headers=headers) as client:
        await client.see("203.0.113.7 at wss://test")


async def test_coming_from_flet_web() -> None:
    pytest.importorskip("fastapi")
    site = program("Coming from flet_web.fastapi")["app"]
    async with running(site), visit_asgi(site) as client:
        await client.see("Moved")


def test_every_program_is_run_here() -> None:
    source = Path(__file__).read_text()
    assert PROGRAMS
    for title in PROGRAMS:
        assert f'program("{title}")' in source, title
