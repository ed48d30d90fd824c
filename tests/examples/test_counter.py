from __future__ import annotations

from typing import Any

import pytest

from flet_anyio.testing import InProcess

pytestmark = pytest.mark.anyio


async def test_it_counts_up_and_down(example: Any) -> None:
    async with InProcess(example("counter").main) as app, app.connect() as client:
        await client.see("0")
        await client.click("+")
        await client.click("+")
        await client.see("2")
        await client.click("-")
        await client.see("1")


async def test_everybody_has_a_count_of_their_own(example: Any) -> None:
    main = example("counter").main
    async with InProcess(main) as app, app.connect() as one, app.connect() as other:
        await one.click("+")
        await one.see("1")
        await other.click("-")
        await other.see("-1")
        assert "1" in one.texts
