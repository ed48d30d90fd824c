"""What a browser keeps of the client between two loads of a page."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sites import HERE, require_chromium

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def test_second_load_is_free_and_an_upgrade_is_seen(tmp_path: Path) -> None:
    require_chromium()
    done = subprocess.run(
        [sys.executable, str(HERE / "upgrade_probe.py"), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
