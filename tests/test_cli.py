from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from click.testing import CliRunner

from flet_anyio.cli import main

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = """\
import flet as ft

def main(page: ft.Page):
    page.add(ft.Text("hello"))

ft.run(main)
"""


def test_help_names_the_commands() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert "run" in result.output


def test_a_missing_file_is_one_line_and_no_traceback() -> None:
    result = CliRunner().invoke(main, ["run", "nowhere.py"])
    assert result.exit_code == 1
    assert result.output == "Error: nowhere.py: no such file\n"


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_ordinary_program_is_served(tmp_path: Path, backend: str) -> None:
    if backend == "trio":
        pytest.importorskip("trio")
    file = tmp_path / "plain.py"
    file.write_text(PLAIN)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "note.txt").write_text("an asset")
    command = [sys.executable, "-m", "flet_anyio", "run", str(file), "--port", "0"]
    with subprocess.Popen(
        [*command, "--backend", backend], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            url = next(word for word in line.split() if word.startswith("http"))
            assert httpx.get(url).status_code == 200
            assert httpx.get(url + "note.txt").text == "an asset"
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
