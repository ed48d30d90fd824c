"""User callables: of which kind one is, and how each kind is called.

Flet lets an app write its handlers, and `main`, as functions, coroutine functions, generators
and async generators, with zero or one parameter. Methods, partials and callable objects count
as what they wrap.
"""

from __future__ import annotations

import functools
import inspect
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HandlerName", "Kind", "call_name", "kind_of", "takes_argument"]


class Kind(Enum):
    """How a callable must be run. A sync one runs in turn, an async one beside others."""

    FUNCTION = "function"
    GENERATOR = "generator"
    COROUTINE = "coroutine"
    ASYNC_GENERATOR = "async generator"

    @property
    def is_async(self) -> bool:
        return self in (Kind.COROUTINE, Kind.ASYNC_GENERATOR)


class HandlerName:
    """What a handler is called in logs: after its event, or in full, worked out only then."""

    __slots__ = ("_event", "_handler")

    def __init__(self, event: str, handler: Callable[..., Any]) -> None:
        self._event = event
        self._handler = handler

    def __str__(self) -> str:
        return self._event

    @property
    def in_full(self) -> str:
        """With the function, for whoever has to find it."""
        return f"{self._event} ({call_name(self._handler)})"


def kind_of(func: Callable[..., Any]) -> Kind:
    """Tell the kind of `func`, looking through partials, methods and `__call__`."""
    func = _underlying(func)
    if inspect.iscoroutinefunction(func):
        return Kind.COROUTINE
    if inspect.isasyncgenfunction(func):
        return Kind.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(func):
        return Kind.GENERATOR
    return Kind.FUNCTION


def takes_argument(func: Callable[..., Any]) -> bool:
    """Whether `func` wants the event. One whose signature is unknown is given it."""
    try:
        return len(inspect.signature(func).parameters) > 0
    except (ValueError, TypeError):
        return True


def call_name(func: Callable[..., Any]) -> str:
    """A name for logs: where the callable was written, if it has such a name."""
    func = _underlying(func)
    name = getattr(func, "__qualname__", type(func).__qualname__)
    module = getattr(func, "__module__", None)
    return f"{module}.{name}" if module else name


def _underlying(func: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(func, functools.partial):
        func = func.func
    if inspect.isroutine(func) or inspect.isclass(func):
        return func
    call = getattr(type(func), "__call__", None)  # noqa: B004 - the method itself is wanted
    return call if inspect.isfunction(call) else func
