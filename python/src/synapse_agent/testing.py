"""Run ports for tests of programs: no pipe, no worker, everything that was sent is kept in a list.

This module refuses to know frames beyond `Call`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .frame import Call, CancelReason, Json
from .program import LogLevel, ToolAnswer, Verdict

__all__ = ["RecordingBlockingPort", "RecordingPort", "call"]

_CALL_KIND = 2


def call(input: Json, **fields: Any) -> Call:
    """A call of run 1 with this input, which begins a conversation; other fields by name."""
    fields.setdefault("history", [])
    return Call(_CALL_KIND, fields.pop("run", 1), input, **fields)


class _Recording:
    """What both ports keep: chunks in order, log lines, checked outputs, tool calls."""

    def __init__(
        self,
        *,
        verdicts: list[Verdict] | None = None,
        tools: dict[str, Callable[[dict[str, Json]], ToolAnswer]] | None = None,
        remaining: float | None = None,
    ) -> None:
        """Answer output checks from `verdicts` in order (then ok), tool calls from `tools`."""
        self.run = 1
        self.cancel_reason: CancelReason | None = None
        self.texts: list[str] = []
        self.events: list[dict[str, Json]] = []
        self.chunks: list[Json] = []
        self.logs: list[tuple[LogLevel, str, dict[str, Json] | None]] = []
        self.checked: list[Json] = []
        self.effects: int = 0
        self.tool_calls: list[tuple[str, dict[str, Json]]] = []
        self._verdicts = list(verdicts or [])
        self._tools = tools or {}
        self._remaining = remaining
        self._callbacks: list[Callable[[CancelReason], object]] = []

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self.cancel_reason is not None

    def remaining(self) -> float | None:
        """What the test said."""
        return self._remaining

    def on_cancel(self, callback: Callable[[CancelReason], object]) -> None:
        """Keep the callback, or call it at once."""
        if self.cancel_reason is None:
            self._callbacks.append(callback)
        else:
            callback(self.cancel_reason)

    def cancel(self, reason: CancelReason = "cancelled") -> None:
        """Do what a cancel frame does."""
        self.cancel_reason = reason
        for callback in self._callbacks:
            callback(reason)

    def log(self, level: LogLevel, message: str, fields: dict[str, Json] | None = None) -> None:
        """Keep the line."""
        self.logs.append((level, message, fields))

    def _text(self, text: str) -> None:
        if text:
            self.texts.append(text)
            self.chunks.append(text)

    def _event(self, event: dict[str, Json]) -> None:
        self.events.append(event)
        self.chunks.append(event)

    def _check(self, output: Json) -> Verdict:
        self.checked.append(output)
        return self._verdicts.pop(0) if self._verdicts else Verdict(True)

    def _tool(self, name: str, arguments: dict[str, Json]) -> ToolAnswer:
        self.tool_calls.append((name, arguments))
        if name not in self._tools:
            return ToolAnswer("fail", None, f"no tool {name}")
        return self._tools[name](arguments)


class RecordingPort(_Recording):
    """A `RunPort` that records."""

    async def emit_text(self, text: str) -> None:
        """Keep text."""
        self._text(text)

    async def emit_event(self, event: dict[str, Json]) -> None:
        """Keep an event."""
        self._event(event)

    async def effect(self) -> None:
        """Count it."""
        self.effects += 1

    async def check_output(self, output: Json) -> Verdict:
        """Answer with the next verdict."""
        return self._check(output)

    async def call_tool(self, name: str, arguments: dict[str, Json]) -> ToolAnswer:
        """Answer from the table of tools."""
        return self._tool(name, arguments)


class RecordingBlockingPort(_Recording):
    """A `BlockingRunPort` that records."""

    def emit_text(self, text: str) -> None:
        """Keep text."""
        self._text(text)

    def emit_event(self, event: dict[str, Json]) -> None:
        """Keep an event."""
        self._event(event)

    def effect(self) -> None:
        """Count it."""
        self.effects += 1

    def check_output(self, output: Json) -> Verdict:
        """Answer with the next verdict."""
        return self._check(output)

    def call_tool(self, name: str, arguments: dict[str, Json]) -> ToolAnswer:
        """Answer from the table of tools."""
        return self._tool(name, arguments)
