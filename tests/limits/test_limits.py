from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from flet_anyio import Limits

ALWAYS = {"rate_burst", "events_queued", "ping_timeout", "close_timeout", "shutdown_grace"}


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_none_switches_a_limit_off_where_it_may(name: str) -> None:
    nothing: Any = {name: None}
    if name in ALWAYS:
        with pytest.raises(ValueError, match=rf"Limits\.{name} cannot be switched off"):
            replace(Limits(), **nothing)
    else:
        assert getattr(replace(Limits(), **nothing), name) is None


@pytest.mark.parametrize("value", [0, -1, True, float("nan")])
def test_a_limit_is_more_than_nothing(value: float) -> None:
    with pytest.raises(ValueError, match=r"Limits\.write_timeout must be greater than 0"):
        Limits(write_timeout=value)
