"""Upstream's `app_manager`: here a face of the servers that the running event loop hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from ..compat.servers import guard_hypercorn
from ..server import default_executor, default_server, hosted_servers, shut_down

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from ..limits import Limits

__all__ = ["AppManager", "app_manager"]


@final
class AppManager:
    """Starts and shuts down what runs the apps that have no lifespan of their own.

    Those are apps that are mounted in another one, and `FletApp`s in routes. It holds nothing
    itself: what it does is about the event loop that it is called in. Nobody needs it, as such
    apps start with their first client; with `shutdown` they end in order, before the program.
    """

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Threads of the event loop's own server. With no loop, what anyio raises then."""
        return default_executor()

    async def start(self, limits: Limits | None = None, *, debug: bool = False) -> None:
        """Start the event loop's own server, for `FletApp`s in routes. It may run already.

        After a shutdown, apps take clients again. hypercorn is guarded against connections that
        would end its worker.

        Args:
            limits: Bounds of that server, if this starts it.
            debug: Whether visitors of that server see the text of errors.
        """
        guard_hypercorn()
        servers = hosted_servers()
        for owner, server in list(servers.items()):
            if server.closed:
                del servers[owner]
        await default_server(limits, debug=debug)

    async def shutdown(self) -> None:
        """Tell all clients to come back later, and end all sessions, within the grace.

        Cancelled, it does the same.
        """
        await shut_down(hosted_servers().values())


app_manager = AppManager()
