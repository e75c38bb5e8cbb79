"""Tasks that wait for runs, so that a run that never suspends costs no task and no turn.

A slot is a task of the loop that is parked on an object of ours instead of a future. Resuming it
steps the task on the spot, with everything that asyncio promises to code in a task, where a new
task would begin in the loop's next turn. A run that suspends keeps its slot's task to itself: the
slot is not used again, nor is one whose context variables or cancellation the run has changed. This
module refuses to know what a run does.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from typing import Any

__all__ = ["CURRENT_RUN", "RunNumber", "RunTask", "Slot"]


class RunNumber:
    """The run of a context: 0 where none is executing."""

    __slots__ = ("run",)

    def __init__(self, run: int) -> None:
        """Begin with a run."""
        self.run = run


CURRENT_RUN: contextvars.ContextVar[RunNumber | None] = contextvars.ContextVar(
    "synapse_agent_run", default=None
)
"""The run that code executes for, also in tasks and threads that it started with its context."""


class RunTask(asyncio.Task[None]):
    """A task that shows itself as the run that it executes.

    anyio puts the text of the task into the reason of every cancel of a scope, and pydantic-ai's
    graph cancels one at each step: asyncio's own text, with its coroutine, line and callbacks,
    costs more than the worker's whole part of a call.
    """

    def __init__(
        self,
        work: Coroutine[Any, Any, None],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
        current: RunNumber,
    ) -> None:
        """Start in the loop's next turn."""
        super().__init__(work, loop=loop, context=context)
        self._current = current

    def __repr__(self) -> str:
        """Show the run, 0 between runs."""
        return f"<{self.get_name()} of run {self._current.run}>"


class Slot:
    """One parked task. To asyncio it looks like the future that the task awaits."""

    __slots__ = (
        "_asyncio_future_blocking",
        "_cancelled",
        "_context",
        "_current",
        "_loop",
        "_on_parked",
        "_stepping",
        "_wakeup",
        "_work",
        "task",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, on_parked: Callable[[Slot], None]) -> None:
        """Start the task; it parks in the loop's next turn and says so."""
        self._asyncio_future_blocking = False
        self._loop = loop
        self._on_parked = on_parked
        self._wakeup: Callable[[Any], object] | None = None
        self._work: Coroutine[Any, Any, None] | None = None
        self._stepping = False
        self._cancelled = False
        self._current = RunNumber(0)
        self._context = contextvars.copy_context()
        self._context.run(CURRENT_RUN.set, self._current)
        self.task = RunTask(self._live(), loop, self._context, self._current)

    def execute(self, run: int, work: Coroutine[Any, Any, None]) -> None:
        """Step into the work at once. Only where no task is being stepped, and once per parking."""
        wakeup = self._wakeup
        if wakeup is None:
            raise RuntimeError("the slot is not parked")
        self._wakeup = None
        self._work = work
        self._current.run = run
        self._stepping = True
        try:
            self._context.run(wakeup, self)
        finally:
            self._stepping = False

    async def _live(self) -> None:
        pristine = contextvars.copy_context()
        while True:
            await self
            work, self._work = self._work, None
            if work is None:
                return
            await work
            # Suspended means that other code has run since: `execute` has long returned.
            if not self._stepping or self.task.cancelling():
                return
            if contextvars.copy_context() != pristine:
                return

    # What a task asks of the thing that it awaits.

    def __await__(self) -> Generator[Any, None, None]:
        """Park."""
        self._asyncio_future_blocking = True
        yield self
        if self._cancelled:
            raise asyncio.CancelledError

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the task."""
        return self._loop

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: contextvars.Context | None = None
    ) -> None:
        """The task is parked now; the callback steps it."""
        self._wakeup = callback
        self._on_parked(self)

    def cancel(self, msg: Any | None = None) -> bool:
        """The parked task is cancelled: the worker is closing."""
        wakeup, self._wakeup = self._wakeup, None
        if wakeup is None:
            return False
        self._cancelled = True
        self._loop.call_soon(wakeup, self, context=self._context)
        return True

    def result(self) -> None:
        """What the await gives."""
