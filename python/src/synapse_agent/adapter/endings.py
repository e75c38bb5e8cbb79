"""Streams that end before their model has: told by what the same model said at other ends.

A connection that breaks is an error of its own. A gateway that gives up may end the stream in good
order, though, and then only the missing reason to stop tells a part of an answer from a whole one.
Some servers never give a reason, so none can be asked of a model that has not given one before.
Knows pydantic-ai's messages; nothing of runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic_ai.messages import ModelMessage, ModelResponse

from ..program import Fault

__all__ = ["Endings"]

MODELS_MAX: Final = 64
"""Models that are remembered; behind a router that has more, the others are not held to it."""


class Endings:
    """Which models give a reason when they stop."""

    def __init__(self) -> None:
        """None is known yet."""
        self._reasoned: set[tuple[str | None, str | None]] = set()

    def check(self, messages: Sequence[ModelMessage]) -> None:
        """Look at the end of a run that streamed; an answer that was cut is the model's fault."""
        for message in reversed(messages):
            if isinstance(message, ModelResponse):
                return self._check(message)

    def _check(self, response: ModelResponse) -> None:
        model = (response.provider_name, response.model_name)
        if "finish_reason" in (response.provider_details or {}):
            if len(self._reasoned) < MODELS_MAX:
                self._reasoned.add(model)
            return
        # Where the provider gave no reason, pydantic-ai says "stop"; other words are a refusal's.
        cut = response.finish_reason in (None, "stop") and model in self._reasoned
        if cut or response.state == "incomplete":
            raise Fault(
                "model",
                "model_error",
                f"model {response.model_name}: its stream ended without a reason to stop",
                retryable=True,
                details={"model": response.model_name},
            )
