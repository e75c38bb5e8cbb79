"""Dependencies that JSON cannot carry: what `deps = "module:factory"` makes, and how it is closed.

A factory is a callable, a coroutine function, a context manager or an async one (as a function that
returns it). It gets the call's JSON where it takes an argument. This module refuses to know runs,
scopes and frames: who opens also closes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    contextmanager,
)
from typing import Any

from .program import Fault, Json

__all__ = ["failed_factory", "open_deps", "open_deps_blocking"]

_NOTE = "in the deps factory "


def failed_factory(error: BaseException) -> str:
    """The factory that an error came from, as the beginning of a message; else nothing."""
    notes: list[str] = getattr(error, "__notes__", [])
    named = [note.removeprefix(_NOTE) for note in notes if note.startswith(_NOTE)]
    return f"the deps factory {named[-1]} failed: " if named else ""


def _takes_value(factory: Callable[..., Any]) -> bool:
    try:
        return len(inspect.signature(factory).parameters) > 0
    except (TypeError, ValueError):
        return True


def _call(factory: Callable[..., Any], value: Json) -> Any:
    """Call a factory with the call's JSON, or with nothing where it takes nothing."""
    return factory(value) if _takes_value(factory) else factory()


@contextmanager
def _noted(factory: Callable[..., Any], value: Json) -> Generator[None]:
    """Errors pass as they are, since others know what they mean, with a note of the factory."""
    try:
        yield
    except Fault:
        raise
    except Exception as error:
        module = getattr(factory, "__module__", None)
        name = getattr(factory, "__qualname__", None) or type(factory).__qualname__
        empty = value is None and _takes_value(factory)
        given = " (given None: deps come with a call, by --deps)" if empty else ""
        error.add_note(f"{_NOTE}{module}:{name}{given}")
        raise


async def open_deps(factory: Callable[..., Any], value: Json, stack: AsyncExitStack) -> Any:
    """Make a factory's product; what must be closed is pushed on `stack`."""
    with _noted(factory, value):
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
    with _noted(factory, value):
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
