"""What is logged of connections that cannot be accepted, in the words of each event loop.

That these are its words is seen where a real server has no file left: serving/test_dead_clients.py.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import Any

import pytest

from flet_anyio.compat.accepting import told_once
from flet_anyio.compat.door import on_trio

pytestmark = pytest.mark.anyio

FULL = OSError(errno.EMFILE, "Too many open files")
OURS = "flet_anyio.compat.accepting"


def fail() -> None:
    if on_trio():
        logging.getLogger("trio.serve_listeners").error("retrying", exc_info=FULL)
    else:
        report({"message": "socket.accept() out of system resource", "exception": FULL})


def report(context: dict[str, Any]) -> None:
    asyncio.get_running_loop().call_exception_handler(context)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{record.name}: {record.getMessage()}" for record in caplog.records]


async def test_it_is_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    with told_once(lambda: now):
        for _ in range(1000):
            fail()
        told = f"{OURS}: new connections wait until others end: [Errno 24] Too many open files"
        assert lines(caplog) == [told]
        assert not caplog.records[0].exc_info
        now += 60
        fail()
        fail()
        assert lines(caplog) == [told] * 2


async def test_afterwards_it_is_the_loops_again(caplog: pytest.LogCaptureFixture) -> None:
    if not on_trio():
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        with told_once():
            assert loop.get_exception_handler() != before
        assert loop.get_exception_handler() == before
        return
    with told_once():
        pass
    fail()
    assert lines(caplog) == ["trio.serve_listeners: retrying"]
    assert caplog.records[0].exc_info


async def test_other_reports_are_logged_as_they_were(caplog: pytest.LogCaptureFixture) -> None:
    with told_once():
        if on_trio():
            logging.getLogger("trio.serve_listeners").warning("another")
        else:
            report({"message": "another"})
    assert [line.split(": ")[1] for line in lines(caplog)] == ["another"]


async def test_a_programs_own_handler_gets_the_others() -> None:
    if on_trio():
        pytest.skip("only asyncio has such handlers")
    loop, seen = asyncio.get_running_loop(), []

    def handler(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        seen.append(context["message"])

    loop.set_exception_handler(handler)
    try:
        with told_once():
            fail()
            report({"message": "another"})
        assert loop.get_exception_handler() is handler
    finally:
        loop.set_exception_handler(None)
    assert seen == ["another"]
