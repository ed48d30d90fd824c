from __future__ import annotations

import pytest

from flet_anyio.wire.tokens import ResumeToken, TokenSigner


def test_a_token_names_its_session_to_the_server_that_signed_it() -> None:
    signer = TokenSigner()
    token = ResumeToken(signer)
    assert signer.session_key(token.value) == token.session_key
    assert token.accepts(token.value)


@pytest.mark.parametrize("token", ["", "x", "a.b", "a:b.c", "\u2603", "a" * 10_000])
def test_what_nobody_signed_names_no_session(token: str) -> None:
    assert TokenSigner().session_key(token) is None


def test_a_token_that_was_changed_anywhere_names_no_session() -> None:
    signer = TokenSigner()
    token = ResumeToken(signer).value
    for place in range(len(token) - 1):
        other = "A" if token[place] != "A" else "B"
        assert signer.session_key(token[:place] + other + token[place + 1 :]) is None


def test_another_servers_token_names_no_session() -> None:
    assert TokenSigner().session_key(ResumeToken(TokenSigner()).value) is None


def test_the_token_of_another_session_is_not_accepted() -> None:
    signer = TokenSigner()
    one, two = ResumeToken(signer), ResumeToken(signer)
    assert not one.accepts(two.value)
    assert not one.accepts(None)
    assert not one.accepts("\u2603")


def test_no_two_tokens_are_the_same() -> None:
    token = ResumeToken(TokenSigner())
    values = [token.value, *(token.renew(None) for _ in range(100))]
    assert len(set(values)) == len(values)


def test_the_token_before_is_good_until_the_client_has_the_new_one() -> None:
    token = ResumeToken(TokenSigner())
    first = token.value
    second = token.renew(first)
    assert token.accepts(first)
    assert token.accepts(second)
    token.confirm()
    assert not token.accepts(first)
    assert token.accepts(second)


def test_only_the_token_that_was_shown_stays_good() -> None:
    token = ResumeToken(TokenSigner())
    first = token.value
    second = token.renew(first)  # the answer is lost
    third = token.renew(first)
    assert token.accepts(first)
    assert not token.accepts(second)
    assert token.accepts(third)
