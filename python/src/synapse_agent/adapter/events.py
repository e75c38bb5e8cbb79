"""What a streaming run shows: pydantic-ai's events as text and as the protocol's events.

Knows both vocabularies; nothing of credit or of frames.
"""

from __future__ import annotations

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

from ..program import Json, RunPort

__all__ = ["plain", "publish"]


def plain(value: object) -> Json:
    """A value of Python as JSON's data model."""
    if isinstance(value, str):
        return value
    return pydantic_core.to_jsonable_python(value, fallback=str, bytes_mode="base64")


async def publish(event: AgentStreamEvent | Any, run: RunPort) -> None:
    """Send what an event means to a reader; most events mean nothing to one."""
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
            FunctionToolResultEvent(part=part) | PartStartEvent(part=NativeToolReturnPart() as part)
        ):
            await run.emit_event(_returned(part))
        case _:
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
