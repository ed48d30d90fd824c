"""Record vectors.json: what upstream's server and a scripted client say to each other.

Run by hand, in an environment that has flet-web, uvicorn and websockets, when flet changes:

    python tests/wire/record_upstream.py [--out FILE]

One server process, one session. The frames are written as they were on the wire; two recordings
differ only in the random values that the header names. The traceback that the server prints is
the script's deliberate crash. The client packs by hand-written rules of
the compiled client (see the notes); what a real client was not seen to send is marked
"synthetic" in its note.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack
from websockets.sync.client import ClientConnection, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parent
USER_AGENT = "flet-vectors"

REGISTER, PATCH, EVENT, PROPS, CALL, CRASHED = 1, 2, 3, 4, 5, 6
PAGE = 1

ACTION_NAMES = {PATCH: "patch", CALL: "call", CRASHED: "crashed"}

STEP_TIMEOUT = 10.0  # for each expected frame
QUIET = 0.2  # nothing may come for so long after a step
START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0

# Naive datetimes go through the local zone; the order of some maps' keys is that of a frozenset.
ENVIRONMENT = {"TZ": "UTC", "PYTHONHASHSEED": "0"}

SERVER = """
import sys
sys.path.insert(0, sys.argv[1])
import flet_web.fastapi
import uvicorn
import vector_app
app = flet_web.fastapi.app(vector_app.main, no_cdn=True)
uvicorn.run(app, fd=int(sys.argv[2]), log_level="warning", ws_per_message_deflate=False)
"""

PADDING = {"top": 0.0, "right": 0.0, "bottom": 0.0, "left": 0.0}
MEDIA = {
    "padding": PADDING,
    "view_padding": PADDING,
    "view_insets": PADDING,
    "device_pixel_ratio": 1.0,
    "orientation": "landscape",
    "always_use_24_hour_format": False,
}
REGISTER_BODY = {
    "session_id": None,
    "page_name": "",
    "page": {
        "route": "/",
        "pwa": False,
        "web": True,
        "debug": False,
        "wasm": True,
        "test": False,
        "multi_view": False,
        "pyodide": False,
        "platform_brightness": "light",
        "width": 1280.0,
        "height": 720.5,
        "platform": "linux",
        "window": {},
        "media": MEDIA,
    },
}

RANDOM = {
    "session_id": "16 letters and digits: the register reply (action 1), body.session_id",
    "uid": "10 letters and digits: the same frame, body.page_patch._services._internals.uid",
    "call_id": "10 letters and digits: each server call (action 5), body.call_id, and its reply",
    "traceback": "not random, but of this machine: the crash frame (action 6), body.message,"
    " names files and lines after its first line",
}
RECORDED_UNDER = {
    "control ids": "a fresh process, first session: Page is 1, Window 2, and the others count up"
    " from 3 as they are made",
    "TZ": "UTC: naive datetimes go through the local zone",
    "PYTHONHASHSEED": "0: the order of keys in maps that encode a control or a value object depends"
    " on it (flet iterates over a frozenset of field names); compare decoded frames, or bytes under"
    " the same seed",
    "User-Agent": USER_AGENT,
    "client address": "127.0.0.1",
    "endpoint": "/ws",
    "permessage-deflate": "off (frames are as before compression anyway)",
}


@contextlib.contextmanager
def upstream_server() -> Iterator[int]:
    """Run upstream's server in a process of its own; yield its port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port: int = listener.getsockname()[1]
        fd = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(HERE), str(fd)],
            pass_fds=[fd],
            env={**os.environ, **ENVIRONMENT},
        )
    try:
        yield port
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_TIMEOUT)


def opened(port: int) -> ClientConnection:
    # The socket listens before the server runs, so this waits for it in the backlog.
    return connect(
        f"ws://127.0.0.1:{port}/ws",
        compression=None,
        proxy=None,
        max_size=None,
        open_timeout=START_TIMEOUT,
        close_timeout=STOP_TIMEOUT,
        user_agent_header=USER_AGENT,
    )


def date_time(text: str) -> msgpack.ExtType:
    return msgpack.ExtType(1, text.encode())


def time_of_day(text: str) -> msgpack.ExtType:
    return msgpack.ExtType(2, text.encode())


def duration(microseconds: int) -> msgpack.ExtType:
    return msgpack.ExtType(3, str(microseconds).encode())


def js_text(text: str) -> msgpack.ExtType:
    return msgpack.ExtType(4, text.encode())


