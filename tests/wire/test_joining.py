from __future__ import annotations

from typing import Any

import flet as ft
import msgpack
import pytest
from flet.messaging.protocol import MessageAction, PatchControlBody
from hypothesis import given
from hypothesis import strategies as st

from flet_anyio.render import encode_message, mark_frame, patch_frame
from flet_anyio.testing import InProcess
from flet_anyio.wire.joining import join_updates

TREES: list[Any] = [[0], [0, {"window": [1]}], [0, {"controls": [1, {3: [2]}]}]]
values = (
    st.none() | st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.integers(0, 9), max_size=3)
)
operations = st.lists(
    st.tuples(st.just(0), st.integers(0, 2), st.text(max_size=3), values).map(list)
)


def frame(control_id: int, tree: Any, ops: list[Any]) -> bytes:
    body = PatchControlBody(control_id, [tree, *ops])
    return encode_message(MessageAction.PATCH_CONTROL, body)


@given(
    ids=st.sampled_from([(1, 1), (300, 300), (70_000, 70_000), (1, 300), (7, 8)]),
    trees=st.tuples(st.sampled_from(TREES), st.sampled_from(TREES)),
    first=operations,
    second=operations,
)
def test_one_frame_holds_the_operations_of_both(
    ids: tuple[int, int], trees: tuple[Any, Any], first: list[Any], second: list[Any]
) -> None:
    joined = join_updates(frame(ids[0], trees[0], first), frame(ids[1], trees[1], second))
    if ids[0] != ids[1] or trees[0] != trees[1]:
        assert joined is None
    else:
        assert joined == frame(ids[0], trees[0], first + second)


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_what_is_no_update_is_left_alone(first: bytes, second: bytes) -> None:
    assert join_updates(b"\1" + first, b"\1" + second) is None
    assert join_updates(frame(1, [0], []), b"\1" + second) is None


def test_calls_are_no_updates() -> None:
    call = encode_message(MessageAction.INVOKE_METHOD, {"id": 1, "patch": [[0]]})
    assert join_updates(call, call) is None


def test_a_long_frame_grows_no_longer() -> None:
    update = frame(1, [0], [[0, 0, "value", "x" * 9_000]])
    assert join_updates(update, update) is None


def test_the_frames_of_this_server_can_be_joined() -> None:
    """They begin as is looked for: a change of how they are packed would go unnoticed else."""
    update = patch_frame(9, [[0], [0, 0, "value", "1"]], lambda value: value)
    assert join_updates(update, update) is not None
    mark = mark_frame("n", 1)
    assert join_updates(mark, mark) is not None


@pytest.mark.anyio
async def test_updates_in_a_row_reach_the_screen_in_few_frames() -> None:
    def main(page: ft.Page) -> None:
        count, other = ft.Text("0"), ft.Text("old")

        def run() -> None:
            for number in range(1, 101):
                count.value = str(number)
                count.update()
            other.value = "new"
            other.update()

        page.add(count, other, ft.Button("run", on_click=run))

    async with InProcess(main) as app, app.connect() as client:
        await client.see("run")
        before = len(client.frames)
        await client.click("run")
        await client.see("100", "new")
        updates = [msgpack.unpackb(one[1:], strict_map_key=False) for one in client.frames[before:]]
        assert sum(len(body["patch"]) - 1 for action, body in updates if action == 2) >= 100
        assert len(updates) < 20
