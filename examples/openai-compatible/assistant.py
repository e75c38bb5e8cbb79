"""An agent with a tool, for whatever model the configuration names."""

from __future__ import annotations

from datetime import datetime

from pydantic_ai import Agent

agent = Agent(instructions="Answer in one sentence. Use your tool when asked for the time.")


@agent.tool_plain
async def current_time() -> str:
    """The current local date and time."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
