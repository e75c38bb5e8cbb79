"""The agent that the Rust program of this folder runs."""

from __future__ import annotations

from pydantic_ai import Agent

agent = Agent(instructions="Greet whoever writes to you.")
