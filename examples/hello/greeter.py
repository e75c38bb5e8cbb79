"""The smallest agent: pydantic-ai as it is, nothing of Synapse in it."""

from __future__ import annotations

from pydantic_ai import Agent

agent = Agent(instructions="Greet whoever writes to you.")
