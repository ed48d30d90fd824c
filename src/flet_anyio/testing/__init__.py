"""Testing Flet apps in process: the real server and the real wire, with no socket and no browser.

    async def test_counter():
        async with InProcess(main) as app, app.connect() as client:
            await client.click("+")
            await client.see("1")

Runs on asyncio and trio, in any test runner for coroutines.
"""

from .client import CallFailed, Client
from .memory import MemoryTransport
from .model import Node, PageModel
from .server import InProcess

__all__ = [
    "CallFailed",
    "Client",
    "InProcess",
    "MemoryTransport",
    "Node",
    "PageModel",
]
