"""`OfflineModel`: a pydantic-ai model that answers by itself, in words, tool calls and schemas.

It knows what pydantic-ai asks of a model; what to say is decided by `talk`, `choose` and `fill`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    RetryFeedbackPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext, ToolDefinition
from pydantic_ai.usage import RequestUsage

from .choose import called_for
from .fill import Filler
from .talk import answer, is_small_talk, quote

__all__ = ["OfflineModel"]

STORY_PACE_S = 0.02
"""Seconds between the words of a story: a pace at which a reader can follow, and can interrupt."""
TURN_CALLS_MAX = 8
"""Tool calls for one turn of the user: a prompt that names a whole toolbox is not a loop."""

_PIECE = re.compile(r"\s*\S+|\s+$")
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(slots=True)
class _Turn:
    """The conversation as this model sees it: what the user said, and what tools said since."""

    said: list[str] = field(default_factory=list[str])
    returned: list[ToolReturnPart] = field(default_factory=list[ToolReturnPart])
    refusals: int = 0
    tokens: int = 0

    @property
    def prompt(self) -> str:
        return self.said[-1] if self.said else ""


@dataclass(frozen=True, slots=True)
class _Answer:
    parts: list[ModelResponsePart]
    paced: bool = False


class OfflineModel(Model[Any]):
    """Deterministic, without key or network: it remembers, streams, calls tools, fills schemas."""

    _announces_lookalike_notes = False

    def __init__(self, *, settings: ModelSettings | None = None) -> None:
        """Make the model; `settings` are accepted for symmetry and change nothing."""
        profile = ModelProfile(supports_json_schema_output=True, supports_json_object_output=True)
        super().__init__(settings=settings, profile=profile)

    @property
    def model_name(self) -> str:
        """The name under which it stands in a configuration."""
        return "offline"

    @property
    def system(self) -> str:
        """Its provider: this package."""
        return "synapse"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Answer at once (a story takes its time)."""
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        turn = _read(messages)
        reply = _decide(turn, parameters)
        if reply.paced:
            await asyncio.sleep(STORY_PACE_S * sum(len(_pieces(part)) for part in reply.parts))
        return ModelResponse(
            parts=reply.parts,
            model_name=self.model_name,
            provider_name=self.system,
            usage=RequestUsage(
                input_tokens=turn.tokens,
                output_tokens=sum(_part_tokens(part) for part in reply.parts),
            ),
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Answer word by word."""
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        turn = _read(messages)
        yield _OfflineStream(
            model_request_parameters=parameters,
            reply=_decide(turn, parameters),
            input_tokens=turn.tokens,
        )


@dataclass
class _OfflineStream(StreamedResponse):
    reply: _Answer
    input_tokens: int
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        self._usage = RequestUsage(input_tokens=self.input_tokens)
        for index, part in enumerate(self.reply.parts):
            if isinstance(part, TextPart):
                for piece in _pieces(part):
                    if self.reply.paced:
                        await asyncio.sleep(STORY_PACE_S)
                    self._usage.output_tokens += len(_TOKEN.findall(piece))
                    for event in self._parts_manager.handle_text_delta(
                        vendor_part_id=index, content=piece
                    ):
                        yield event
            else:
                self._usage.output_tokens += _part_tokens(part)
                yield self._parts_manager.handle_part(vendor_part_id=index, part=part)

    async def close_stream(self) -> None:
        """Nothing to close: there is no connection."""

    @property
    def model_name(self) -> str:
        return "offline"

    @property
    def provider_name(self) -> str:
        return "synapse"

    @property
    def provider_url(self) -> None:
        return None

    @property
    def timestamp(self) -> datetime:
        return self.started


def _pieces(part: ModelResponsePart) -> list[str]:
    return _PIECE.findall(part.content) if isinstance(part, TextPart) else []


def _part_tokens(part: ModelResponsePart) -> int:
    if isinstance(part, TextPart):
        return len(_TOKEN.findall(part.content))
    return len(_TOKEN.findall(part.args_as_json_str())) if isinstance(part, ToolCallPart) else 0


def _read(messages: Sequence[ModelMessage]) -> _Turn:
    turn = _Turn()
    for message in messages:
        if isinstance(message, ModelRequest):
            for part in message.parts:
                _read_part(turn, part)
        else:
            turn.tokens += sum(_part_tokens(part) for part in message.parts)
    return turn


def _read_part(turn: _Turn, part: object) -> None:
    if isinstance(part, UserPromptPart):
        text = _text_of(part.content)
        turn.said.append(text)
        turn.returned, turn.refusals = [], 0
    elif isinstance(part, ToolReturnPart):
        text = part.model_response_str()
        turn.returned.append(cast("ToolReturnPart", part))
        turn.refusals += part.outcome == "retried"
    elif isinstance(part, RetryFeedbackPart):
        text = str(part.content)
        turn.refusals += 1
    else:
        return
    turn.tokens += len(_TOKEN.findall(text))


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    pieces: list[str] = []
    for item in cast("Sequence[object]", content):
        text = item if isinstance(item, str) else getattr(item, "content", None)
        pieces.append(text if isinstance(text, str) else f"({type(item).__name__})")
    return " ".join(pieces)


def _decide(turn: _Turn, parameters: ModelRequestParameters) -> _Answer:
    called = {part.tool_name for part in turn.returned}
    wanted = [tool for tool in _wanted(turn, parameters) if tool.name not in called]
    if wanted and len(called) < TURN_CALLS_MAX:
        return _Answer([_call(tool, turn) for tool in wanted[:TURN_CALLS_MAX]])
    if parameters.output_object is not None:
        filled = Filler(_source(turn), turn.refusals).fill(parameters.output_object.json_schema)
        return _Answer([TextPart(json.dumps(filled))])
    if parameters.output_tools and not parameters.allow_text_output:
        named = called_for(turn.prompt, [tool.name for tool in parameters.output_tools])
        outputs = {tool.name: tool for tool in parameters.output_tools}
        tool = outputs[named[0]] if named else parameters.output_tools[0]
        return _Answer([_call(tool, turn, _source(turn))])
    if turn.returned:
        return _Answer([TextPart(_report(turn.returned))])
    names = [tool.name for tool in parameters.declared_function_tools]
    reply = answer(turn.said, names)
    return _Answer([TextPart(reply.text or "…")], reply.paced)


def _wanted(turn: _Turn, parameters: ModelRequestParameters) -> list[ToolDefinition]:
    tools = {tool.name: tool for tool in parameters.declared_function_tools}
    if not tools:
        return []
    names = called_for(turn.prompt, tools, exact=True)
    if not names and not is_small_talk(turn.said):
        names = called_for(turn.prompt, tools)
    return [tools[name] for name in names]


def _call(tool: ToolDefinition, turn: _Turn, source: str | None = None) -> ToolCallPart:
    filled = Filler(turn.prompt if source is None else source, turn.refusals).fill(
        tool.parameters_json_schema
    )
    return ToolCallPart(tool.name, cast("dict[str, Any]", filled))


def _source(turn: _Turn) -> str:
    """What an output is made from: the prompt, and what tools added to it."""
    facts = " ".join(
        part.model_response_str() for part in turn.returned if part.outcome == "success"
    )
    return f"{turn.prompt} {facts}".strip()


def _report(returned: Sequence[ToolReturnPart]) -> str:
    sentences: list[str] = []
    for part in returned:
        said = quote(part.model_response_str())
        verb = "returned" if part.outcome == "success" else "refused"
        sentences.append(f"{part.tool_name} {verb}: {said}")
    return "\n".join(sentences)
