"""Which pages may use an app."""

from __future__ import annotations

import logging

import pytest

from flet_anyio import FletApp
from flet_anyio.server import hosted_servers
from flet_anyio.testing import MemoryTransport
from flet_anyio.transports import PeerInfo
from flet_anyio.web.origin import Origins


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://example.com", "example.com"),
        ("https://example.com", "example.com"),
        ("https://example.com", "example.com:443"),
        ("https://example.com:443", "example.com"),
        ("http://EXAMPLE.com", "example.COM"),
        ("http://localhost:8000", "localhost:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_a_page_of_the_same_host_may(origin: str, host: str) -> None:
    assert Origins().allow({"origin": origin, "host": host})


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.com", "example.com"),
        ("http://example.com.evil.com", "example.com"),
        ("http://example.com:8001", "example.com:8000"),
        ("http://example.com", "example.com:8000"),
        ("https://example.com", "example.com:80"),
        ("http://example.com@evil.com", "example.com"),
        ("http://example.com/", "example.com"),
        ("null", "example.com"),
        ("", "example.com"),
        ("http://", ""),
        ("http://[::1", "[::1"),
        ("http://example.com:port", "example.com"),
        ("http://example.com", "evil.com@example.com"),
        ("http://example.com", ""),
    ],
)
def test_any_other_may_not(origin: str, host: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert not Origins().allow({"origin": origin, "host": host})
    (record,) = caplog.records
    assert "allowed_origins" in record.getMessage()


def test_who_is_no_browser_may() -> None:
    assert Origins().allow({"host": "example.com"})


def test_those_that_are_allowed_may() -> None:
    origins = Origins(["https://pages.example.com", "http://localhost:5000"])
    assert origins.allow({"origin": "https://pages.example.com", "host": "api.example.com"})
    assert origins.allow({"origin": "http://localhost:5000", "host": "api.example.com"})
    assert not origins.allow({"origin": "http://pages.example.com", "host": "api.example.com"})
    assert not origins.allow({"origin": "https://example.com", "host": "api.example.com"})


def test_all_may_when_all_are_allowed() -> None:
    assert Origins(["*"]).allow({"origin": "null", "host": "example.com"})


@pytest.mark.parametrize("bad", ["example.com", "https://example.com/path", "https://", "null"])
def test_what_is_no_origin_cannot_be_allowed(bad: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        Origins([bad])


def test_a_single_text_is_no_list() -> None:
    with pytest.raises(ValueError, match="must be a list"):
        Origins("https://example.com")


@pytest.mark.anyio
async def test_a_page_that_may_not_has_no_server_made() -> None:
    headers = {"origin": "https://elsewhere.example", "host": "test"}
    transport = MemoryTransport(PeerInfo(url="ws://test/ws", path="/ws", headers=headers))
    await FletApp(main=lambda _: None).handle(transport)
    assert transport.refused == 403
    assert None not in hosted_servers()
    transport.drop()
