"""An analyst that answers with a report instead of text."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field
from pydantic_ai import Agent


class Report(BaseModel):
    """What happened, and how bad it is."""

    title: str = Field(description="What happened, in at most ten words.")
    risk: Literal["low", "medium", "high"]


agent = Agent(
    name="analyst",
    description="judges the risk of what it is told",
    output_type=Report,
    instructions="Judge how risky the event is that the user describes.",
)