class Recorder:
    """A client that plays a script, and remembers every frame of both directions."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, str]] = []
        self.ids: dict[str, int] = {}
        self.calls: deque[dict[str, Any]] = deque()

    # Frames

    def send(self, action: int, body: dict[str, Any], note: str) -> None:
        frame = b"\0" + msgpack.packb([action, body])
        self.keep("client", frame, note)
        self.socket.send(frame)

    def receive(self, action: int, note: str) -> dict[str, Any]:
        frame = self.socket.recv(STEP_TIMEOUT)
        if not isinstance(frame, bytes) or frame[:1] != b"\0":
            raise AssertionError(f"{note}: not a message: {frame!r}")
        self.keep("server", frame, note)
        got, body = msgpack.unpackb(frame[1:], strict_map_key=False)
        if got != action:
            raise AssertionError(f"{note}: expected action {action}, got {got}: {body}")
        self.learn_ids(body)
        if action == CALL:
            self.calls.append(body)
        assert isinstance(body, dict)
        return body

    def keep(self, direction: str, frame: bytes, note: str) -> None:
        self.frames.append({"direction": direction, "hex": frame.hex(), "note": note})

    def expect(self, note: str, *actions: int) -> None:
        """Take exactly these frames: no more may follow."""
        for n, action in enumerate(actions, 1):
            part = f" {n}/{len(actions)}" if len(actions) > 1 else ""
            self.receive(action, f"{note}: {ACTION_NAMES[action]}{part}")
        try:
            extra = self.socket.recv(QUIET)
        except TimeoutError:
            return
        raise AssertionError(f"{note}: one frame too many: {extra!r}")

    def learn_ids(self, value: Any) -> None:
        """Remember the ids of the controls in here that have a key."""
        if isinstance(value, dict):
            if "_c" in value and "key" in value:
                self.ids[value["key"]] = value["_i"]
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                self.learn_ids(item)

    # What a client does

    def props(self, target: int | str, props: dict[str, Any], note: str) -> None:
        self.send(PROPS, {"id": self.id_of(target), "props": props}, note)

    def event(self, target: int | str, name: str, data: Any, note: str) -> None:
        self.send(EVENT, {"target": self.id_of(target), "name": name, "data": data}, note)

    def id_of(self, target: int | str) -> int:
        return target if isinstance(target, int) else self.ids[target]

    def click(self, key: str, *actions: int) -> None:
        self.event(key, "click", None, f"click {key}")
        self.expect(key, *actions)

    def reply(self, result: Any, error: str | None, note: str) -> None:
        call = self.calls.popleft()
        body = {
            "control_id": call["control_id"],
            "call_id": call["call_id"],
            "result": result,
            "error": error,
        }
        self.send(CALL, body, note)


def register(c: Recorder) -> None:
    c.send(REGISTER, REGISTER_BODY, "register, no session id, a freshly loaded page")
    c.receive(REGISTER, "register reply: the page as it is before main")
    c.receive(PATCH, "main makes a service: the registry's patch")
    c.expect("main adds its controls", PATCH)
    c.props(PAGE, {"platform_brightness": "light"}, "after the reply: brightness")
    c.event(PAGE, "platform_brightness_change", "light", "after the reply: brightness event")
    c.props(PAGE, {"media": MEDIA}, "after the reply: media")
    c.props(PAGE, {"width": 1280, "height": 720.5}, "after the reply: size; a float as an int")
    c.expect("after the reply: no answer")


def fields(c: Recorder) -> None:
    for text in ("h", "hé"):
        c.props("field", {"value": text}, f"typing {text!r}: props")
        c.event("field", "change", text, f"typing {text!r}: event")
        c.expect(f"typing {text!r}", PATCH)
    c.event("field", "submit", "hé", "submit")
    c.expect("submit: the field is emptied", PATCH)
    for value in (True, None):
        c.props("check", {"value": value}, f"checkbox {value}: props")
        c.event("check", "change", value, f"checkbox {value}: event")
        c.expect(f"checkbox {value}", PATCH)
    c.event("field", "change", js_text("js"), "synthetic: text as extension type 4")
    c.expect("text as extension type 4", PATCH)


def page_events(c: Recorder) -> None:
    size = {"width": 1000, "height": 700.25}
    c.props(PAGE, size, "resize: props")
    c.event(PAGE, "resize", size, "resize: event")
    c.expect("resize", PATCH)
    point = {"x": 10.5, "y": 3.0}
    drag = {"k": "mouse", "l": point, "g": point, "d": point, "pd": 1.5, "ts": duration(1_234_567)}
    c.event("pad", "horizontal_drag_update", drag, "drag: a map with a duration (extension type 3)")
    c.expect("drag", PATCH)


def updates(c: Recorder) -> None:
    c.click("plus", PATCH)
    c.click("plus", PATCH)
    c.click("quiet")
    for key in ("nested", "whole", "state_colors", "fonts", "own_update"):
        c.click(key, PATCH)
    for key in ("append", "extend", "insert", "remove", "move"):
        c.click(key, PATCH)
    for key in ("reverse", "replace", "mixed", "renew", "clear", "append"):
        c.click(key, PATCH)
    c.click("steps", *[PATCH] * 4)
    c.click("async_steps", *[PATCH] * 3)
    c.click("later", *[PATCH] * 2)


def dialogs(c: Recorder) -> None:
    c.click("open_dialog", PATCH)
    c.click("close_dialog", PATCH)
    c.event("dialog", "dismiss", None, "dialog is gone: event")
    c.expect("dialog is gone", PATCH, PATCH)
    c.click("open_dates", PATCH)
    pick(c, "dates", date_time("2026-03-17T00:00:00.000+00:00"), "date (extension type 1)")
    c.click("open_times", PATCH)
    pick(c, "times", time_of_day("9:5"), "time (extension type 2)")


def pick(c: Recorder, key: str, value: msgpack.ExtType, what: str) -> None:
    c.props(key, {"value": value, "open": False}, f"pick a {what}: props")
    c.event(key, "change", value, f"pick a {what}: change")
    c.expect(f"picked a {what}", PATCH)
    c.event(key, "dismiss", False, f"pick a {what}: dismiss")
    c.expect(f"picker of a {what} is gone", PATCH)


def calls(c: Recorder) -> None:
    c.click("paste", CALL)
    c.reply("from the clipboard ✓", None, "reply with a result")
    c.expect("paste: call answered", PATCH)
    c.click("paste", CALL)
    c.reply(None, "no permission", "reply with an error")
    c.expect("paste: call failed", PATCH)
    c.click("focus", CALL)
    c.reply(None, None, "reply with nothing")
    c.expect("focus: nothing follows")
    c.click("scroll", CALL)
    c.reply(None, None, "reply with nothing")
    c.expect("scroll: nothing follows")
    c.click("push", CALL)
    c.props(PAGE, {"route": "/x"}, "pushed: route props")
    c.event(PAGE, "route_change", {"route": "/x"}, "pushed: route event")
    c.expect("route changed", PATCH)
    c.reply(None, None, "reply with nothing")
    c.expect("push: nothing follows")


def oddities(c: Recorder) -> None:
    c.event("out", "no_such_event", None, "synthetic: an event that the control does not have")
    c.event(999_999, "click", None, "an event of an unknown control")
    c.props(999_999, {"value": 1}, "props of an unknown control")
    c.expect("oddities: no answer")
    c.click("crash", CRASHED)
    c.click("plus", PATCH)


def style(c: Recorder) -> None:
    """Last, for upstream sends a styled button's style again with every update of the page."""
    c.click("restyle", PATCH)
    c.click("plus", PATCH)
    c.click("quiet", PATCH)


