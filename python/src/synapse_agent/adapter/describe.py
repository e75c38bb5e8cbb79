"""What an agent is and takes: its mode, its schemas and its tools, for the manifest.

Looks at agents and models; runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast, get_args, get_origin

from pydantic import PydanticUserError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_ai.agent import AbstractAgent
from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model
from pydantic_ai.toolsets import FunctionToolset

from ..program import Configuration, Json, Kind, Manifest, Mode
from .deps import Deps
from .models import AnyAgent, model_name

__all__ = ["is_agent", "manifest_of", "mode_of"]

_MODULES: Final = re.compile(r"(?:\w+\.|<locals>\.)+(?=\w)")


def is_agent(target: object) -> bool:
    """Whether something is an agent of pydantic-ai (or wraps one)."""
    return isinstance(target, AbstractAgent)


def mode_of(agent: AnyAgent, model: object, configuration: Configuration) -> Mode:
    """The configured mode; else text streams where its model can, and all else comes whole."""
    if configuration.mode is not None:
        return configuration.mode
    return "run_stream" if _may_be_text(agent.output_type) and _can_stream(model) else "run"


def manifest_of(
    agent: AnyAgent,
    configuration: Configuration,
    *,
    kind: Kind,
    mode: Mode,
    model: object,
    deps: Deps,
) -> Manifest:
    """The manifest of an agent as it will be run."""
    schema = _output_schema(agent) if kind == "pydantic_ai" else configuration.output_schema
    return Manifest(
        kind=kind,
        mode=mode,
        streams=mode == "run_stream",
        sync=mode == "run_sync",
        concurrency=configuration.concurrency,
        output_schema=schema,
        output_name=_output_name(agent, schema),
        output_fields=_fields(schema),
        deps_schema=deps.schema,
        takes_deps=deps.takes,
        description=configuration.description or _description(agent),
        model=configuration.model or model_name(model),
        tools=list(_tools(agent)),
        tells_effects=True,
    )


def _may_be_text(output_type: object) -> bool:
    options = cast(
        "Sequence[object]", output_type if isinstance(output_type, list) else get_args(output_type)
    )
    return output_type is str or str in options


def _can_stream(model: object) -> bool:
    if not isinstance(model, Model):
        return True
    streams = type(cast("Model[Any]", model)).request_stream is not Model.request_stream
    # A FunctionModel streams only if it was given a function that does.
    return streams and getattr(cast("object", model), "stream_function", True) is not None


def _output_schema(agent: AnyAgent) -> dict[str, Json] | None:
    if agent.output_type is str:
        return None
    try:
        return agent.output_json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError, UserError, TypeError):
        return None


def _output_name(agent: AnyAgent, schema: dict[str, Json] | None) -> str | None:
    if schema is None:
        return None
    options: Json = schema.get("anyOf")
    if isinstance(options, list):
        return " | ".join(_name_of(option) for option in cast("list[dict[str, Json]]", options))
    title: Json = schema.get("title")
    return title if isinstance(title, str) and title else _type_words(agent.output_type)


def _type_words(output_type: object) -> str | None:
    """A type as its author wrote it, without modules: `list[Report]`."""
    if get_origin(output_type) is not None:
        return _MODULES.sub("", repr(output_type))
    name = getattr(output_type, "__name__", None)
    return name if isinstance(name, str) else None


def _name_of(schema: dict[str, Json]) -> str:
    named = schema.get("title") or str(schema.get("$ref", "")).rpartition("/")[2]
    return str(named or schema.get("type") or "value")


def _fields(schema: dict[str, Json] | None) -> list[str] | None:
    properties: Json = (schema or {}).get("properties")
    return list(cast("dict[str, Json]", properties)) if isinstance(properties, dict) else None


def _description(agent: AnyAgent) -> str | None:
    said: object = agent.description
    return said if isinstance(said, str) else None


def _tools(agent: AnyAgent) -> Iterator[dict[str, Json]]:
    for toolset in agent.toolsets:
        if isinstance(toolset, FunctionToolset):
            for tool in toolset.tools.values():
                yield {"name": tool.name, "description": tool.description}
