from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from itsdangerous import URLSafeSerializer

from flet_anyio.web.uploads.grants import GrantSigner
from flet_anyio.web.uploads.refusal import UploadRefused


class Clock:
    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


def token_of(url: str) -> str:
    (token,) = parse_qs(urlsplit(url).query, strict_parsing=True)["grant"]
    return token


def refusal(signer: GrantSigner, token: str | None, endpoint: str = "upload") -> int:
    with pytest.raises(UploadRefused) as caught:
        signer.read(token, endpoint)
    assert caught.value.reason in str(caught.value)
    return caught.value.status


@pytest.mark.parametrize("endpoint", ["upload", "/upload", "/upload/", "upload/"])
@pytest.mark.parametrize("path", ["upload", "/upload", "/upload/"])
def test_a_grant_says_what_it_was_made_of(endpoint: str, path: str) -> None:
    signer = GrantSigner("secret", now=Clock())
    url = signer.sign(endpoint, "a b/ü&=.txt", 60, max_size=9, server="s", session="x")
    assert url.startswith("/upload?grant=")
    grant = signer.read(token_of(url), path)
    assert (grant.endpoint, grant.file_name, grant.max_size) == ("upload", "a b/ü&=.txt", 9)
    assert (grant.deadline, grant.server, grant.session) == (1_000_060, "s", "x")


def test_no_two_grants_are_the_same() -> None:
    signer = GrantSigner("secret", now=Clock())
    first, second = (token_of(signer.sign("upload", "a", 60)) for _ in range(2))
    assert signer.read(first, "upload").nonce != signer.read(second, "upload").nonce


def test_another_process_with_the_same_secret_reads_it() -> None:
    url = GrantSigner("secret").sign("upload", "a.txt", 60)
    assert GrantSigner("secret").read(token_of(url), "upload").file_name == "a.txt"


@pytest.mark.parametrize(
    ("prefix", "endpoint", "path"),
    [
        ("", "up load#1", "/up%20load%231"),
        ("/apps/mine/", "upload", "/apps/mine/upload"),
        ("apps%20all", "dash/upload", "/apps%20all/dash/upload"),
        ("//host", "upload", "/host/upload"),
        ("", "//host/upload", "/host/upload"),
    ],
)
def test_the_path_of_the_url(prefix: str, endpoint: str, path: str) -> None:
    url = GrantSigner("secret").sign(endpoint, "a", 60, prefix=prefix)
    assert url.partition("?")[0] == path


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_grant(token: str | None) -> None:
    assert refusal(GrantSigner("secret"), token) == 400


@pytest.mark.parametrize("token", ["AAAA", "a.b.c", ".", "é\ud800", "=" * 7, "A" * 100_000])
def test_what_is_no_grant(token: str) -> None:
    assert refusal(GrantSigner("secret"), token) == 403


def test_every_character_is_signed() -> None:
    signer = GrantSigner("secret", now=Clock())
    token = token_of(signer.sign("upload", "a.txt", 60))
    # All but one: the last character of Base64 has bits that say nothing.
    for index in range(len(token) - 1):
        other = "A" if token[index] != "A" else "B"
        changed = token[:index] + other + token[index + 1 :]
        assert refusal(signer, changed) == 403


def test_endpoint_and_secret_are_signed() -> None:
    signer = GrantSigner("secret", now=Clock())
    token = token_of(signer.sign("a/upload", "a.txt", 60))
    for endpoint in ("/other", "/upload", "/a/upload/more", "/b/upload", ""):
        assert refusal(signer, token, endpoint) == 403
    assert refusal(GrantSigner("other", now=Clock()), token, "a/upload") == 403


def test_what_was_signed_for_something_else_is_no_grant() -> None:
    forged = URLSafeSerializer("secret").dumps(["upload", "a", 2_000_000, None, "", "", "n"])
    assert refusal(GrantSigner("secret", now=Clock()), str(forged)) == 403


def test_expiry() -> None:
    clock = Clock()
    signer = GrantSigner("secret", now=clock)
    token = token_of(signer.sign("upload", "a.txt", 60))
    clock.time += 59.999
    assert signer.read(token, "upload").file_name == "a.txt"
    clock.time = 1_000_060.0
    assert refusal(signer, token) == 410
    # Elsewhere one does not even learn that it has expired.
    assert refusal(signer, token, "other") == 403


@pytest.mark.parametrize("value", [0, -1, 1.5, "60", True])
def test_bad_numbers(value: Any) -> None:
    signer = GrantSigner("secret")
    with pytest.raises(ValueError, match="expires"):
        signer.sign("upload", "a.txt", value)
    with pytest.raises(ValueError, match="max_size"):
        signer.sign("upload", "a.txt", 60, max_size=value)


def test_a_lifetime_may_be_as_long_as_one_likes() -> None:
    signer = GrantSigner("secret")
    assert signer.read(token_of(signer.sign("upload", "a", 10**400)), "upload").file_name == "a"


def test_a_file_name_that_is_no_text_is_not_signed() -> None:
    with pytest.raises(ValueError, match="file_name"):
        GrantSigner("secret").sign("upload", "", 60)
    with pytest.raises(UnicodeEncodeError):
        GrantSigner("secret").sign("upload", "\ud800", 60)


def test_an_empty_secret() -> None:
    with pytest.raises(ValueError, match=r"secret_key.*FLET_SECRET_KEY"):
        GrantSigner("")


def test_names_of_any_characters_come_back() -> None:
    signer = GrantSigner("secret")
    for name in itertools.chain(map(chr, range(1, 0x250)), ["\U0001f600", "n" * 3000]):
        assert signer.read(token_of(signer.sign("upload", name, 60)), "upload").file_name == name
