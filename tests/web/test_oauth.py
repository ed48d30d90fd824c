from __future__ import annotations

import logging
from functools import partial
from typing import Any

import anyio
import flet as ft
import httpx
import pytest
from anyio.lowlevel import checkpoint
from starlette.applications import Starlette
from starlette.routing import Route

from flet_anyio import FletApp, FletOAuth, Limits, Server
from flet_anyio.errors import SessionClosed
from flet_anyio.server import hosted_servers, shut_down
from flet_anyio.session.sign_in import Callback, SignIn
from flet_anyio.testing import Client, InProcess, MemoryTransport
from flet_anyio.transports.base import PeerInfo
from flet_anyio.web.browser_cookie import browsers
from waiting import reached
from web.signing_in import Flow, begin, browser, browser_of, provider, signing_in

pytestmark = pytest.mark.anyio

PATH = "/oauth_callback"


def logins(client: Client) -> list[str]:
    """What `on_login` was told."""
    return [text for text in client.texts if text.startswith("login")]


# --- what the provider answers ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"code": "good"}, "login 'token for good' None None"),
        ({"code": "bad"}, "login '' 'no such code' None"),
        ({"code": "mute"}, "login '' 'LookupError' None"),
        ({"code": "unspeakable"}, "login '' '_UnspeakableError' None"),
        ({"error": "denied"}, "login '' 'denied' None"),
        ({"error": "denied", "error_description": "by user"}, "login '' 'denied' 'by user'"),
    ],
)
async def test_the_answer_of_the_provider_reaches_on_login(
    answer: dict[str, str], shown: str
) -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        state = await begin(client)
        async with browser(app.server, browser_of(client)) as http:
            page = await http.get(PATH, params={"state": state, **answer})
        assert page.status_code == 200
        assert ("You are signed in" in page.text) == (answer == {"code": "good"})
        await client.see(shown)
        assert len(app.server.sign_ins) == 0


async def test_what_the_provider_says_is_escaped() -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        state = await begin(client)
        answer = {"error": "<b>no</b>", "error_description": "<script>alert()</script>"}
        async with browser(app.server, browser_of(client)) as http:
            page = await http.get(PATH, params={"state": state, **answer})
    assert "&lt;b&gt;no&lt;/b&gt;: &lt;script&gt;alert()&lt;/script&gt;" in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize("debug", [False, True])
async def test_the_text_of_an_exception_is_for_the_app_and_not_for_visitors(debug: bool) -> None:
    async with InProcess(signing_in(), debug=debug) as app, app.connect() as client:
        state = await begin(client)
        async with browser(app.server, browser_of(client)) as http:
            page = await http.get(PATH, params={"state": state, "code": "bad"})
        assert "You are not signed in." in page.text
        assert ("no such code" in page.text) == debug
        await client.see("login '' 'no such code' None")


async def test_a_window_is_opened_at_the_provider() -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        await begin(client)
        (call,) = client.calls
        assert call["name"] == "open_window"
        assert call["args"]["url"] == "https://provider.test/authorize"


async def test_the_address_may_be_opened_by_the_app() -> None:
    opened: list[str] = []

    async def open_it(url: str) -> None:
        opened.append(url)

    main = signing_in(on_open_authorization_url=open_it)
    async with InProcess(main) as app, app.connect() as client:
        await client.click("in")
        await reached(lambda: opened == ["https://provider.test/authorize"])
        assert client.calls == []


# --- the page that is shown afterwards --------------------------------------------------------


@pytest.mark.parametrize("answer", [{"code": "good"}, {"error": "denied"}])
async def test_the_app_may_have_a_page_of_its_own(answer: dict[str, str]) -> None:
    main = signing_in(complete_page_html="<p>welcome</p>")
    async with InProcess(main) as app, app.connect() as client:
        state = await begin(client)
        async with browser(app.server, browser_of(client)) as http:
            page = await http.get(PATH, params={"state": state, **answer})
        assert (page.status_code, page.text) == (200, "<p>welcome</p>")


@pytest.mark.parametrize(
    ("proxy_path", "path", "there"),
    [
        (None, "/ws", "/store/1"),
        (None, "/dash/ws", "/dash/store/1"),
        ("/out/", "/ws", "/out/store/1"),
        ("out", "/dash/ws", "/out/dash/store/1"),
    ],
)
async def test_the_user_may_be_sent_back_to_the_app(
    proxy_path: str | None, path: str, there: str
) -> None:
    main = signing_in(redirect_to_page=True)
    async with (
        InProcess(main, path=path, proxy_path=proxy_path) as app,
        app.connect(route="/store/1") as client,
    ):
        state = await begin(client)
        async with browser(app.server, browser_of(client)) as http:
            page = await http.get(PATH, params={"state": state, "code": "good"})
        assert page.status_code == 303
        assert page.headers["location"] == f"https://app.test{there}"
        await client.see("login 'token for good' None None")


