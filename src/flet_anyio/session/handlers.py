"""User callables: of which kind one is, and how each kind is called.

Flet lets an app write its handlers, and `main`, as functions, coroutine functions, generators
and async generators, with zero or one parameter. Methods, partials and callable objects count
as what they wrap.
"""

from __future__ import annotations

import functools
import inspect
from enum import Enum
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

__all__ = ["HandlerName", "Kind", "call_name", "how_to_call"]

_MOST_FUNCTIONS = 4096
"""How many functions are remembered."""


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


_known: dict[tuple[CodeType, bool], tuple[Kind, bool]] = {}


def how_to_call(func: Callable[..., Any]) -> tuple[Kind, bool]:
    """Tell the kind of `func`, looking through partials, methods and `__call__`, and whether it
    wants the event. One whose signature is unknown is given it.

    Worked out once for each function that an app has written, of which each session may make
    its own: they differ in what they close over, and not in this.
    """
    code = _code_of(func)
    if code is None:
        return _kind_of(func), _takes_argument(func)
    known = _known.get(code)
    if known is None:
        if len(_known) >= _MOST_FUNCTIONS:
            _known.clear()
        known = _known[code] = _kind_of(func), _takes_argument(func)
    return known


def _code_of(func: Callable[..., Any]) -> tuple[CodeType, bool] | None:
    """What all functions made in one place have in common; whether it is bound to an object."""
    bound = type(func) is MethodType
    plain: Any = func.__func__ if bound else func  # type: ignore[attr-defined]
    # One with attributes may be a wrapper, or be marked as another kind than it is.
    if type(plain) is not FunctionType or plain.__dict__:
        return None
    return plain.__code__, bound


def _kind_of(func: Callable[..., Any]) -> Kind:
    func = _underlying(func)
    if inspect.iscoroutinefunction(func):
        return Kind.COROUTINE
    if inspect.isasyncgenfunction(func):
        return Kind.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(func):
        return Kind.GENERATOR
    return Kind.FUNCTION


def _takes_argument(func: Callable[..., Any]) -> bool:
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
