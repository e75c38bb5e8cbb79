"""Agents without code: what a configuration's model, instructions and output schema declare.

Knows configurations and how pydantic-ai builds agents; nothing of calls. pydantic-ai does not hold
a value against a plain JSON Schema, so the runtime is asked, and its refusal is the model's next
try.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, cast

from pydantic_ai import Agent, ModelRetry, StructuredDict
from pydantic_ai.exceptions import UserError

from ..program import BlockingRunPort, Configuration, Fault, Json, RunPort, Verdict

__all__ = ["agent_of", "current_port", "unwrapped"]

WRAPPED = "value"
"""The key under which a schema that is not of an object stands in one: models answer in objects."""

OUTPUT_RETRIES = 2
"""Further tries of a model whose output the runtime refuses; one seldom mends two mistakes."""

current_port: ContextVar[RunPort | BlockingRunPort] = ContextVar("current_port")
"""The port of the run that is executing in this context, for the validator below."""


def agent_of(configuration: Configuration) -> Agent[Any, Any]:
    """The agent that a configuration declares; its model is set by whoever runs it."""
    if configuration.model is None:
        raise Fault(
            "agent",
            "start_failed",
            f'agent {configuration.agent} has no entry and no model: set model = "…"',
        )
    schema = configuration.output_schema
    agent: Agent[Any, Any] = Agent(
        output_type=cast("Any", str if schema is None else _output_type(schema, configuration)),
        instructions=configuration.instructions,
        name=configuration.agent,
        description=configuration.description,
        retries={"output": OUTPUT_RETRIES},
        defer_model_check=True,
    )
    if schema is not None:
        agent.output_validator(_checked if _is_object(schema) else _checked_inside)
    return agent


def unwrapped(output: object, configuration: Configuration) -> object:
    """An output as its schema describes it."""
    schema = configuration.output_schema
    if configuration.entry is not None or schema is None or _is_object(schema):
        return output
    return cast("dict[str, object]", output).get(WRAPPED)


def _output_type(schema: dict[str, Json], configuration: Configuration) -> object:
    name = str(schema.get("title") or "output")
    if not _is_object(schema):
        schema = _wrapped(schema)
    try:
        return StructuredDict(schema, name=name)
    except UserError as error:
        message = f"the output_schema of {configuration.agent} suits no model: {error.message}"
        raise Fault("agent", "start_failed", message) from error


def _wrapped(schema: dict[str, Json]) -> dict[str, Json]:
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    outer: dict[str, Json] = {
        "type": "object",
        "properties": {WRAPPED: inner},
        "required": [WRAPPED],
    }
    # References point to the root, so the definitions stay there.
    return {**outer, "$defs": schema["$defs"]} if "$defs" in schema else outer


def _is_object(schema: dict[str, Json]) -> bool:
    return schema.get("type") == "object"


async def _checked(output: dict[str, Any]) -> dict[str, Any]:
    await _check(output)
    return output


async def _checked_inside(output: dict[str, Any]) -> dict[str, Any]:
    await _check(output.get(WRAPPED))
    return output


async def _check(output: Json) -> None:
    answered = current_port.get().check_output(output)
    # A blocking port has the verdict at once: its run may block a loop that serves nothing else.
    verdict = answered if isinstance(answered, Verdict) else await answered
    if not verdict.ok:
        raise ModelRetry(verdict.message or "The output does not fit its schema.")
