"""Usage limits: the configuration's, which a call may only tighten.

Knows the names of pydantic-ai's limits; nothing of runs.
"""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

from pydantic_ai.usage import UsageLimits

from ..program import Fault, Json, Origin

__all__ = ["limits_of", "tightened", "told"]

_NAMES = frozenset(one.name for one in fields(UsageLimits))
_SHORT = {
    "requests": "request_limit",
    "tool_calls": "tool_calls_limit",
    "input_tokens": "input_tokens_limit",
    "output_tokens": "output_tokens_limit",
    "total_tokens": "total_tokens_limit",
    "cost": "cost_limit",
}
"""What supervision.toml calls them; both names are understood, and these are told."""
_TOLD = {name: short for short, name in _SHORT.items()}


def told(name: str) -> str:
    """The name under which a limit stands in a configuration."""
    return _TOLD.get(name, name)


def limits_of(given: dict[str, Json] | None, origin: Origin) -> UsageLimits | None:
    """The limits of a map; an unknown name is the fault of whoever gave it."""
    if not given:
        return None
    unknown = sorted(set(given) - _NAMES - set(_SHORT))
    if unknown:
        code = "invalid_input" if origin == "caller" else "start_failed"
        raise Fault(
            origin,
            code,
            f"no usage limit {', '.join(unknown)}; there are {', '.join(_SHORT)}",
        )
    values: dict[str, Any] = {_SHORT.get(name, name): value for name, value in given.items()}
    if values.get("cost_limit") is not None:
        values["cost_limit"] = Decimal(str(values["cost_limit"]))
    return UsageLimits(**values)


def tightened(configured: UsageLimits | None, called: UsageLimits | None) -> UsageLimits | None:
    """The stricter of both, limit by limit."""
    if configured is None or called is None:
        return configured or called
    strictest: dict[str, Any] = {}
    for name in _NAMES:
        ours, theirs = getattr(configured, name), getattr(called, name)
        if isinstance(ours, bool):
            strictest[name] = ours or theirs
        else:
            strictest[name] = min(
                (limit for limit in (ours, theirs) if limit is not None), default=None
            )
    return UsageLimits(**strictest)
