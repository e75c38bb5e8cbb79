"""What a streaming run shows: pydantic-ai's events as text and as the protocol's events.

Knows both vocabularies; nothing of credit or of frames.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

import pydantic_core
from pydantic_ai.messages import (
    AgentStreamEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.tools import RunContext

from ..program import Json, RunPort

__all__ = ["Publisher", "drain", "plain"]


def plain(value: object) -> Json:
    """A value of Python as JSON's data model."""
    if isinstance(value, str):
        return value
    return pydantic_core.to_jsonable_python(value, fallback=str, bytes_mode="base64")


class Publisher:
    """Sends what the events of one run mean to its reader; most events mean nothing to one."""

    def __init__(self, run: RunPort) -> None:
        """Publish to this run's port."""
        self._run = run

    async def publish_all(
        self, _context: RunContext[Any], events: AsyncIterable[AgentStreamEvent]
    ) -> None:
        """The `event_stream_handler` of a run; pydantic-ai calls it for every step."""
        async for event in events:
            await self.publish(event)

    async def publish(self, event: AgentStreamEvent) -> None:
        """Send one event."""
        run = self._run
        match event:
            case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                await run.emit_text(text)
            # The first words of a text or a thought ride in the start of their part.
            case PartStartEvent(part=TextPart(content=text)):
                await run.emit_text(text)
            case PartStartEvent(part=ThinkingPart(content=text)) if text:
                await run.emit_event({"type": "thinking", "text": text})
            case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=text)) if text:
                await run.emit_event({"type": "thinking", "text": text})
            case FunctionToolCallEvent(part=part) | PartEndEvent(part=NativeToolCallPart() as part):
                await run.emit_event(_called(part))
            case (
                FunctionToolResultEvent(part=part)
                | PartStartEvent(part=NativeToolReturnPart() as part)
            ):
                await run.emit_event(_returned(part))
            case _:
                pass


async def drain(_context: RunContext[Any], events: AsyncIterable[AgentStreamEvent]) -> None:
    """The handler of a run that nobody watches: the model streams all the same."""
    async for _ in events:
        pass


def _called(part: ToolCallPart | NativeToolCallPart) -> dict[str, Json]:
    return {
        "type": "tool_call",
        "name": part.tool_name,
        "arguments": plain(part.args_as_dict()),
        "tool_call_id": part.tool_call_id,
    }


def _returned(part: ToolReturnPart | NativeToolReturnPart) -> dict[str, Json]:
    return {
        "type": "tool_result",
        "name": part.tool_name,
        "tool_call_id": part.tool_call_id,
        "ok": part.outcome == "success",
        "content": plain(part.content),
    }
