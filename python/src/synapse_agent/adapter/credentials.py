"""Missing keys: which environment variable a provider wants, and whether it is unset or not passed.

Reads errors and the environment; knows no provider by name, and nothing of pydantic-ai.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ..program import Configuration

__all__ = ["Missing", "missing_variable"]

CAUSES_MAX = 8
"""Errors of a chain that are read: a provider's message is seldom more than two below the top."""

_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_SPEAKS_OF_ENVIRONMENT = re.compile(r"environment variable|env(?:ironment)? var", re.IGNORECASE)
_SECRET = re.compile(r"_(?:KEY|TOKEN|SECRET|PASSWORD|URL|ENDPOINT)$")


class Missing(NamedTuple):
    """A variable that an agent needs, and what its owner should do."""

    variable: str
    message: str


def missing_variable(error: BaseException, configuration: Configuration) -> Missing | None:
    """What is missing, if that is what `error` (or a cause of it) complains of."""
    seen: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if seen is None:
            return None
        for variable in _named(seen):
            if variable not in os.environ:
                own = isinstance(seen, KeyError)
                return Missing(variable, _advice(variable, configuration, own=own))
        seen = seen.__cause__ or seen.__context__
    return None


def _named(error: BaseException) -> list[str]:
    if isinstance(error, KeyError):
        key = error.args[0] if error.args else None
        if isinstance(key, str) and _VARIABLE.fullmatch(key) and _SECRET.search(key):
            return [key]
        return []
    text = str(error)
    return _VARIABLE.findall(text) if _SPEAKS_OF_ENVIRONMENT.search(text) else []


def _advice(variable: str, configuration: Configuration, *, own: bool) -> str:
    """What to do; `own` says that the agent's code reads the variable, which no provider knows."""
    table = f"[agent.{configuration.agent}]"
    if variable in configuration.withheld:
        return (
            f"{variable} is set where the runtime runs, but is not passed to this agent: "
            f'add env_pass = ["{variable}"] to {table}'
        )
    if own:
        return (
            f"{variable} is not set for this agent: set it where the runtime runs "
            f'and add env_pass = ["{variable}"] to {table}, or set it there by env_file'
        )
    return (
        f"{variable} is not set: set it where the runtime runs, "
        f"or name a file that holds it by env_file in {table}"
    )
