"""Plausible values for a JSON Schema, derived from a prompt: the same prompt gives the same value.

Knows JSON Schema and text; nothing of pydantic-ai or of conversations.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any, cast

__all__ = ["Filler"]

Schema = Mapping[str, Any]

DEPTH_MAX = 8
"""Levels of nesting; below, optional parts are left out, so that recursive schemas end."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_QUOTED = re.compile(r"\"([^\"]+)\"|'([^']+)'|“([^”]+)”")
_TOPIC = re.compile(r"\b(?:about|for|on|of|in|to|named|called)\s+([^.,;!?\n]+)", re.IGNORECASE)
_GRAVE = re.compile(
    r"\b(?:outage|breach|leak|fire|crash|danger|critical|urgent|lost|fraud|attack|severe)",
    re.IGNORECASE,
)
_MILD = re.compile(r"\b(?:typo|minor|trivial|harmless|safe|calm|fine|small|quiet)", re.IGNORECASE)

_FORMATS = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "binary": "",
}


class Filler:
    """Fills schemas for one prompt; numbers and quoted words of the prompt are used up in order."""

    def __init__(self, prompt: str, attempt: int = 0) -> None:
        """`attempt` counts refused values of the same prompt, so that the next try differs."""
        self._prompt = prompt
        self._attempt = attempt
        self._numbers = [float(number) for number in _NUMBER.findall(prompt)]
        self._quoted = ["".join(groups) for groups in _QUOTED.findall(prompt)]
        self._root: Schema = {}

    def fill(self, schema: Schema) -> Any:
        """A value that satisfies `schema`, as far as its keywords are known here."""
        self._root = schema
        return self._value(schema, "value", 0)

    def _value(self, schema: Schema, name: str, depth: int) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._chosen(cast("list[Any]", schema["enum"]), name)
        union = schema.get("anyOf", schema.get("oneOf"))
        if union:
            return self._alternative(cast("list[Schema]", union), name, depth)
        return self._typed(schema, name, depth)

    def _typed(self, schema: Schema, name: str, depth: int) -> Any:
        match self._kind(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer":
                return int(self._number(schema, whole=True))
            case "number":
                return self._number(schema, whole=False)
            case "boolean":
                return not re.search(r"\b(?:not|no|false|off|never)\b", self._prompt, re.IGNORECASE)
            case "null":
                return None
            case _:
                return self._text(schema, name)

    def _resolved(self, schema: Schema) -> Schema:
        for _ in range(DEPTH_MAX):
            if "$ref" in schema:
                target: Any = self._root
                for step in str(schema["$ref"]).removeprefix("#/").split("/"):
                    target = cast("Schema", target).get(step, {})
                schema = {
                    **cast("Schema", target),
                    **{k: v for k, v in schema.items() if k != "$ref"},
                }
            elif "allOf" in schema:
                merged: dict[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
                for part in cast("list[Schema]", schema["allOf"]):
                    merged.update(self._resolved(part))
                schema = merged
            else:
                break
        return schema

    def _kind(self, schema: Schema) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            kinds = [str(each) for each in cast("list[Any]", kind)]
            return next((each for each in kinds if each != "null"), "null")
        if isinstance(kind, str):
            return kind
        return "object" if "properties" in schema else "string"

    def _alternative(self, options: list[Schema], name: str, depth: int) -> Any:
        resolved = [self._resolved(option) for option in options]
        if depth >= DEPTH_MAX and any(option.get("type") == "null" for option in resolved):
            return None
        real = [option for option in resolved if option.get("type") != "null"]
        if not real:
            return None
        named = [
            option
            for option in real
            if str(option.get("title", " ")).lower() in self._prompt.lower()
        ]
        return self._value((named or real)[self._attempt % len(named or real)], name, depth + 1)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
        required = set(cast("list[str]", schema.get("required", [])))
        filled: dict[str, Any] = {}
        for name, part in properties.items():
            if name not in required and ("default" in part or depth >= DEPTH_MAX // 2):
                continue
            filled[name] = self._value(part, name, depth + 1)
        extra = schema.get("additionalProperties")
        if not properties and isinstance(extra, Mapping) and depth < DEPTH_MAX:
            filled["value"] = self._value(cast("Schema", extra), "value", depth + 1)
        return filled

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        prefix = cast("list[Schema]", schema.get("prefixItems", []))
        items = [self._value(part, name, depth + 1) for part in prefix]
        least = int(schema.get("minItems", 0))
        part = schema.get("items")
        if not isinstance(part, Mapping):
            return items
        wanted = max(least, 1 if depth < DEPTH_MAX else 0) - len(items)
        if self._kind(self._resolved(cast("Schema", part))) in ("integer", "number"):
            wanted = max(wanted, len(self._numbers))
        wanted = min(wanted, int(schema.get("maxItems", max(wanted, 0))))
        items.extend(self._value(cast("Schema", part), name, depth + 1) for _ in range(wanted))
        return items

    def _chosen(self, options: list[Any], name: str) -> Any:
        spoken = [
            o
            for o in options
            if re.search(rf"\b{re.escape(str(o))}\b", self._prompt, re.IGNORECASE)
        ]
        if spoken:
            return spoken[self._attempt % len(spoken)]
        if _GRAVE.search(self._prompt):
            return options[max(len(options) - 1 - self._attempt, 0)]
        if _MILD.search(self._prompt):
            return options[self._attempt % len(options)]
        seed = zlib.crc32(f"{name}:{self._prompt}".encode())
        return options[(seed + self._attempt) % len(options)]

    def _number(self, schema: Schema, *, whole: bool) -> float:
        low, high = _bounds(schema, whole=whole)
        if self._numbers:
            value = self._numbers.pop(0) + self._attempt
        else:
            value = float(len(self._prompt.split()) + self._attempt)
        if whole:
            value = float(round(value))
        value = min(max(value, low), high)
        step = schema.get("multipleOf")
        if isinstance(step, int | float) and step:
            value = max(low, round(value / step) * step)
        return value

    def _text(self, schema: Schema, name: str) -> str:
        form = str(schema.get("format", ""))
        if form in _FORMATS:
            return _FORMATS[form]
        text = self._quoted.pop(0) if self._quoted else self._phrase(name)
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        text = text if len(text) >= least else text.ljust(least, ".")
        return text if most is None else text[: int(most)]

    def _phrase(self, name: str) -> str:
        words = self._prompt.split()
        if re.search(r"title|name|subject|headline", name):
            return " ".join(words[:8]).rstrip(".,;:!?").capitalize() or "Untitled"
        if re.search(r"city|place|query|topic|term|location|country", name):
            topic = _TOPIC.search(self._prompt)
            return (topic[1] if topic else self._prompt).strip(" .?!") or name
        return self._prompt.strip() or name


def _bounds(schema: Schema, *, whole: bool) -> tuple[float, float]:
    nudge = 1.0 if whole else 1e-6
    low = float(schema.get("minimum", float("-inf")))
    high = float(schema.get("maximum", float("inf")))
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if isinstance(above, int | float):
        low = max(low, above + nudge)
    if isinstance(below, int | float):
        high = min(high, below - nudge)
    return low, high
