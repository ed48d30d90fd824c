"""Handlers whose turn has come: the four kinds, each run in a context of its session."""

from __future__ import annotations

import inspect
from contextlib import aclosing
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import checkpoint
from flet.controls.context import context

from ..errors import SessionClosed
from .events import make_event, runs_itself
from .handlers import HandlerName, Kind, how_to_call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextvars import Context

    from flet.controls.base_control import BaseControl

    from .dispatch import Slot
    from .session import Session
    from .tasks import Tasks

__all__ = ["HandlerTurn", "delivery_turn", "event_turn", "run_main"]


class HandlerTurn:
    """One call of one user handler."""

    __slots__ = ("_after_step", "_args", "_handler", "_kind", "_name", "_session", "_where")

    def __init__(
        self,
        session: Session,
        handler: Callable[..., Any],
        args: tuple[Any, ...],
        *,
        name: str,
        where: Context,
        after_step: Callable[[], None],
    ) -> None:
        self._session = session
        self._handler = handler
        self._args = args
        self._name = HandlerName(name, handler)
        self._where = where
        self._after_step = after_step
        self._kind, _ = how_to_call(handler)

    @property
    def concurrent(self) -> bool:
        """Async handlers run beside others."""
        return self._kind.is_async

    def start(self, slot: Slot) -> None:
        """Run an async handler as a child of its session."""
        self._session.tasks.spawn_with_slot(
            self._run_to_end, name=self._name, in_context=self._where, slot=slot
        )

    def run_now(self) -> bool:
        """Run a function that the session has run on the loop. Failures are reported."""
        tasks = self._session.tasks
        if self._handler is _nothing:
            # Not worth a thread: no code of the app runs.
            tasks.guard(self._name, self._where.run, self._after_step)
            return True
        if self._kind is not Kind.FUNCTION or not tasks.inline:
            return False
        call = (_call_and_update, self._handler, self._args, self._after_step)
        result = tasks.guard(self._name, self._where.run, *call)
        if result is not None:
            # `on_click=lambda e: page.push_route("/x")`: what it returned is still to be run.
            try:
                tasks.spawn(self._await_result, result, name=self._name, in_context=self._where)
            except SessionClosed:
                result.close()  # the handler itself has ended the session
        return True

    async def run(self) -> None:
        """Run the handler to its end, as seen from the calling task. Failures are reported.

        Sync code runs where the session has it run. Cancelled while that is a thread, this
        leaves it behind.
        """
        tasks = self._session.tasks
        if self._kind.is_async:
            await tasks.supervise(self._run_to_end, name=self._name)
            return
        if self._handler is _nothing:
            self.run_now()
            return
        call = partial(tasks.guarded_call, self._name, self._where)
        result = await _run_sync(self._kind, self._handler, self._args, self._after_step, call)
        if result is None:
            return
        try:
            tasks.spawn(self._await_result, result, name=self._name, in_context=self._where)
        except SessionClosed:
            # A last handler, such as on_close: it has nobody to wait beside.
            await tasks.supervise(self._await_result, result, name=self._name)

    async def _run_to_end(self) -> None:
        await _run_async(self._kind, self._handler, self._args, self._after_step)

    async def _await_result(self, result: Any) -> None:
        await result
        self._after_step()


async def run_main(
    tasks: Tasks,
    main: Callable[..., Any],
    args: tuple[Any, ...],
    after_step: Callable[[], None],
    *,
    name: str,
) -> None:
    """Run a `main` of any kind to its end, and raise what it raises.

    An async one runs in the calling task, a sync one where the session runs such code.
    `after_step` is called at each `yield` and at the end.
    """
    kind, _ = how_to_call(main)
    if kind.is_async:
        await _run_async(kind, main, args, after_step)
        return
    call = partial(tasks.call, name, copy_context())
    result = await _run_sync(kind, main, args, after_step, call)
    if result is not None:
        await result
        after_step()


async def _run_async(
    kind: Kind,
    handler: Callable[..., Any],
    args: tuple[Any, ...],
    after_step: Callable[[], None],
) -> None:
    if kind is Kind.COROUTINE:
        await handler(*args)
    else:
        async with aclosing(handler(*args)) as steps:
            async for _ in steps:
                after_step()
                await checkpoint()
    after_step()


async def _run_sync(
    kind: Kind,
    handler: Callable[..., Any],
    args: tuple[Any, ...],
    after_step: Callable[[], None],
    call: Callable[..., Awaitable[Any]],
) -> Any:
    """Run sync code to its end by `call`; return the coroutine that it returned, or None."""
    if kind is Kind.FUNCTION:
        return await call(_call_and_update, handler, args, after_step)
    steps = _steps(handler, args, after_step)
    while await call(_advance, steps):
        # A step asks for an update that the user sees before the next one runs.
        await checkpoint()
    return None


def _call_and_update(
    handler: Callable[..., Any], args: tuple[Any, ...], after_step: Callable[[], None]
) -> Any:
    result = handler(*args)
    if inspect.iscoroutine(result):
        # `on_click=lambda e: page.push_route("/x")`: what it returned is still to be run.
        return result
    after_step()
    return None


def _steps(
    handler: Callable[..., Any], args: tuple[Any, ...], after_step: Callable[[], None]
) -> Iterator[None]:
    for _ in handler(*args):
        after_step()
        yield
    after_step()


def event_turn(
    session: Session, control: BaseControl, name: str, data: Any, event: Any = None
) -> HandlerTurn | None:
    """Make the turn for `on_<name>` of `control`, or None when there is nothing to run.

    `event` may hold the event object, else it is made from `data`.
    """
    where = session.tasks.fresh_context()
    where.run(context.reset_auto_update)
    turn = partial(HandlerTurn, session, name=f"on_{name}", where=where)
    if runs_itself(control):
        trigger: Callable[..., Any] = control._trigger_event
        return turn(trigger, (name, data), after_step=_nothing)
    if event is None:
        try:
            event = make_event(control, name, data)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            session.refuse(f"an event {name} whose data fit no {type(control).__name__}", error)
            return None
    if event is None or not session.tasks.guard(f"on_{name}", where.run, _wanted, control, event):
        return None
    handler = getattr(control, f"on_{name}", None)
    if not callable(handler):
        handler = _nothing
    _, takes_event = how_to_call(handler)
    args = (event,) if takes_event else ()
    # The control may leave the page, or be replaced, while its handler runs.
    after_step = partial(_update_after, session, control._i)
    return turn(handler, args, after_step=after_step)


def delivery_turn(
    session: Session, handler: Callable[..., Any], args: tuple[Any, ...]
) -> HandlerTurn:
    """Make the turn for a pub/sub subscriber. Flet leaves updating to it."""
    where = session.tasks.fresh_context()
    where.run(context.reset_auto_update)
    name = "a pub/sub subscriber"
    return HandlerTurn(session, handler, args, name=name, where=where, after_step=_nothing)


def _update_after(session: Session, control_id: int) -> None:
    session.update_after_event(session.index.get(control_id))


def _wanted(control: BaseControl, event: Any) -> bool:
    verdict = control.before_event(event)
    return verdict is None or bool(verdict)


def _advance(steps: Iterator[None]) -> bool:
    for _ in steps:
        return True
    return False


def _nothing() -> None:
    pass
