"""What the tests of apps inside other programs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def client_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client of few files: the real one is tested in the browser."""
    folder = tmp_path / "client"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(
        '<html><head><base href="/"><title>Flet</title><!-- fletAppConfig --></head></html>'
    )
    (folder / "manifest.json").write_text("{}")
    (folder / "assets" / "FontManifest.json").write_text("[]")
    monkeypatch.setenv("FLET_WEB_PATH", str(folder))
    return folder
