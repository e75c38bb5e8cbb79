"""`welcome` as the typed configuration that programs are loaded from.

The runtime has checked supervision.toml; a key that this SDK does not know is one of a later
version and is passed over. This module refuses to know what any key does.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from .frame import Json, Welcome
from .program import Configuration, ToolDefinition

__all__ = ["configuration_of"]

_KEYS = frozenset(one.name for one in fields(Configuration))
_TUPLES = frozenset({"path", "withheld"})


def configuration_of(welcome: Welcome) -> Configuration:
    """Take what is known of the map; nil means the default."""
    given: dict[str, Any] = {
        key: tuple(value) if key in _TUPLES else value
        for key, value in welcome.configuration.items()
        if key in _KEYS and value is not None
    }
    given["agent"] = welcome.agent
    given["incarnation"] = welcome.incarnation
    given["tools"] = tuple(_tool(tool) for tool in welcome.tools)
    return Configuration(**given)


def _tool(tool: dict[str, Json]) -> ToolDefinition:
    return ToolDefinition(tool["name"], tool.get("description"), tool.get("parameters") or {})
