from __future__ import annotations

from functools import partial

import anyio
import anyio.to_thread
import msgpack
import pytest

from flet_anyio import OutboxFull
from flet_anyio.compat.door import Door
from flet_anyio.transports import Close, Outbox
from flet_anyio.wire.codes import CloseCode
from waiting import PATIENCE

pytestmark = pytest.mark.anyio


def _update(control_id: int, value: str) -> bytes:
    patch = [[0], [0, 0, "value", value]]
    packed: bytes = msgpack.packb([2, {"id": control_id, "patch": patch}])
    return b"\0" + packed


async def test_frames_come_out_as_they_went_in() -> None:
    outbox = Outbox(None, Door())
    for frame in (b"one", b"two"):
        outbox.put(frame)
    assert [await outbox.get(), await outbox.get()] == [b"one", b"two"]


async def test_updates_of_one_control_that_wait_are_sent_in_one_frame() -> None:
    outbox = Outbox(200, Door())
    for value in ("1", "2", "3"):
        outbox.put(_update(7, value))
    outbox.put(_update(8, "4"), b"a call", _update(8, "5"))
    frame = await outbox.get()
    assert isinstance(frame, bytes)
    assert msgpack.unpackb(frame[1:])[1]["patch"] == [
        [0],
        *([0, 0, "value", value] for value in ("1", "2", "3")),
    ]
    # Nothing overtakes what is no update.
    assert [await outbox.get() for _ in range(3)] == [_update(8, "4"), b"a call", _update(8, "5")]
    outbox.put(b"x" * 200)  # what was sent does not count any more


async def test_a_frame_that_was_taken_stays_as_it_is() -> None:
    outbox = Outbox(None, Door())
    outbox.put(_update(7, "1"))
    taken = await outbox.get()
    outbox.put(_update(7, "2"))
    assert [taken, await outbox.get()] == [_update(7, "1"), _update(7, "2")]


async def test_what_is_too_much_is_refused_and_nothing_is_lost() -> None:
    outbox = Outbox(5, Door())
    outbox.put(b"four")
    with pytest.raises(OutboxFull) as full:
        outbox.put(b"ty")
    assert (full.value.waiting, full.value.limit) == (4, 5)
    assert "Limits.outbox_bytes" in str(full.value)
    assert await outbox.get() == b"four"
    outbox.put(b"ty")
    assert await outbox.get() == b"ty"


async def test_one_frame_larger_than_the_limit_goes_alone() -> None:
    outbox = Outbox(5, Door())
    outbox.put(b"a large one")
    with pytest.raises(OutboxFull):
        outbox.put(b"x")
    assert await outbox.get() == b"a large one"


async def test_held_frames_count_and_come_when_they_are_released() -> None:
    outbox = Outbox(5, Door())
    outbox.hold()
    outbox.put(b"held")
    with pytest.raises(OutboxFull):
        outbox.put(b"more")
    outbox.put(b"!", urgent=True)  # fits always
    assert await outbox.get() == b"!"
    outbox.release()
    outbox.put(b"2")
    assert [await outbox.get(), await outbox.get()] == [b"held", b"2"]


async def test_after_the_end_frames_are_dropped_and_the_first_word_counts() -> None:
    outbox = Outbox(None, Door())
    outbox.put(b"last")
    outbox.end(Close(CloseCode.NORMAL, "first word"))
    outbox.end(Close(CloseCode.SERVICE_RESTART, "second word"))
    outbox.put(b"too late")
    assert await outbox.get() == b"last"
    assert await outbox.get() == Close(CloseCode.NORMAL, "first word")


async def test_it_is_filled_from_threads() -> None:
    outbox = Outbox(None, Door())
    async with anyio.create_task_group() as tasks:
        put = partial(outbox.put, b"from a thread")
        tasks.start_soon(anyio.to_thread.run_sync, put)
        with anyio.fail_after(PATIENCE):
            assert await outbox.get() == b"from a thread"


async def test_a_cancelled_reader_takes_nothing_with_it() -> None:
    outbox = Outbox(None, Door())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outbox.get)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    outbox.put(b"for the next")
    assert await outbox.get() == b"for the next"