async def test_nothing_keeps_or_passes_on_the_address_of_an_answer() -> None:
    async with InProcess(signing_in(redirect_to_page=True)) as app, app.connect() as client:
        state = await begin(client)
        async with browser(app.server, browser_of(client)) as http:
            answers = [
                await http.get(PATH, params={"state": state, "code": "good"}),
                await http.get(PATH, params={"state": state, "code": "good"}),
            ]
    assert [answer.status_code for answer in answers] == [303, 400]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"


# --- who may come back, and how often ---------------------------------------------------------


async def test_a_state_is_good_once() -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        state = await begin(client)
        async with browser(app.server, browser_of(client)) as http:
            first = await http.get(PATH, params={"state": state, "code": "good"})
            again = await http.get(PATH, params={"state": state, "code": "better"})
        assert [first.status_code, again.status_code] == [200, 400]
        await client.see("login 'token for good' None None")
        assert len(logins(client)) == 1


async def test_two_callbacks_at_once_are_one_too_many() -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        state = await begin(client)
        statuses: list[int] = []

        come_back = partial(note_answer, statuses, state=state, code="good")
        async with (
            browser(app.server, browser_of(client)) as http,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(come_back, http)
            tasks.start_soon(come_back, http)
        assert sorted(statuses) == [200, 400]


@pytest.mark.parametrize("cookie", [None, "flet_anyio_browser=" + "x" * 43])
async def test_another_browser_is_refused_and_the_first_one_is_not_kept_out(
    cookie: str | None,
) -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        state = await begin(client)
        async with browser(app.server, cookie) as foreign:
            answer = await foreign.get(PATH, params={"state": state, "code": "stolen"})
        assert answer.status_code == 403
        assert logins(client) == []
        async with browser(app.server, browser_of(client)) as http:
            answer = await http.get(PATH, params={"state": state, "code": "good"})
        assert answer.status_code == 200
        await client.see("login 'token for good' None None")


async def test_another_users_browser_is_refused() -> None:
    async with InProcess(signing_in()) as app, app.connect() as one, app.connect() as other:
        state = await begin(one)
        assert browser_of(one) != browser_of(other)
        async with browser(app.server, browser_of(other)) as http:
            answer = await http.get(PATH, params={"state": state, "code": "theirs"})
        assert answer.status_code == 403


async def test_a_native_app_has_any_browser_come_back() -> None:
    async with (
        InProcess(signing_in()) as app,
        app.connect(web=False, platform="windows") as client,
    ):
        state = await begin(client)
        assert [call["name"] for call in client.calls] == ["launch_url"]
        async with browser(app.server, None) as http:
            answer = await http.get(PATH, params={"state": state, "code": "good"})
        assert answer.status_code == 200
        await client.see("login 'token for good' None None")
        await client.until(lambda: len(client.calls) == 2)
        assert client.calls[1]["name"] == "to_front"


async def test_a_native_app_on_a_phone_closes_the_window_it_opened() -> None:
    async with (
        InProcess(signing_in()) as app,
        app.connect(web=False, platform="android") as client,
    ):
        state = await begin(client)
        async with browser(app.server, None) as http:
            await http.get(PATH, params={"state": state, "code": "good"})
        await client.until(lambda: len(client.calls) == 2)
        assert client.calls[1]["name"] == "close_in_app_web_view"


@pytest.mark.parametrize("query", [{}, {"state": "forged"}, {"state": "forged", "code": "x"}])
async def test_an_unknown_state_is_refused(query: dict[str, str]) -> None:
    async with Server() as server, browser(server, None) as http:
        assert (await http.get(PATH, params=query)).status_code == 400


async def test_an_answer_that_says_nothing_uses_nothing_up() -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        state = await begin(client)
        async with browser(app.server, browser_of(client)) as http:
            assert (await http.get(PATH, params={"state": state})).status_code == 400
            assert (await http.head(PATH, params={"state": state, "code": "x"})).status_code == 405
            answer = await http.get(PATH, params={"state": state, "code": "good"})
        assert answer.status_code == 200


# --- several sign-ins, and none ---------------------------------------------------------------


async def test_several_sign_ins_of_one_session_may_be_under_way() -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        states = [await begin(client), await begin(client)]
        async with browser(app.server, browser_of(client)) as http:
            for state, code in zip(states, ("one", "two"), strict=True):
                await http.get(PATH, params={"state": state, "code": code})
                await client.see(f"login 'token for {code}' None None")


async def test_of_too_many_sign_ins_the_oldest_is_given_up() -> None:
    limits = Limits(sign_ins_waiting=2)
    async with InProcess(signing_in(), limits=limits) as app, app.connect() as client:
        first, second, third = [await begin(client) for _ in range(3)]
        async with browser(app.server, browser_of(client)) as http:
            assert (await http.get(PATH, params={"state": first, "code": "1"})).status_code == 410
            for state in (third, second):
                answer = await http.get(PATH, params={"state": state, "code": "good"})
                assert answer.status_code == 200
        await client.until(lambda: len(logins(client)) == 2)


async def test_the_sign_ins_of_others_do_not_count() -> None:
    limits = Limits(sign_ins_waiting=1)
    async with (
        InProcess(signing_in(), limits=limits) as app,
        app.connect() as one,
        app.connect() as other,
    ):
        states = [await begin(one), await begin(other)]
        assert len(app.server.sign_ins) == 2
        for client, state in zip((one, other), states, strict=True):
            async with browser(app.server, browser_of(client)) as http:
                answer = await http.get(PATH, params={"state": state, "code": "good"})
            assert answer.status_code == 200


async def test_a_state_that_is_begun_again_is_the_later_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Same(Flow):
        def get_authorization_data(self) -> tuple[str, str]:
            return "https://provider.test/authorize", "the same"

    monkeypatch.setattr("web.signing_in.Flow", Same)
    async with InProcess(signing_in()) as app, app.connect() as client:
        await begin(client)
        await begin(client)
        assert len(app.server.sign_ins) == 1
        async with browser(app.server, browser_of(client)) as http:
            answer = await http.get(PATH, params={"state": "the same", "code": "good"})
        assert answer.status_code == 200
        await client.see("login 'token for good' None None")


async def test_a_callback_after_logout_changes_nothing() -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        state = await begin(client)
        await client.click("off")
        await client.see("out None")
        async with browser(app.server, browser_of(client)) as http:
            answer = await http.get(PATH, params={"state": state, "code": "good"})
        assert answer.status_code == 410
        assert app.session.page.auth is None


async def test_a_logout_while_the_token_is_fetched_is_the_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, answered = anyio.Event(), anyio.Event()

    class Slow(Flow):
        async def request_token(self, code: str) -> None:
            asked.set()
            await answered.wait()

    monkeypatch.setattr("web.signing_in.Flow", Slow)
    async with InProcess(signing_in()) as app, app.connect() as client:
        state = await begin(client)
        statuses: list[int] = []

        come_back = partial(note_answer, statuses, state=state, code="good")
        async with (
            browser(app.server, browser_of(client)) as http,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(come_back, http)
            await asked.wait()
            await client.click("off")
            await client.see("out None")
            answered.set()
        assert statuses == [410]
        assert app.session.page.auth is None
        assert logins(client) == []


async def test_a_saved_token_signs_in_at_once() -> None:
    async with InProcess(signing_in(saved_token="kept")) as app, app.connect() as client:
        assert app.session.page.auth is None
        await client.click("in")
        await client.see("login 'kept' '' ''")
        assert client.calls == []
        await client.click("off")
        await client.see("out None")
        assert app.session.page.auth is None


async def test_a_connection_waits_only_for_what_login_begins() -> None:
    async with InProcess(lambda page: page.add(ft.Text("ready"))) as app, app.connect() as client:
        await client.see("ready")
        with pytest.raises(RuntimeError, match=r"page\.login"):
            app.connections[0].oauth_authorize({"state": "x"})


# --- sessions that are away, or over ----------------------------------------------------------


async def test_the_user_signs_in_while_the_page_is_away() -> None:
    async with InProcess(signing_in()) as app:
        async with app.connect() as client:
            state = await begin(client)
            cookie = browser_of(client)
        async with browser(app.server, cookie) as http:
            answer = await http.get(PATH, params={"state": state, "code": "good"})
        assert answer.status_code == 200
        async with app.connect(after=client) as back:
            await back.see("login 'token for good' None None")


async def test_a_callback_gives_nobody_the_session() -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        state = await begin(client)
        async with browser(app.server, browser_of(client)) as http:
            answer = await http.get(PATH, params={"state": state, "code": "good"})
        assert "set-cookie" not in answer.headers
        session = app.session_of(client)
        async with app.connect() as other:
            assert app.session_of(other) is not session


async def test_a_sign_in_is_over_with_its_session() -> None:
    async with InProcess(signing_in()) as app:
        async with app.connect() as client:
            state, cookie = await begin(client), browser_of(client)
            app.session.close()
            async with browser(app.server, cookie) as http:
                answer = await http.get(PATH, params={"state": state, "code": "at once"})
                assert answer.status_code == 410
                await client.until(lambda: client.closed)
                answer = await http.get(PATH, params={"state": state, "code": "later"})
                assert answer.status_code == 410
        assert len(app.server.sign_ins) == 0


async def test_a_session_that_ends_while_the_token_is_fetched() -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        state = await begin(client)
        statuses: list[int] = []

        come_back = partial(note_answer, statuses, state=state, code="hanging")
        async with (
            browser(app.server, browser_of(client)) as http,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(come_back, http)
            await reached(lambda: len(app.server.sign_ins) == 0)
            app.session.close()
        assert statuses == [410]


@pytest.mark.parametrize("web", [True, False])
async def test_a_session_that_ends_as_the_user_comes_back(
    web: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with InProcess(signing_in()) as app, app.connect(web=web) as client:
        state = await begin(client)
        names = browsers({"cookie": browser_of(client)})
        sign_in = app.server.sign_ins.answer(state, names, Callback("good"))
        assert isinstance(sign_in, SignIn)
        app.session.close()
        await sign_in.over.wait()
        assert sign_in.outcome is None
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_visitor_who_leaves_the_callback_is_signed_in_all_the_same() -> None:
    async with InProcess(signing_in()) as app, app.connect() as client:
        state = await begin(client)
        async with browser(app.server, browser_of(client)) as http:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_get, http, {"state": state, "code": "good"})
                    await reached(lambda: len(app.server.sign_ins) == 0)
                    scope.cancel()
        await client.see("login 'token for good' None None")


async def _get(http: Any, params: dict[str, str]) -> None:
    await http.get(PATH, params=params)


async def test_what_is_over_is_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flet_anyio.session.sign_in._REMEMBERED", 2)
    limits = Limits(sign_ins_waiting=1)
    async with InProcess(signing_in(), limits=limits) as app, app.connect() as client:
        states = [await begin(client) for _ in range(4)]
        async with browser(app.server, browser_of(client)) as http:
            statuses = [
                (await http.get(PATH, params={"state": state, "code": "good"})).status_code
                for state in states
            ]
        assert statuses == [400, 410, 410, 200]


# --- where it is found ------------------------------------------------------------------------


async def test_the_loops_own_server_is_the_default() -> None:
    app = Starlette(routes=[Route(PATH, FletOAuth().handle)])
    transport = MemoryTransport(PeerInfo(url="ws://test/ws", path="/ws"))
    client = Client(transport)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test"
    ) as http:
        assert (await http.get(PATH, params={"state": "x", "code": "x"})).status_code == 400
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(FletApp(main=signing_in()).handle, transport)
            await tasks.start(client.run)
            client.register()
            state = await begin(client)
            http.headers["cookie"] = browser_of(client)
            answer = await http.get(PATH, params={"state": state, "code": "good"})
            assert answer.status_code == 200
            await client.see("login 'token for good' None None")
            client.drop()
    await shut_down(hosted_servers().values())


async def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    limits = Limits(sign_ins_waiting=1)
    async with InProcess(signing_in(), limits=limits) as app, app.connect() as client:
        given_up, state = await begin(client), await begin(client)
        cookie = browser_of(client)
        async with browser(app.server, cookie) as http:
            for code in ("hush", "hush"):
                await http.get(PATH, params={"state": state, "code": code})
        await client.see("login 'token for hush' None None")
    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("flet_anyio")
    )
    assert "the oldest one is given up" in ours
    for secret in (given_up, state, "hush", cookie.partition("=")[2]):
        assert secret not in ours


async def test_a_session_that_has_ended_begins_no_sign_in() -> None:
    failures: list[BaseException] = []

    def main(page: ft.Page) -> None:
        async def close() -> None:
            await checkpoint()
            try:
                await page.login(provider(), authorization=Flow)
            except SessionClosed as error:
                failures.append(error)

        page.on_close = close
        page.add(ft.Text("ready"))

    async with InProcess(main) as app, app.connect() as client:
        await client.see("ready")
        app.session.close()
        await client.until(lambda: client.closed)
        await reached(lambda: failures)
        assert len(app.server.sign_ins) == 0


async def note_answer(
    statuses: list[int], http: httpx.AsyncClient, *, state: str, code: str
) -> None:
    """Come back from the provider, and note with which status."""
    answer = await http.get(PATH, params={"state": state, "code": code})
    statuses.append(answer.status_code)
