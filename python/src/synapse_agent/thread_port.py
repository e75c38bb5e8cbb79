"""The run port of a blocking function that runs in a thread beside the loop.

Each wait is a coroutine on the loop that the thread waits for. This module refuses to know frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .frame import CancelReason, Json
from .program import LogLevel, RunPort, ToolAnswer, Verdict

__all__ = ["ThreadPort"]

T = TypeVar("T")


class ThreadPort:
    """A `BlockingRunPort` over a `RunPort`."""

    def __init__(self, port: RunPort, loop: asyncio.AbstractEventLoop) -> None:
        """Stand in for `port` on another thread than the loop's."""
        self._port = port
        self._loop = loop

    @property
    def run(self) -> int:
        """The run's id."""
        return self._port.run

    @property
    def cancelled(self) -> bool:
        """Whether the runtime has asked for the end of this run."""
        return self._port.cancelled

    @property
    def cancel_reason(self) -> CancelReason | None:
        """Why, once `cancelled` is true."""
        return self._port.cancel_reason

    def remaining(self) -> float | None:
        """Seconds to the deadline."""
        return self._port.remaining()

    def on_cancel(self, callback: Callable[[CancelReason], object]) -> None:
        """Call back once on cancel, on another thread."""
        self._port.on_cancel(callback)

    def log(self, level: LogLevel, message: str, fields: dict[str, Json] | None = None) -> None:
        """Write a line into the agent's log."""
        self._port.log(level, message, fields)

    def emit_text(self, text: str) -> None:
        """Stream text; waits for credit."""
        self._wait(self._port.emit_text(text))

    def emit_event(self, event: dict[str, Json]) -> None:
        """Stream an event; waits for credit."""
        self._wait(self._port.emit_event(event))

    def effect(self) -> None:
        """Say that a tool begins."""
        self._wait(self._port.effect())

    def check_output(self, output: Json) -> Verdict:
        """Ask the runtime whether an output fits the agent's schema."""
        return self._wait(self._port.check_output(output))

    def call_tool(self, name: str, arguments: dict[str, Json]) -> ToolAnswer:
        """Have the runtime run one of its tools."""
        return self._wait(self._port.call_tool(name, arguments))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
