"""The server: owner of all sessions, and of what they share."""

from __future__ import annotations

import logging
import secrets
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, Self
from weakref import WeakValueDictionary

import anyio
from anyio import AsyncContextManagerMixin
from anyio.lowlevel import RunVar, checkpoint

from .compat.door import Door
from .compat.hosting import host
from .errors import SessionClosed
from .limits import Limits
from .limits.admission import Admission
from .limits.overruns import overrun
from .limits.turnstile import Turnstile
from .limits.watchdog import Watchdog
from .session.lifecycle import Reason
from .session.registry import Registry
from .session.sign_in import SignIns
from .session.threads import HandlerThreads
from .web.uploads.desk import UploadDesk
from .wire.codes import CloseCode
from .wire.tokens import TokenSigner

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Coroutine,
        Hashable,
        Iterable,
        Iterator,
    )

    from anyio.abc import TaskGroup

    from .session.session import Session
from .session.stacks import stack_of

__all__ = [
    "Server",
    "default_executor",
    "default_server",
    "hosted_server",
    "hosted_servers",
    "noting_use",
    "shut_down",
]

logger = logging.getLogger(__name__)

_ITSELF = "the session"
_LAST_STEPS = 10
"""How often code that was cancelled after the grace may run before it is named."""


class _Connection(Protocol):
    def close(self, code: CloseCode, reason: str) -> None: ...
    def cut(self) -> None: ...


