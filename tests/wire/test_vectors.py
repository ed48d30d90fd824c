"""What upstream was recorded to say to a client, said by this server to the same client."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgpack
import pytest
from flet.controls.id_counter import ControlId
from flet.messaging.protocol import MessageAction, decode_ext_from_msgpack

from flet_anyio import FletApp, Server
from flet_anyio.render import root_at_page
from flet_anyio.testing import MemoryTransport
from flet_anyio.transports import PeerInfo
from waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

FRAMES: list[dict[str, str]] = json.loads((Path(__file__).parent / "vectors.json").read_text())[
    "frames"
]
PAGE, DIALOGS = 1, 5


@pytest.fixture
def as_recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ControlId, "_counter", itertools.count(3))
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


class Replay:
    """Plays the client's part, and compares the server's."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport
        self._call_ids: dict[str, str] = {}
        self._rest: tuple[MessageAction, dict[str, Any]] | None = None

    async def run(self) -> None:
        for frame in FRAMES:
            recorded = bytes.fromhex(frame["hex"])
            if frame["direction"] == "client":
                self._transport.client_send(self._with_live_call_id(recorded))
            else:
                await self._expect(recorded, frame["note"])

    async def _expect(self, recorded: bytes, note: str) -> None:
        action, wanted = decode(recorded)
        live_action, body = self._rest or decode(await self._next_frame())
        self._rest = None
        assert live_action is action, note
        if action is MessageAction.INVOKE_METHOD:
            self._call_ids[wanted["call_id"]] = body["call_id"]
        wanted = masked(action, wanted)
        assert self._as_many(action, masked(action, body), wanted) == wanted, note

    def _as_many(
        self, action: MessageAction, body: dict[str, Any], wanted: dict[str, Any]
    ) -> dict[str, Any]:
        """As many operations as upstream sent: updates that wait are joined in one frame here."""
        count = len(wanted.get("patch", ()))
        if action is not MessageAction.PATCH_CONTROL or len(body["patch"]) <= count:
            return body
        self._rest = action, {**body, "patch": [body["patch"][0], *body["patch"][count:]]}
        return {**body, "patch": body["patch"][:count]}

    async def _next_frame(self) -> bytes:
        while True:
            with anyio.fail_after(PATIENCE):
                frame = await self._transport.client_receive()
            if not only_marks(frame):
                return frame

    def _with_live_call_id(self, frame: bytes) -> bytes:
        for recorded, live in self._call_ids.items():
            frame = frame.replace(msgpack.packb(recorded), msgpack.packb(live))
        return frame


def decode(frame: bytes) -> tuple[MessageAction, dict[str, Any]]:
    assert frame[0] == 0
    action, body = msgpack.unpackb(
        frame[1:], ext_hook=decode_ext_from_msgpack, strict_map_key=False
    )
    return MessageAction(action), body


def only_marks(frame: bytes) -> bool:
    """Whether a frame sets nothing but our marks in the window."""
    action, body = decode(frame)
    return action is MessageAction.PATCH_CONTROL and body["id"] == 2 and body["patch"][1][2] in "nm"


def masked(action: MessageAction, body: dict[str, Any]) -> dict[str, Any]:
    match action:
        case MessageAction.REGISTER_CLIENT:
            body["session_id"] = "random"
            body["page_patch"]["_services"]["_internals"]["uid"] = "random"
            # Ours: it tells a live page from a fresh one when the client comes back.
            for mark in ("e", "n"):
                body["page_patch"]["window"].pop(mark, None)
        case MessageAction.PATCH_CONTROL:
            if body["id"] == DIALOGS:
                # Ours says of the page what upstream says of its dialogs.
                body |= {"id": PAGE, "patch": root_at_page(body["patch"], "_dialogs")}
            tree, *operations = body["patch"]
            if len(tree) > 1 and tree[1].pop("window", None) and not tree[1]:
                tree.pop()
            body["patch"] = [tree, *(op for op in operations if op[2] != "n")]
        case MessageAction.INVOKE_METHOD:
            body["call_id"] = "random"
        case MessageAction.SESSION_CRASHED:
            # The rest is a traceback.
            body["message"] = body["message"].splitlines()[0]
    return body


@pytest.mark.slow
@pytest.mark.usefixtures("as_recorded")
async def test_the_same_app_says_the_same_to_the_same_client() -> None:
    import wire.vector_app as vector_app

    info = PeerInfo(
        url="ws://127.0.0.1/ws",
        path="/ws",
        client_ip="127.0.0.1",
        headers={"user-agent": "flet-vectors"},
    )
    transport = MemoryTransport(info)
    async with Server(debug=True) as server, anyio.create_task_group() as tasks:
        # Operation by operation: other ways to the same page are compared elsewhere.
        app = FletApp(main=vector_app.main, server=server, renderer="flet")
        tasks.start_soon(app.handle, transport)
        await Replay(transport).run()
        transport.drop()
