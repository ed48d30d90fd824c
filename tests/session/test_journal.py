from __future__ import annotations

from typing import Any

import pytest

from flet_anyio.session.journal import Journal, Position


def journal(*updates: bytes, limit: int | None = 100) -> tuple[Journal, str]:
    made = Journal(limit)
    epoch = made.begin()["e"]
    for update in updates:
        made.next()
        made.keep([update])
    return made, epoch


def test_a_client_gets_what_it_missed_and_no_more() -> None:
    made, epoch = journal(b"one", b"two", b"three")
    assert made.missed(Position(epoch, 0)) == [b"one", b"two", b"three"]
    assert made.missed(Position(epoch, 1)) == [b"two", b"three"]
    assert made.missed(Position(epoch, 3)) == []


def test_whole_numbers_may_come_as_fractions() -> None:
    made, epoch = journal(b"one", b"two")
    assert made.missed(Position(epoch, 1.0)) == [b"two"]


@pytest.mark.parametrize("applied", [-1, 3, None, "1", True, [], float("nan")])
def test_a_number_that_was_never_given_is_not_believed(applied: Any) -> None:
    made, epoch = journal(b"one", b"two")
    assert made.missed(Position(epoch, applied)) is None


@pytest.mark.parametrize("epoch", [None, "", "other", 5, []])
def test_another_drawing_cannot_be_continued(epoch: Any) -> None:
    made, _ = journal(b"one")
    assert made.missed(Position(epoch, 0)) is None


def test_an_update_that_was_begun_cannot_be_given_again() -> None:
    made, epoch = journal(b"one", b"two")
    assert made.missed(Position(epoch, 1, 2)) is None
    assert made.missed(Position(epoch, 2, 2)) == []


def test_it_is_full_until_the_client_has_confirmed_enough() -> None:
    made, _ = journal(b"a" * 40)
    assert not made.full
    made.next()
    made.keep([b"b" * 30, b"c" * 30])
    assert made.full
    assert not made.half_empty
    assert made.confirm(f"{made.epoch}:1")
    assert not made.full
    assert not made.half_empty
    assert made.confirm(f"{made.epoch}:2")
    assert made.half_empty


def test_without_a_limit_it_is_never_full_and_still_asks() -> None:
    made, epoch = journal(b"a" * 200_000, limit=None)
    assert not made.full
    assert made.due() == f"{epoch}:1"


def test_a_receipt_is_asked_for_once_for_what_was_sent() -> None:
    made, epoch = journal(b"a" * 99)
    assert made.due() is None
    made.next()
    made.keep([b"b"])
    assert made.due() == f"{epoch}:2"
    assert made.due() is None
    assert made.ask() == f"{epoch}:2"
    assert made.confirm(f"{epoch}:2")
    assert made.ask() is None


def test_after_a_drop_the_receipt_is_asked_for_anew() -> None:
    made, epoch = journal(b"a" * 60, b"b" * 60)
    assert made.due()
    assert made.missed(Position(epoch, 0)) is not None
    assert made.due() == f"{epoch}:2"
    assert made.missed(Position(epoch, 1)) is not None
    assert made.due() is None


FORGED = ["", ":", "other:1", "1", "{}:", "{}:x", "{}:-1", "{}:" + "9" * 50]


@pytest.mark.parametrize("receipt", FORGED)
def test_a_receipt_that_was_never_asked_for_is_not_believed(receipt: str) -> None:
    made, epoch = journal(b"one")
    assert not made.confirm(receipt.format(epoch))
    assert made.missed(Position(epoch, 0)) == [b"one"]


@pytest.mark.parametrize("number", [2, 1000])
def test_a_number_beyond_the_last_confirms_nothing(number: int) -> None:
    made, epoch = journal(b"one")
    assert made.confirm(f"{epoch}:{number}")
    assert made.missed(Position(epoch, 0)) == [b"one"]


def test_what_was_confirmed_is_not_given_again() -> None:
    made, epoch = journal(b"one", b"two")
    assert made.confirm(f"{epoch}:1")
    # It may not have been told the number of what it confirmed.
    assert made.missed(Position(epoch, 0)) == [b"two"]
    assert made.missed(Position(epoch, 1)) == [b"two"]


def test_some_updates_in_a_row_may_go_without_their_number() -> None:
    made, _ = journal()
    unmarked = [made.leave_unmarked() for _ in range(100)]
    assert unmarked == [True] * 64 + [False] * 36
    made.marked()
    assert made.leave_unmarked()


def test_a_new_drawing_begins_where_the_last_one_ended() -> None:
    made, old = journal(b"one")
    marks = made.begin()
    assert marks["e"] != old
    assert made.missed(Position(old, 1)) is None
    assert made.missed(Position(marks["e"], marks["n"])) == []


def test_what_was_settled_is_not_given_again() -> None:
    made, epoch = journal(b"one")
    made.settle()
    assert made.missed(Position(epoch, 0)) is None
    assert made.missed(Position(epoch, 1)) == []


def test_marks_are_taken_out_of_what_the_client_says() -> None:
    window = {"e": "x", "n": 5, "m": 6, "width": 100}
    position = Position.take(window)
    assert position == Position("x", 5, 6)
    assert position.live
    assert window == {"width": 100}
    assert not Position.take(window).live
