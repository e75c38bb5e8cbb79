"""Two agents of one group: the searcher finds, the writer writes it down."""

from __future__ import annotations

from pydantic_ai import Agent

LIBRARY = {
    "whale": "Blue whales are the largest animals known. Their calls carry for hundreds of miles.",
    "bee": "Honey bees dance to tell each other where flowers are. The angle shows the direction.",
}

searcher = Agent(instructions="Answer only from what the search tool returns.")
writer = Agent(instructions="Write one clear paragraph from the findings you are given.")


@searcher.tool_plain
async def search(query: str) -> str:
    """Search the library for the subjects that the query names."""
    found = [text for subject, text in LIBRARY.items() if subject in query.lower()]
    return " ".join(found) or "Nothing."
