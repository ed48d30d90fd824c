"""Signing in with Flet's compiled client, at a provider in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sites import HERE, SERVERS, probe, require_chromium, serving

from oauth_provider import provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

# Each on one server at least; the way there and back on all.
SCENARIOS = {
    "hypercorn-trio": "popup,foreign,here,silence",
    "hypercorn-asyncio": "popup,denial,replay",
    "uvicorn": "popup",
}


@pytest.fixture(scope="module", autouse=True)
def chromium() -> None:
    require_chromium()


@pytest.fixture(scope="module")
def authority() -> Iterator[str]:
    with provider() as url:
        yield url


def sign_in_probe(server: str, scenarios: str, folder: Path) -> None:
    arguments = [*SERVERS[server], "--app", str(HERE / "sign_in_app.py")]
    with serving(arguments, folder) as site:
        probe(site.url, scenarios, script="sign_in_probe.py")
    assert "Traceback" not in site.log.read_text(), site.log.read_text()


@pytest.mark.parametrize("server", SCENARIOS)
def test_sign_in(
    server: str, authority: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLET_ANYIO_TEST_PROVIDER", authority)
    sign_in_probe(server, SCENARIOS[server], tmp_path)


def test_coming_back_late(authority: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLET_ANYIO_TEST_PROVIDER", authority)
    monkeypatch.setenv("FLET_OAUTH_STATE_TIMEOUT", "3")
    sign_in_probe("hypercorn-trio", "late", tmp_path)
