from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any

import pytest

from flet_anyio import Limits
from flet_anyio.web.uploads.desk import UploadDesk
from flet_anyio.web.uploads.grants import Grant
from flet_anyio.web.uploads.refusal import UploadRefused


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def grant(session: str = "s", *, server: str = "here", deadline: int = 2000) -> Grant:
    return Grant("upload", "a", deadline, None, server, session)


def desk_of(
    *sessions: str,
    now: Clock | None = None,
    uptime: Clock | None = None,
    remembered: int = 10,
    **bounds: Any,
) -> Any:
    clock = now or Clock()
    desk = UploadDesk(
        "here", Limits(**bounds), now=clock, uptime=uptime or clock, remembered=remembered
    )
    for session in sessions:
        desk.enter(session)
    return desk


def store(desk: UploadDesk, given: Grant, size: int = 1, announced: int = 0) -> None:
    with desk.admit(given, announced) as take:
        take(size)


def refusal(desk: UploadDesk, given: Grant, size: int = 1, announced: int = 0) -> UploadRefused:
    with pytest.raises(UploadRefused) as caught:
        store(desk, given, size, announced)
    return caught.value


def fail(desk: UploadDesk, given: Grant, size: int) -> None:
    with suppress(ZeroDivisionError), desk.admit(given, 0) as take:
        take(size)
        raise ZeroDivisionError


def test_a_grant_is_good_for_one_upload() -> None:
    desk, mine = desk_of("s"), grant()
    store(desk, mine)
    assert refusal(desk, mine).status == 409
    store(desk, grant())


def test_of_two_at_the_same_time_one_wins() -> None:
    desk, mine = desk_of("s"), grant()
    with desk.admit(mine, 0):
        assert refusal(desk, mine).status == 409
    assert refusal(desk, mine).status == 409


def test_after_a_failure_a_grant_may_be_used_again() -> None:
    desk, mine = desk_of("s"), grant()
    fail(desk, mine, 5)
    store(desk, mine)
    assert refusal(desk, mine).status == 409


def test_a_session_that_is_over_has_no_grants() -> None:
    desk = desk_of("s", "t")
    desk.leave("s")
    assert refusal(desk, grant("s")).status == 410
    assert refusal(desk, grant("never")).status == 410
    store(desk, grant("t"))


def test_grants_of_another_server_and_of_no_session_are_taken_once() -> None:
    desk = desk_of()
    for given in (grant("s", server="there"), grant("", server="here"), grant("", server="")):
        store(desk, given)
        assert refusal(desk, given).status == 409


def test_an_upload_that_is_under_way_when_its_session_ends_goes_on() -> None:
    desk, mine = desk_of("s"), grant()
    with desk.admit(mine, 0) as take:
        desk.leave("s")
        take(1)
    assert refusal(desk, mine).status == 410


def test_uploads_at_the_same_time() -> None:
    desk = desk_of("s", "t", session_uploads=2, uploads=3)
    with ExitStack() as uploads:
        for session in ("s", "s", "t"):
            uploads.enter_context(desk.admit(grant(session), 0))
        too_many = refusal(desk, grant("s"))
        assert (too_many.status, too_many.headers) == (429, {"Retry-After": "1"})
        busy = refusal(desk, grant("t"))
        assert (busy.status, busy.headers) == (503, {"Retry-After": "1"})
    for session in ("s", "s", "s", "t"):
        store(desk, grant(session))


def test_bytes_of_a_session() -> None:
    desk = desk_of("s", "t", session_upload_bytes=10)
    store(desk, grant("s"), 6)
    assert refusal(desk, grant("s"), announced=5).status == 413
    assert refusal(desk, grant("s"), 5).status == 413
    fail(desk, grant("s"), 4)
    store(desk, grant("t"), 10)
    store(desk, grant("s"), 4)
    assert refusal(desk, grant("s"), 1).status == 413


def test_bytes_of_uploads_at_the_same_time_count_together() -> None:
    desk = desk_of("s", session_upload_bytes=10)
    with desk.admit(grant(), 0) as take:
        take(6)
        assert refusal(desk, grant(), 5).status == 413
        take(4)


def test_bytes_of_a_server() -> None:
    desk = desk_of("s", "t", upload_bytes=10, session_upload_bytes=None)
    store(desk, grant("s"), 6)
    assert refusal(desk, grant("t"), announced=5).status == 507
    assert refusal(desk, grant("t"), 5).status == 507
    store(desk, grant("t"), 4)


def test_without_limits_everything_goes() -> None:
    desk = desk_of("s", session_uploads=None, uploads=None, session_upload_bytes=None)
    with ExitStack() as uploads:
        for _ in range(300):
            uploads.enter_context(desk.admit(grant(), 2**60))(2**60)


def remembers(desk: Any) -> tuple[int, int]:
    """How many grants and how many accounts it holds."""
    return len(desk._claimed), len(desk._accounts)


def test_what_has_expired_is_forgotten() -> None:
    clock = Clock()
    desk = desk_of("s", now=clock)
    store(desk, grant("s", deadline=2000))
    store(desk, grant("x", server="there", deadline=3000))
    assert remembers(desk) == (2, 2)
    clock.time = 2000.0
    store(desk, grant("y", server="there", deadline=2500))
    assert remembers(desk) == (2, 3)
    desk.leave("s")
    assert remembers(desk) == (2, 2)
    clock.time = 3000.0
    fail(desk, grant("z", server="there", deadline=4000), 1)
    assert remembers(desk) == (0, 0)


def test_a_clock_that_is_set_forward_and_back_makes_no_used_grant_good() -> None:
    clock, uptime = Clock(), Clock()
    desk = desk_of("s", now=clock, uptime=uptime)
    mine = grant("s", deadline=2000)
    store(desk, mine)
    clock.time += 86400
    store(desk, grant("s", deadline=100_000))
    clock.time -= 86400
    assert refusal(desk, mine).status == 409
    # Nor does one that is set back have it forgotten too early.
    clock.time, uptime.time = 1999.0, 5000.0
    assert refusal(desk, mine).status == 409
    clock.time = 2000.0
    store(desk, grant("s", deadline=100_000))
    assert mine.nonce not in desk._claimed
    store(desk, grant("s", deadline=10**400))


def test_the_quota_of_a_session_is_kept_while_it_lives() -> None:
    clock = Clock()
    desk = desk_of("s", now=clock, session_upload_bytes=10)
    store(desk, grant("s", deadline=2000), 10)
    clock.time = 2000.0
    assert refusal(desk, grant("s", deadline=3000), 1).status == 413


def test_refused_uploads_leave_nothing() -> None:
    desk = desk_of("s", session_upload_bytes=10, uploads=1)
    for _ in range(5):
        assert refusal(desk, grant("x", server="there"), announced=11).status == 413
        assert refusal(desk, grant("over")).status == 410
    with desk.admit(grant(), 0):
        assert refusal(desk, grant("x", server="there")).status == 503
    assert remembers(desk) == (1, 1)


def test_when_too_many_are_remembered_the_one_that_expires_first_is_forgotten() -> None:
    desk = desk_of("s", remembered=2)
    late, soon, middle = (grant(deadline=deadline) for deadline in (3000, 1500, 2000))
    for given in (late, soon, middle):
        store(desk, given)
    assert [refusal(desk, given).status for given in (late, middle)] == [409, 409]
    store(desk, soon)


def test_a_folder_comes_first_once() -> None:
    desk = desk_of()
    assert [desk.first_at(name) for name in ("a", "b", "a")] == [True, True, False]
    for number in range(2000):
        desk.first_at(str(number))
    assert not desk.first_at("one more")
