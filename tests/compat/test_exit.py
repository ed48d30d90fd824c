from __future__ import annotations

import subprocess
import sys
import threading

import pytest

START = """
import concurrent.futures, os, threading, time
from flet_anyio.compat.exit import leave_at_exit

pool = concurrent.futures.ThreadPoolExecutor()
"""

STUCK_IN_AN_EXECUTOR = (
    START + "pool.submit(time.sleep, 60)\nleave_at_exit(0.1, lambda: os._exit(7))"
)
STUCK_BY_ITSELF = (
    START
    + "threading.Thread(target=time.sleep, args=[60]).start()\n"
    + "leave_at_exit(0.1, lambda: os._exit(7))"
)
GOES_ON = START + "leave_at_exit(0.01, lambda: os._exit(7))\ntime.sleep(0.3)\nprint('done')"
ENDS = START + "pool.submit(print, 'done')\nleave_at_exit(30, lambda: os._exit(7))"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        pytest.param(STUCK_IN_AN_EXECUTOR, 7, "", id="stuck in an executor"),
        pytest.param(STUCK_BY_ITSELF, 7, "", id="stuck by itself"),
        pytest.param(GOES_ON, 0, "done\n", id="goes on"),
        pytest.param(ENDS, 0, "done\n", id="ends"),
    ],
)
def test_only_a_program_that_cannot_end_is_left(program: str, status: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stdout) == (status, said), done.stderr


def test_python_still_calls_before_it_waits() -> None:
    assert callable(threading._register_atexit)  # type: ignore[attr-defined]
