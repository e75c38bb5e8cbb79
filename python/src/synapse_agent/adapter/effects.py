"""What a run does that cannot be taken back: its tools, and functions that take its output.

Knows pydantic-ai's hooks and the run's port; nothing of frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.output import OutputContext
from pydantic_ai.tools import RunContext, ToolDefinition
from pydantic_ai.toolsets import FunctionToolset

from .declaration import current_port
from .models import AnyAgent

__all__ = ["TELLING_EFFECTS", "may_have_effects"]


@dataclass
class _TellingEffects(AbstractCapability[Any]):
    """Tells the runtime before the first of them begins."""

    async def before_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
    ) -> dict[str, Any]:
        """A tool is about to run."""
        await _tell()
        return args

    async def before_output_process(
        self, ctx: RunContext[Any], *, output_context: OutputContext, output: Any
    ) -> Any:
        """A function may be about to take the output."""
        if output_context.has_function:
            await _tell()
        return output


TELLING_EFFECTS = (_TellingEffects(),)
"""For the runs of an agent that may have any."""


async def _tell() -> None:
    told = current_port.get().effect()
    # A blocking port has told at once.
    if told is not None:
        await told


def may_have_effects(agent: AnyAgent) -> bool:
    """Whether an agent has tools, or an output that is more than text. A doubt counts as yes."""
    if agent.output_type is not str or agent.root_capability.get_toolset() is not None:
        return True
    return any(not _is_empty(toolset) for toolset in agent.toolsets)


def _is_empty(toolset: object) -> bool:
    return isinstance(toolset, FunctionToolset) and not toolset.tools
