"""An agent with a tool that ends its process, as a bug in a C library would."""

from __future__ import annotations

import os

from pydantic_ai import Agent

agent = Agent(instructions="Crash when you are asked to.")


@agent.tool_plain
def crash() -> None:
    """End this process at once: no exception, no clean-up."""
    os._exit(3)
