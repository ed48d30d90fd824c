"""No token or upload URL is taken that was not given out as it is."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flet_anyio.web.uploads.grants import GrantSigner
from flet_anyio.web.uploads.refusal import UploadRefused
from flet_anyio.wire.tokens import ResumeToken, TokenSigner

pytestmark = pytest.mark.slow

NOW = 1_000_000.0
texts = st.text(max_size=40)
# What is made of the characters that tokens are made of comes closer to one.
likely = st.text("AaBb09-_.:=", max_size=60)


def changed(data: Any, text: str) -> str:
    """The text with one change."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 5)))
    put: str = data.draw(st.text("AaBb09-_.:=%\u00e9", max_size=5))
    return text[:start] + put + text[end:]


def signer() -> GrantSigner:
    return GrantSigner("secret", now=lambda: NOW)


def token_of(url: str) -> str:
    token: str = parse_qs(urlsplit(url).query)["grant"][0]
    return token


@given(texts | likely | st.none(), texts)
def test_any_text_is_no_grant(token: str | None, endpoint: str) -> None:
    with pytest.raises(UploadRefused) as refused:
        signer().read(token, endpoint)
    assert refused.value.status in (400, 403)


@given(st.data())
def test_a_grant_that_was_changed_is_refused_or_says_the_same(data: Any) -> None:
    token = token_of(signer().sign("upload", "a.txt", 60))
    other = changed(data, token)
    try:
        grant = signer().read(other, "upload")
    except UploadRefused:
        return
    # Base64 is not unique: its last bits may say nothing.
    assert grant == signer().read(token, "upload")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), texts)
def test_any_name_survives_and_is_for_its_endpoint_only(name: str, endpoint: str) -> None:
    token = token_of(signer().sign("upload", name, 60))
    assert signer().read(token, "upload").file_name == name
    if endpoint.strip("/") != "upload":
        with pytest.raises(UploadRefused) as refused:
            signer().read(token, endpoint)
        assert refused.value.status == 403


@given(texts | likely)
def test_any_text_names_no_session(text: str) -> None:
    server = TokenSigner()
    assert server.session_key(text) is None
    assert not ResumeToken(server).accepts(text)


@given(st.data())
def test_a_token_that_was_changed_is_not_accepted(data: Any) -> None:
    server = TokenSigner(b"key")
    token = ResumeToken(server)
    other = changed(data, token.value)
    key = server.session_key(other)
    assert key in (None, token.session_key)
    assert token.accepts(other) == (other == token.value)
