"""Usage limits: the configuration's, which a call may only tighten.

Knows the names of pydantic-ai's limits; nothing of runs.
"""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

from pydantic_ai.usage import UsageLimits

from ..program import Fault, Json, Origin

__all__ = ["limits_of", "tightened"]

_NAMES = frozenset(one.name for one in fields(UsageLimits))


def limits_of(given: dict[str, Json] | None, origin: Origin) -> UsageLimits | None:
    """The limits of a map; an unknown name is the fault of whoever gave it."""
    if not given:
        return None
    unknown = sorted(set(given) - _NAMES)
    if unknown:
        code = "invalid_input" if origin == "caller" else "start_failed"
        raise Fault(
            origin,
            code,
            f"no usage limit {', '.join(unknown)}; there are {', '.join(sorted(_NAMES))}",
        )
    values: dict[str, Any] = dict(given)
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
