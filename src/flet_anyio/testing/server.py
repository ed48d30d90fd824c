"""An app and its server, in the test's own process."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakValueDictionary

import anyio
from anyio import AsyncContextManagerMixin

from ..flet_app import FletApp
from ..server import Server
from ..transports.base import PeerInfo
from .client import Client
from .memory import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from flet.app import AppCallable

    from ..limits import Limits
    from ..session.session import Session

__all__ = ["InProcess"]


class InProcess(AsyncContextManagerMixin):
    """Serves `main` to clients that `connect` makes. Leaving the block shuts the server down.

    Further settings are those of `FletApp`. Visitors see the text of errors, unless `debug` is
    false.
    """

    def __init__(
        self,
        main: AppCallable,
        *,
        path: str = "/ws",
        limits: Limits | None = None,
        debug: bool = True,
        **settings: Any,
    ) -> None:
        self.server = Server(limits=limits, debug=debug)
        self._settings = {"main": main, **settings}
        self._path = path
        self.connections: list[FletApp] = []
        self._of_client: WeakValueDictionary[Client, FletApp] = WeakValueDictionary()

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        with _one_failure():
            async with self.server:
                yield self

    @property
    def sessions(self) -> list[Session]:
        """The sessions that live now."""
        return self.server.sessions

    @property
    def session(self) -> Session:
        """The only session.

        Raises:
            ValueError: There are none, or several.
        """
        (session,) = self.server.sessions
        return session

    def session_of(self, client: Client) -> Session | None:
        """The session that a client has, or last had. None when it never registered."""
        return self._of_client[client].session

    @asynccontextmanager
    async def connect(
        self,
        *,
        after: Client | None = None,
        live: bool = False,
        register: bool = True,
        frames: float = float("inf"),
        address: str = "127.0.0.1",
        **page: Any,
    ) -> AsyncGenerator[Client]:
        """Open a connection and register; leaving the block drops it.

        Args:
            after: An earlier client of the same tab: the new one asks for its session.
            live: Whether the tab still shows the earlier client's page; else it was reloaded.
            register: Whether to register. If not, the test does, or does not.
            frames: How many frames wait for the client before the server must.
            address: Where the client is, as the server sees it.
            **page: What the client reports of its page, such as `route`.
        """
        info = PeerInfo(
            url=f"ws://test{self._path}",
            path=self._path,
            client_ip=address,
            headers={"user-agent": "flet-anyio testing"},
        )
        transport = MemoryTransport(info, frames=frames)
        client = Client(transport)
        if after is not None:
            client.session_id = after.session_id
            client.page = after.page if live else client.page
        connection = FletApp(server=self.server, **self._settings)
        self.connections.append(connection)
        self._of_client[client] = connection
        with _one_failure(), _dropping(transport):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(connection.handle, transport)
                await transport.accepted.wait()
                if frames > 0:
                    await tasks.start(client.run)
                if register:
                    client.register(**page)
                    await client.until(lambda: client.registered or client.closed)
                with _dropping(transport):
                    yield client


@contextmanager
def _dropping(transport: MemoryTransport) -> Iterator[None]:
    """Leave no end of a connection open, whatever happens."""
    try:
        yield
    finally:
        transport.drop()


@contextmanager
def _one_failure() -> Iterator[None]:
    """Raise what a test failed with as it is, out of the groups of the tasks around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        failure: BaseException = group
        while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
            failure = failure.exceptions[0]
        raise failure from None
