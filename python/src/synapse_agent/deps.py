"""Dependencies that JSON cannot carry: what `deps = "module:factory"` makes, and how it is closed.

A factory is a callable, a coroutine function, a context manager or an async one (as a function that
returns it). It gets the call's JSON where it takes an argument. This module refuses to know runs,
scopes and frames: who opens also closes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
)
from typing import Any

from .program import Fault, Json

__all__ = ["open_deps", "open_deps_blocking"]


def _call(factory: Callable[..., Any], value: Json) -> Any:
    """Call a factory with the call's JSON, or with nothing where it takes nothing."""
    try:
        takes = len(inspect.signature(factory).parameters) > 0
    except (TypeError, ValueError):
        takes = True
    return factory(value) if takes else factory()


async def open_deps(factory: Callable[..., Any], value: Json, stack: AsyncExitStack) -> Any:
    """Make a factory's product; what must be closed is pushed on `stack`."""
    made = _call(factory, value)
    if inspect.isawaitable(made):
        made = await made
    if isinstance(made, AbstractAsyncContextManager):
        return await stack.enter_async_context(made)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(made, AbstractContextManager):
        return stack.enter_context(made)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return made


def _discard(made: Any) -> None:
    """Close a coroutine that nobody will await, so that Python does not warn of it."""
    if inspect.iscoroutine(made):
        made.close()


def open_deps_blocking(factory: Callable[..., Any], value: Json, stack: ExitStack) -> Any:
    """The same where there is no loop; a factory that needs one is a fault."""
    made = _call(factory, value)
    if inspect.isawaitable(made) or isinstance(made, AbstractAsyncContextManager):
        _discard(made)
        raise Fault(
            "agent",
            "agent_error",
            "the deps factory is asynchronous, but this agent's runs block: "
            "write it as a plain function, or make the agent asynchronous",
        )
    if isinstance(made, AbstractContextManager):
        return stack.enter_context(made)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return made
