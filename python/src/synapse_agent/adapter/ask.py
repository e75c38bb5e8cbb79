"""One request to a model, without tools or history: what plain Python code asks for by its context.

Knows configurations and models; nothing of runs.
"""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent

from ..program import CancelReason, Configuration, Fault, LogLevel
from .faults import fault_of
from .models import Models, layered_settings

__all__ = ["ask", "ask_blocking"]


class _NoRun:
    """The run that a bare request has no need of."""

    run = 0
    cancelled = False
    cancel_reason: CancelReason | None = None

    def remaining(self) -> float | None:
        return None

    def on_cancel(self, callback: object) -> None:
        """Nothing cancels it but its task."""

    def log(self, level: LogLevel, message: str, fields: object = None) -> None:
        """Nothing is logged."""


async def ask(
    configuration: Configuration, prompt: str, model: str | None, instructions: str | None
) -> str:
    """The model's answer, for code on a loop."""
    try:
        agent, settings = _prepared(configuration, model, instructions)
        return (await agent.run(prompt, model_settings=settings, infer_name=False)).output
    except Exception as error:
        raise fault_of(error, _NoRun(), configuration) from error


def ask_blocking(
    configuration: Configuration, prompt: str, model: str | None, instructions: str | None
) -> str:
    """The model's answer, for code that blocks."""
    try:
        agent, settings = _prepared(configuration, model, instructions)
        return agent.run_sync(prompt, model_settings=settings, infer_name=False).output
    except Exception as error:
        raise fault_of(error, _NoRun(), configuration) from error


def _prepared(
    configuration: Configuration, model: str | None, instructions: str | None
) -> tuple[Agent[Any, str], Any]:
    name = model or configuration.model
    if name is None:
        table = f"[agent.{configuration.agent}]"
        message = f'a model is asked for, but none is named: set model = "…" in {table}'
        raise Fault("agent", "agent_error", message)
    asked = _models(configuration).named(name)
    agent: Agent[Any, str] = Agent(asked, instructions=instructions or configuration.instructions)
    return agent, layered_settings(agent, agent.model, configuration.model_settings, None)


_kept: list[tuple[Configuration, Models]] = []


def _models(configuration: Configuration) -> Models:
    """The models of a process, which has one configuration; of several, the last is kept."""
    if not _kept or _kept[0][0] is not configuration:
        _kept[:] = [(configuration, Models(configuration))]
    return _kept[0][1]
