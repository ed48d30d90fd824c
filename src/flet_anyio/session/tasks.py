"""What runs for one session: each task its child, each in its context, each failure reported."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError, Future
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio import get_cancelled_exc_class
from flet.controls.context import _context_page, _update_behavior_context_var, context
from flet.controls.exceptions import FletPageDisconnectedException

from ..compat.endings import being_cancelled, ended_from_outside
from ..compat.library import back_on_the_loop, name_library, off_the_loop
from ..errors import SessionClosed
from .dispatch import Slot, current_slot
from .failures import log_failure
from .handlers import call_name
from .stalls import StallWatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from concurrent.futures import Executor

    from anyio.abc import TaskGroup

    from ..compat.door import Door
    from .handlers import HandlerName
    from .page import Page
    from .threads import HandlerThreads

__all__ = ["Tasks"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Tasks:
    """The children of one session.

    `report(name, error)` is called for each failure that would otherwise reach the task group:
    it ends nothing but the task that failed. `quit()` is called where user code raises
    SystemExit, which ends the session and not the server. `threads` is where sync handlers run,
    or None when they run on the event loop. What holds the loop for longer than `stall_warning`
    is logged.
    """

    __slots__ = (
        "_context",
        "_door",
        "_group",
        "_label",
        "_one_at_a_time",
        "_page",
        "_quit",
        "_report",
        "_threads",
        "_watch",
    )

    def __init__(
        self,
        label: str,
        page: Page,
        door: Door,
        report: Callable[[str, BaseException], None],
        quit: Callable[[], None],
        *,
        threads: HandlerThreads | None,
        stall_warning: float | None,
    ) -> None:
        self._label = label
        self._page = page
        self._door = door
        self._report = report
        self._quit = quit
        self._threads = threads
        self._watch = StallWatch(label, stall_warning)
        self._one_at_a_time = anyio.Lock(fast_acquire=True) if threads is not None else None
        self._group: TaskGroup | None = None
        self._context = copy_context()
        self._context.run(self.enter_context)

    @property
    def inline(self) -> bool:
        """Whether sync code of the app runs on the event loop, and not in threads."""
        return self._threads is None

    def open(self, group: TaskGroup) -> None:
        """Take children from now on, as tasks of `group`. From a task of the same loop."""
        self._context.run(name_library)
        self._group = group

    def close(self) -> None:
        """Take no more children."""
        self._group = None

    def enter_context(self) -> None:
        """Make the current context this session's.

        The update rules begin anew: those of whoever opened the session are not its own.
        """
        page_variable: ContextVar[Any] = _context_page
        page_variable.set(self._page)
        _update_behavior_context_var.set(None)
        current_slot.set(None)

    def fresh_context(self) -> Context:
        """A context for one handler: the session's page, and update rules of its own."""
        return self._context.copy()

    def spawn(
        self,
        func: Callable[..., Coroutine[Any, Any, Any]],
        *args: Any,
        name: str | HandlerName,
        in_context: Context | None = None,
    ) -> None:
        """Start a child. Only from the session's event loop.

        Raises:
            SessionClosed: The session has ended.
        """
        if self._group is None:
            raise SessionClosed(f"start {name}")
        where = self.fresh_context() if in_context is None else in_context
        # A new task copies the context it is started in: that of whoever causes it, who may
        # belong to another session.
        task = partial(self.supervise, func, *args, name=name)
        where.run(partial(self._group.start_soon, task, name=f"{self._label}: {name}"))

    def spawn_with_slot(
        self,
        func: Callable[[], Awaitable[Any]],
        *,
        name: str | HandlerName,
        in_context: Context,
        slot: Slot,
    ) -> None:
        """Start a child that holds `slot` until it ends or waits for its client."""
        in_context.run(current_slot.set, slot)
        self.spawn(_releasing, func, slot, name=name, in_context=in_context)

    def submit(self, func: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> Future[T]:
        """Start a child from any thread; its outcome is set on the future.

        Raises:
            SessionClosed: The session has ended.
        """
        name = call_name(func)
        if self._group is None:
            raise SessionClosed(f"start {name}")
        where = self._callers_context()
        future: Future[T] = Future()

        def start() -> None:
            try:
                self.spawn(self._fulfil, future, func, args, kwargs, name=name, in_context=where)
            except SessionClosed:
                _withdraw(future)

        if self._door.here():
            start()
        elif not self._door.post(start):
            raise SessionClosed(f"start {name}")
        return future

    def run_thread(
        self, executor: Executor, func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """Run `func` in a thread of `executor`, in this session's context."""
        name = call_name(func)
        if self._group is None:
            raise SessionClosed(f"start {name}")
        call = partial(func, *args, **kwargs)
        executor.submit(self._callers_context().run, off_the_loop, self.guard, name, call)

    def guard(self, name: str | HandlerName, func: Callable[..., Any], *args: Any) -> Any:
        """Call sync user code, in any thread; report what it raises, and return None then."""
        try:
            if self._door.here():
                return self._watch.call(name, func, *args)
            return func(*args)
        except FletPageDisconnectedException:
            logger.debug("%s reached for a client that is away", name)
        except SystemExit:
            self._on_loop(self._quit)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Supervised: the failure is the app's, is reported, and ends nothing else. Sync
            # code cannot be cancelled: if it raises a cancellation, that is somebody else's.
            self._on_loop(self._report, str(name), error)
        return None

    async def call(
        self, name: str | HandlerName, where: Context, func: Callable[..., Any], *args: Any
    ) -> Any:
        """Call sync user code in its context, where this session runs such code; return or raise.

        In a thread it waits for what is called so already. Cancelled then, this abandons the
        thread: a failure is still logged, but reported to nobody.
        """
        if self._threads is None:
            return where.run(func, *args)
        return (await self._in_thread(name, where, func, *args))()

    async def guarded_call(
        self, name: str | HandlerName, where: Context, func: Callable[..., Any], *args: Any
    ) -> Any:
        """Like `call`, but report what it raises, and return None then."""
        if self._threads is None:
            return self.guard(name, where.run, func, *args)
        try:
            outcome = await self._in_thread(name, where, func, *args)
        except Exception as error:
            # The machine has no thread left. The next event may find one.
            self._report(str(name), error)
            return None
        return self.guard(name, outcome)

    async def until_idle(self) -> None:
        """Wait until no sync code of this session runs in a thread."""
        if self._one_at_a_time is not None:
            async with self._one_at_a_time:
                pass

    async def _in_thread(
        self, name: str | HandlerName, where: Context, func: Callable[..., Any], *args: Any
    ) -> Callable[[], Any]:
        assert self._threads is not None
        assert self._one_at_a_time is not None
        late = partial(self._note_late, str(name))
        async with self._one_at_a_time:
            return await self._threads.call(where, func, *args, late=late, last=self._group is None)

    def _note_late(self, name: str, error: BaseException) -> None:
        # In any thread. These are how a thread learns that its session is over.
        if isinstance(error, FletPageDisconnectedException | SessionClosed | CancelledError):
            logger.debug("session %s: %s ended after its session", self._label, name)
        elif not isinstance(error, SystemExit):
            log_failure(self._label, name, error)

    def _on_loop(self, func: Callable[..., None], *args: Any) -> None:
        if self._door.here():
            func(*args)
        else:
            self._door.post(func, *args)

    async def supervise(
        self, func: Callable[..., Coroutine[Any, Any, Any]], *args: Any, name: str | HandlerName
    ) -> None:
        """Call async user code; report what it raises. Cancellation passes."""
        try:
            await self._watch.steps(name, func(*args))
        except FletPageDisconnectedException:
            logger.debug("%s reached for a client that is away", name)
        except BaseException as error:
            # Supervised, as above.
            failure = self.failure_in(str(name), error)
            if failure is not None:
                self._report(str(name), failure)

    def failure_in(self, name: str, error: BaseException) -> BaseException | None:
        """What of an error, just caught around user code, is a failure of that code.

        Quits for a SystemExit, and raises what ends the task, or the program.
        """
        if isinstance(error, BaseExceptionGroup):
            return self._take_apart(name, error)
        if isinstance(error, SystemExit):
            self._quit()
            return None
        if isinstance(error, KeyboardInterrupt) or ended_from_outside(error):
            raise error
        return error

    def _take_apart(
        self, name: str, group: BaseExceptionGroup[Any]
    ) -> BaseExceptionGroup[Any] | None:
        exits, rest = group.split(SystemExit)
        if exits is not None:
            self._quit()
        if rest is None:
            return None
        ending = (get_cancelled_exc_class(),) if being_cancelled() else ()
        passing, failures = rest.split((KeyboardInterrupt, *ending))
        if passing is not None:
            if failures is not None:
                self._report(name, failures)
            raise passing
        return failures

    def _callers_context(self) -> Context:
        # What a handler set in its context holds for the tasks and threads it begins, as with
        # asyncio.create_task; but nothing crosses from one session to another.
        if _context_page.get() is not self._page:
            return self.fresh_context()
        where = copy_context()
        where.run(context.reset_auto_update)
        where.run(current_slot.set, None)
        if not self._door.here():
            back_on_the_loop(where, self._context)
        return where

    async def _fulfil(
        self,
        future: Future[Any],
        func: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        if future.cancelled():
            _withdraw(future)
            return
        with anyio.CancelScope() as scope:
            future.add_done_callback(lambda done: self._cancel_if_cancelled(done, scope))
            try:
                result = await func(*args, **kwargs)
            except Exception as error:
                _settle(future, error=error)
                raise
            except BaseException:
                _withdraw(future)
                raise
            _settle(future, result)

    def _cancel_if_cancelled(self, future: Future[Any], scope: anyio.CancelScope) -> None:
        if not future.cancelled():
            return
        self._on_loop(scope.cancel)


async def _releasing(func: Callable[[], Awaitable[Any]], slot: Slot) -> None:
    try:
        await func()
    finally:
        slot.release()


def _withdraw(future: Future[Any]) -> None:
    """Cancel a future, and tell those that wait for it in threads. Once for each future."""
    future.cancel()
    future.set_running_or_notify_cancel()


def _settle(future: Future[Any], result: Any = None, *, error: BaseException | None = None) -> None:
    # False when it was cancelled meanwhile; else nobody can cancel it any more.
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