class Server(AsyncContextManagerMixin):
    """Owns sessions, their hubs, a thread pool and the sign-ins that wait.

    Open it with `async with`, in the task that is to own it. Leaving the block, or being
    cancelled in it, shuts down, in this order: no new connections; every client is told 1012,
    so that it comes back; sessions end, running `on_disconnect` and `on_close`; what still
    runs after `Limits.shutdown_grace` is cancelled; and then waited for.
    """

    def __init__(self, *, limits: Limits | None = None, debug: bool = False) -> None:
        self.limits = limits or Limits()
        self.debug = debug
        self.sign_ins = SignIns()
        self.name = secrets.token_urlsafe(9)
        self.uploads = UploadDesk(self.name, self.limits)
        self._signer = TokenSigner()
        self.watchdog = Watchdog()
        self._threads = HandlerThreads(self.limits.handler_threads)
        self._registries: WeakValueDictionary[Hashable, Registry] = WeakValueDictionary()
        self._connections: set[_Connection] = set()
        self._sessions: set[Session] = set()
        self.admission = Admission(self.limits, self._connections, self._sessions)
        self.turnstile = Turnstile()
        self._left = anyio.Event()
        self._over = anyio.Event()
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self.opened = anyio.Event()
        self.closed = False
        self._group: TaskGroup | None = None
        self._door: Door | None = None
        self._task: object = None
        self._followed: set[Callable[[], Awaitable[None]]] = set()

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        self._door = Door()
        _used.get(set()).add(self)
        async with anyio.create_task_group() as group:
            self._group = group
            group.start_soon(self.watchdog.run, name="the watchdog")
            self.opened.set()
            try:
                yield self
            finally:
                await self.shutdown()
                group.cancel_scope.cancel()

    @property
    def sessions(self) -> list[Session]:
        """The sessions that live now."""
        return list(self._sessions)

    @property
    def connections(self) -> int:
        """How many connections there are, of clients that registered and of others."""
        return len(self._connections)

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Threads for the sessions that were given no executor of their own."""
        with self._lock:
            if self._executor is None:
                self._executor = _make_executor()
            return self._executor

    def registry(self, mount: str, main: Callable[..., Any]) -> Registry:
        """The sessions of one app at one place. They are the same for as long as any lives."""
        assert self._door is not None, "the server must be opened first"
        key = (mount, _identity(main))
        registry = self._registries.get(key)
        if registry is None:
            registry = Registry(
                limits=self.limits,
                door=self._door,
                debug=self.debug,
                signer=self._signer,
                threads=self._threads,
            )
            # Kept by the registry: an identity is only good while its object lives.
            registry.main = main
            self._registries[key] = registry
        return registry

    async def start(self, session: Session, registry: Registry, *, address: str = "") -> None:
        """Run a new session of a client at this address, and return once it takes work.

        Raises:
            SessionClosed: The server is shutting down.
        """
        if self._group is None:
            raise SessionClosed("start a session")
        registry.add(session)
        self._sessions.add(session)
        self.admission.enter(address)
        self.uploads.enter(session.label)
        try:
            name = f"{session.label}: {_ITSELF}"
            await self._group.start(self._run, session, address, name=name)
        except BaseException:
            registry.forget(session)
            raise

    async def _run(self, session: Session, address: str, *, task_status: Any) -> None:
        try:
            await session.run(task_status=task_status)
        except Exception:
            # Whatever fails in a session ends in that session.
            logger.exception("%r failed", session)
        finally:
            self._sessions.discard(session)
            self.admission.leave(address)
            self.uploads.leave(session.label)
            self._gone()

    def start_soon(
        self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any, name: str
    ) -> None:
        """Run work that ends with the server, and raises nothing. Once that shuts down, do not."""
        if self._group is not None:
            self._group.start_soon(work, *args, name=name)

    async def _run_hosted(self, started: Callable[[], None]) -> None:
        try:
            async with self:
                started()
                await self._over.wait()
        except Exception:
            # No scope is above this one: what went on would end the event loop itself.
            logger.exception("the event loop's server failed")

    def enter(self, connection: _Connection) -> None:
        """A connection begins."""
        self._connections.add(connection)
        _used.get(set()).add(self)

    def leave(self, connection: _Connection) -> None:
        """A connection is over."""
        self._connections.discard(connection)
        self._gone()

    def follow(self, stopping: Callable[[], Awaitable[None]]) -> None:
        """Shut down when `stopping()` returns: then what carries the clients stops.

        Called for each connection; one that is followed already counts once.
        """
        if self._group is not None and stopping not in self._followed:
            self._followed.add(stopping)
            self._group.start_soon(self._follow, stopping)

    async def _follow(self, stopping: Callable[[], Awaitable[None]]) -> None:
        await stopping()
        await self.shutdown()

    async def shutdown(self) -> None:
        """Do what leaving the block does, up to the grace. May be called twice."""
        if self._group is None:
            return
        self._group, self.closed = None, True
        for connection in list(self._connections):
            connection.close(CloseCode.SERVICE_RESTART, "the server shuts down")
        for session in self.sessions:
            session.close(Reason.SERVER_SHUTDOWN)
        with anyio.move_on_after(self.limits.shutdown_grace, shield=True) as grace:
            while self._sessions or self._connections:
                await self._left.wait()
        if grace.cancelled_caught:
            text = "%d sessions and %d connections did not end in time, and are cancelled"
            overrun(logger, "shutdown_grace", text, len(self._sessions), self.connections)
        await self._cut_short()
        if self._executor is not None:
            # Threads cannot be stopped. Those of this server were told by `page.closing`.
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._over.set()

    async def _cut_short(self) -> None:
        for connection in list(self._connections):
            connection.cut()
        for session in self.sessions:
            session.hurry()
        with anyio.CancelScope(shield=True):
            for _ in range(_LAST_STEPS):
                await checkpoint()
        self._name_those_that_stay()

    def _name_those_that_stay(self) -> None:
        """Log where the code stands that goes on although it was cancelled."""
        for session in self._sessions:
            here = f"{session.label}: "
            stuck = [
                task for task in anyio.get_running_tasks() if (task.name or "").startswith(here)
            ]
            # The session's own task waits for its children, and last handlers run in it.
            children = [task for task in stuck if task.name != here + _ITSELF]
            for task in children or stuck:
                logger.error(
                    "session %s was cancelled and goes on, here:\n%s",
                    task.name,
                    "".join(traceback.format_list(stack_of(task.coro))),
                )

    def _gone(self) -> None:
        self._left.set()
        self._left = anyio.Event()


_hosted: RunVar[dict[object, Server]] = RunVar("flet_anyio_hosted_servers")
_early_executor: RunVar[ThreadPoolExecutor | None] = RunVar("flet_anyio_early_executor")
_used: ContextVar[set[Server]] = ContextVar("flet_anyio_used_servers")


def hosted_servers() -> dict[object, Server]:
    """The servers that the event loop itself runs, by what they are for."""
    servers = _hosted.get(None)
    if servers is None:
        servers = {}
        _hosted.set(servers)
    return servers


async def hosted_server(
    owner: object = None, limits: Limits | None = None, *, debug: bool = False
) -> Server:
    """The server that the event loop runs for `owner`, where nobody opened one for it.

    It is made on first use, with the limits of that use, runs until the loop ends and then
    shuts down like any other. After a shutdown, the next use makes a new one.
    """
    servers = hosted_servers()
    server = servers.get(owner)
    if server is None or server.closed:
        server = servers[owner] = Server(limits=limits, debug=debug)
        if owner is None:
            server._executor = _early_executor.get(None)
            _early_executor.set(None)
        server._task = await host(server._run_hosted)
    # Another connection may have made it, and wait for it to open.
    await server.opened.wait()
    return server


async def default_server(limits: Limits | None = None, *, debug: bool = False) -> Server:
    """The event loop's own server, for connections that were given none."""
    return await hosted_server(None, limits, debug=debug)


def default_executor() -> ThreadPoolExecutor:
    """The threads of the event loop's own server, also before that is made."""
    server = hosted_servers().get(None)
    if server is not None and not server.closed:
        return server.executor
    executor = _early_executor.get(None)
    if executor is None:
        executor = _make_executor()
        _early_executor.set(executor)
    return executor


async def shut_down(servers: Iterable[Server]) -> None:
    """Shut down servers side by side: together they take the longest grace, not the sum."""
    async with anyio.create_task_group() as tasks:
        for server in servers:
            tasks.start_soon(server.shutdown)


@contextmanager
def noting_use(by: set[Server]) -> Iterator[None]:
    """Note in `by` the servers that open or take connections here, and in tasks begun here."""
    token = _used.set(by)
    try:
        yield
    finally:
        _used.reset(token)


def _make_executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="flet-anyio")


def _identity(main: Callable[..., Any]) -> Hashable:
    try:
        hash(main)
    except TypeError:
        return id(main)
    return main
