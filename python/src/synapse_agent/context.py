"""What a plain function may ask of its run: `Context`.

One class for `def` and `async def`. In a `def` every method does its work before it returns; in an
`async def` (or async generator) `emit` and `model` are awaited. This module refuses to know frames
and the adapter, until `model` is called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any, cast

from .said import Said

if TYPE_CHECKING:
    from .program import BlockingRunPort, Configuration, Json, LogLevel, RunPort, RunView

__all__ = ["AsyncContext", "BlockingContext", "Context", "Reply"]


class Reply(str):
    """A model's answer: text, which an `async def` awaits to get."""

    def __await__(self) -> Generator[Any, None, str]:
        """Return the text itself."""
        return _text(self).__await__()


async def _text(text: str) -> str:
    return text


class _Done:
    """What `emit` returns in a `def`: nothing is left to be awaited."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


_DONE = _Done()


class Context:
    """The run that a function executes. Annotate a parameter with it, or name it `ctx`."""

    __slots__ = ("_configuration", "_view", "deps", "said")

    def __init__(self, view: RunView, configuration: Configuration, deps: Any) -> None:
        """Made by the worker, one for each run."""
        self._view = view
        self._configuration = configuration
        self.deps: Any = deps
        """What the call, or the agent's `deps` factory, gave."""
        self.said = Said()
        """The text emitted so far; the output of a function that returns None."""

    @property
    def agent(self) -> str:
        """The agent's name."""
        return self._configuration.agent

    @property
    def run(self) -> int:
        """The run's number."""
        return self._view.run

    @property
    def cancelled(self) -> bool:
        """Whether the caller has gone, cancelled, or run out of time: return soon."""
        return self._view.cancelled

    @property
    def remaining(self) -> float | None:
        """Seconds to the deadline, never below zero; None where there is none."""
        return self._view.remaining()

    def log(self, level: LogLevel, message: str, **fields: Json) -> None:
        """Write a line into the agent's log."""
        self._view.log(level, message, fields or None)

    def emit(self, data: str | dict[str, Json]) -> Awaitable[None]:
        """Stream text, or an event with a `type`. Waits while the reader is slow.

        In an `async def`: `await ctx.emit(…)`.
        """
        raise NotImplementedError

    def model(
        self, prompt: str, *, model: str | None = None, instructions: str | None = None
    ) -> Reply:
        """Ask a model: the agent's own, or `model`. In an `async def`: `await ctx.model(…)`."""
        raise NotImplementedError


class BlockingContext(Context):
    """The context of a `def`."""

    __slots__ = ()

    def emit(self, data: str | dict[str, Json]) -> Awaitable[None]:
        """Stream text or an event before returning; raises where the run was cancelled."""
        port = cast("BlockingRunPort", self._view)
        if isinstance(data, str):
            self.said.add(data)
            port.emit_text(data)
        else:
            port.emit_event(data)
        _stop_if_cancelled(port)
        return _DONE

    def model(
        self, prompt: str, *, model: str | None = None, instructions: str | None = None
    ) -> Reply:
        """Ask a model and wait for its answer."""
        from .adapter import model_call_blocking

        return Reply(model_call_blocking(self._configuration, prompt, model, instructions))


class AsyncContext(Context):
    """The context of an `async def`; its methods return what must be awaited."""

    __slots__ = ()

    def emit(self, data: str | dict[str, Json]) -> Awaitable[None]:
        """Stream text or an event; await it."""
        return self._emit(data)

    async def _emit(self, data: str | dict[str, Json]) -> None:
        port = cast("RunPort", self._view)
        if isinstance(data, str):
            self.said.add(data)
            await port.emit_text(data)
        else:
            await port.emit_event(data)

    def model(
        self, prompt: str, *, model: str | None = None, instructions: str | None = None
    ) -> Reply:
        """Ask a model; await it: a coroutine, which the type calls by what it becomes."""
        from .adapter import model_call

        answer = model_call(self._configuration, prompt, model, instructions)
        return cast("Reply", answer)


def _stop_if_cancelled(view: RunView) -> None:
    """A function that goes on emitting after a cancel is stopped here."""
    if view.cancelled:
        from .program import Fault

        raise Fault("caller", "cancelled", "the run was cancelled")