SCRIPT: list[Callable[[Recorder], None]] = [
    register,
    fields,
    page_events,
    updates,
    dialogs,
    calls,
    oddities,
    style,
]


def record() -> list[dict[str, str]]:
    with upstream_server() as port, opened(port) as socket:
        recorder = Recorder(socket)
        for part in SCRIPT:
            part(recorder)
        return recorder.frames


def header() -> dict[str, Any]:
    versions = ("flet", "flet-web", "uvicorn", "msgpack")
    return {
        **{name: importlib.metadata.version(name) for name in versions},
        "python": sys.version.split()[0],
        "random": RANDOM,
        "recorded_under": RECORDED_UNDER,
    }


def written(frames: list[dict[str, str]]) -> str:
    """One frame a line, so that a new recording is read as a diff."""
    lines = ",\n".join("  " + json.dumps(frame, ensure_ascii=False) for frame in frames)
    head = json.dumps(header(), ensure_ascii=False, indent=1)
    return f'{{\n"header": {head},\n"frames": [\n{lines}\n]\n}}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=HERE / "vectors.json")
    out: Path = parser.parse_args().out
    began = time.monotonic()
    frames = record()
    out.write_text(written(frames), encoding="utf-8")
    size, took = out.stat().st_size, time.monotonic() - began
    print(f"{out}: {len(frames)} frames, {size} bytes, {took:.1f} s")


if __name__ == "__main__":
    main()
