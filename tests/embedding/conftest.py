"""What the tests of apps inside other programs share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _of_few_files(client_files: object) -> None:
    """Serve a client of few files: the real one is tested in the browser."""
