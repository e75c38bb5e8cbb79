"""Message history and usage in their forms outside: opaque JSON bytes, and a plain map.

Knows pydantic-ai's messages; nothing of sessions, which only store what is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
)
from pydantic_ai.usage import RunUsage

from ..program import Fault, Json

__all__ = ["Written", "read", "usage_map", "write"]

_REQUEST: TypeAdapter[ModelRequest] = TypeAdapter(ModelRequest)
_RESPONSE: TypeAdapter[ModelResponse] = TypeAdapter(ModelResponse)


class Written(NamedTuple):
    """Messages as they go out."""

    data: bytes | None
    messages: int


def read(segments: Sequence[bytes] | None) -> list[ModelMessage] | None:
    """The messages of all segments in order; each is what one run wrote."""
    if not segments:
        return None
    messages: list[ModelMessage] = []
    for index, segment in enumerate(segments):
        try:
            messages.extend(ModelMessagesTypeAdapter.validate_json(segment))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(step) for step in first["loc"])
            reason = f"segment {index}, at {place or 'its start'}: {first['msg']}"
            raise Fault(
                "caller", "invalid_input", f"the message history cannot be read: {reason}"
            ) from error
    return messages


def write(messages: Sequence[ModelMessage]) -> Written:
    """The bytes of new messages. `exclude_defaults` would drop the tags that reading needs."""
    if not messages:
        return Written(None, 0)
    written = b",".join(_dumped(message) for message in messages)
    return Written(b"[%b]" % written, len(messages))


def _dumped(message: ModelMessage) -> bytes:
    # One adapter a kind: choosing here takes half the time that telling a union apart does.
    if isinstance(message, ModelRequest):
        return _REQUEST.dump_json(message, exclude_none=True)
    return _RESPONSE.dump_json(message, exclude_none=True)


def usage_map(usage: RunUsage) -> dict[str, Json]:
    """The four figures that everything has, and of the others those that are not zero."""
    counted: dict[str, Json] = {
        "requests": usage.requests,
        "tool_calls": usage.tool_calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.cost is not None:
        counted["cost"] = float(usage.cost)
    if usage.details:
        counted["details"] = dict(usage.details)
    for name in _OTHERS:
        value = getattr(usage, name)
        if value:
            counted[name] = value
    return counted


_NAMED = ("requests", "tool_calls", "input_tokens", "output_tokens", "cost", "details")
_OTHERS = tuple(
    one.name
    for one in fields(RunUsage)
    if one.name not in _NAMED and one.type in ("int", "float", int, float)
)
"""Figures that few models report."""
