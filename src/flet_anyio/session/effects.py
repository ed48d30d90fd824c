"""Declarative components: drawing those that changed and running their effects, in batches."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import checkpoint

from .handlers import call_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from flet.components.hooks.use_effect import EffectHook
    from flet.controls.base_control import BaseControl

    from ..compat.door import Door, Wakeup
    from .tasks import Tasks

__all__ = ["Scheduler"]


class Scheduler:
    """Updates and effects that wait for the next batch of one session.

    The queue holds each control once, and each effect as often as it was asked for: it is
    bounded by the page's components. May be fed from any thread.
    """

    __slots__ = ("_door", "_effects", "_started", "_tasks", "_updates", "_wanted")

    def __init__(self, tasks: Tasks, door: Door) -> None:
        self._tasks = tasks
        self._door = door
        # In the order asked for, each control once: a dict, as a set would shuffle them.
        self._updates: dict[BaseControl, None] = {}
        self._effects: list[tuple[EffectHook, bool]] = []
        self._wanted: Wakeup | None = None
        self._started = False

    def start(self) -> None:
        """Begin to run batches, once."""
        self._on_loop(self._start)

    def add_update(self, control: BaseControl) -> None:
        """Draw `control` in the next batch."""
        self._on_loop(self._add, self._updates.setdefault, control)

    def add_effect(self, hook: EffectHook, *, is_cleanup: bool) -> None:
        """Run an effect, or its cleanup, after the next batch was drawn.

        The hook is held: a component that unmounts drops its hooks before their cleanup ran.
        """
        self._on_loop(self._add, self._effects.append, (hook, is_cleanup))

    def _on_loop(self, func: Callable[..., None], *args: Any) -> None:
        if self._door.here():
            func(*args)
        else:
            self._door.post(func, *args)

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._tasks.spawn(self._run, name="the update scheduler")

    def _add(self, add: Callable[[Any], Any], item: Any) -> None:
        add(item)
        if self._wanted is not None:
            self._wanted.set()

    async def _run(self) -> None:
        while True:
            if self._updates or self._effects:
                await checkpoint()
            else:
                self._wanted = self._door.wakeup()
                await self._wanted.wait()
            self.run_batch()

    def run_batch(self) -> None:
        """Draw what waits to be drawn, then run the effects that wait. Not before `start`."""
        if not self._started:
            return
        updates = list(self._updates)
        self._updates.clear()
        for control in updates:
            self._guard(f"update of {control}", control.update)
        effects = self._effects.copy()
        self._effects.clear()
        for hook, is_cleanup in effects:
            self._run_effect(hook, is_cleanup=is_cleanup)

    def _run_effect(self, hook: EffectHook, *, is_cleanup: bool) -> None:
        func = hook.cleanup if is_cleanup else hook.setup
        if func is None:
            return
        hook.cancel()
        if inspect.iscoroutinefunction(func):
            # flet keeps what is running in these two to cancel it; a future serves as well as
            # a task.
            running: Any = self._tasks.submit(func)
            if is_cleanup:
                hook._cleanup_task = running
            else:
                hook._setup_task = running
            return
        result = self._guard(call_name(func), func)
        if not is_cleanup and callable(result):
            hook.cleanup = result

    def _guard(self, name: str, func: Callable[[], Any]) -> Any:
        return self._tasks.guard(name, self._tasks.fresh_context().run, func)
