"""pydantic-ai agents: one that says what reached its model, one without a model of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel


def reflect(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Answer with what the model was given."""
    last = messages[-1]
    given = {
        "settings": dict(info.model_settings or {}),
        "instructions": last.instructions if isinstance(last, ModelRequest) else None,
        "messages": len(messages),
    }
    return ModelResponse(parts=[TextPart(json.dumps(given))])


mirror = Agent(FunctionModel(reflect), instructions="Reflect.")
talker = Agent()


@dataclass
class Shop:
    """What the keeper needs to know."""

    name: str
    items: int


keeper = Agent(deps_type=Shop)


@keeper.tool
async def stock(ctx: RunContext[Shop]) -> str:
    """What the shop holds."""
    return f"{ctx.deps.name} holds {ctx.deps.items} items"
