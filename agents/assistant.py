"""An assistant that talks, remembers the conversation, and has two small tools."""

from __future__ import annotations

from datetime import datetime

from pydantic_ai import Agent

agent = Agent(
    name="assistant",
    description="talks, and remembers what it was told",
    instructions="You are a friendly assistant. Answer in a sentence or two.",
)


@agent.tool_plain
async def current_time() -> str:
    """The current local date and time."""
    return datetime.now().astimezone().strftime("%A, %d %B %Y, %H:%M")


@agent.tool_plain
async def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b
