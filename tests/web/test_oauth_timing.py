"""Sign-ins and time, on clocks that jump."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from backends import VIRTUAL_TIME, backend_options
from flet_anyio import Limits
from flet_anyio.testing import InProcess
from web.signing_in import begin, browser, browser_of, signing_in

if TYPE_CHECKING:
    from flet_anyio.testing import Client

pytestmark = pytest.mark.anyio

PATH = "/oauth_callback"
LATE = "login '' 'timeout' 'the user did not come back from the provider in time'"


@pytest.fixture(params=VIRTUAL_TIME)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return backend_options(request.param)


async def come_back(app: InProcess, client: Client, state: str, code: str = "good") -> int:
    """Come back from the provider, and return the status of the answer."""
    async with browser(app.server, browser_of(client)) as http:
        return (await http.get(PATH, params={"state": state, "code": code})).status_code


def waiting(**settings: Any) -> InProcess:
    return InProcess(signing_in(), oauth_state_timeout_seconds=60, **settings)


async def test_a_sign_in_may_take_its_time() -> None:
    async with waiting() as app, app.connect() as client:
        state = await begin(client)
        await anyio.sleep(59)
        assert await come_back(app, client, state) == 200
        await client.see("login 'token for good' None None")


async def test_one_that_takes_too_long_is_over_and_on_login_is_told() -> None:
    async with waiting() as app, app.connect() as client:
        state = await begin(client)
        client.patience = 100
        began = anyio.current_time()
        await client.see(LATE)
        assert anyio.current_time() - began == pytest.approx(60)
        assert await come_back(app, client, state) == 410
        state = await begin(client)
        assert await come_back(app, client, state) == 200


async def test_one_that_takes_too_long_while_the_client_is_away() -> None:
    async with waiting() as app:
        async with app.connect() as client:
            state = await begin(client)
        await anyio.sleep(61)
        assert await come_back(app, client, state) == 410
        async with app.connect(after=client) as back:
            await back.see(LATE)


async def test_a_user_who_has_signed_in_hears_of_no_other_try() -> None:
    async with waiting() as app, app.connect() as client:
        abandoned, state = await begin(client), await begin(client)
        assert await come_back(app, client, state) == 200
        await client.see("login 'token for good' None None")
        await anyio.sleep(61)
        assert await come_back(app, client, abandoned) == 410
        assert not [text for text in client.texts if "timeout" in text]


async def test_each_of_several_that_take_too_long_is_told() -> None:
    async with waiting() as app, app.connect() as client:
        await begin(client)
        await anyio.sleep(30)
        state = await begin(client)
        await anyio.sleep(31)
        assert client.texts.count(LATE) == 1
        assert await come_back(app, client, state, "bad") == 200
        await client.see("login '' 'no such code' None")


async def test_a_logout_is_not_followed_by_an_error() -> None:
    async with waiting() as app, app.connect() as client:
        state = await begin(client)
        await client.click("off")
        await client.see("out None")
        await anyio.sleep(61)
        assert not [text for text in client.texts if "timeout" in text]
        assert await come_back(app, client, state) == 410


@pytest.mark.parametrize(("limit", "waited"), [(10, 10), (None, 1000)])
async def test_a_provider_that_gives_no_token_is_waited_for_up_to_a_bound(
    limit: float | None, waited: float
) -> None:
    limits = Limits(token_timeout=limit)
    async with waiting(limits=limits) as app, app.connect() as client:
        state = await begin(client)
        began = anyio.current_time()
        with anyio.move_on_after(1000):
            assert await come_back(app, client, state, "hanging") == 200
        assert anyio.current_time() - began == pytest.approx(waited)
        if limit is not None:
            await client.see("login '' 'timeout' 'the provider gave no token within 10 s'")
            state = await begin(client)
            assert await come_back(app, client, state) == 200
            await client.see("login 'token for good' None None")


async def test_the_time_to_come_back_does_not_bound_that_for_the_token() -> None:
    async with waiting() as app, app.connect() as client:
        state = await begin(client)
        await anyio.sleep(59)
        began = anyio.current_time()
        assert await come_back(app, client, state, "hanging") == 200
        assert anyio.current_time() - began == pytest.approx(30)
