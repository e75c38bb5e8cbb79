"""A searcher: finds what a small library says, so that a writer can use it."""

from __future__ import annotations

from pydantic_ai import Agent

LIBRARY = {
    "whales": "Blue whales are the largest animals known; their calls carry for hundreds of miles.",
    "bees": "Honey bees tell each other where flowers are by the angle and length of a dance.",
    "octopuses": "An octopus has three hearts, and most of its neurons are in its arms.",
    "lighthouses": "The Fresnel lens let lighthouses be seen from more than twenty miles away.",
}

searcher = Agent(
    name="searcher",
    description="finds what a small library says",
    instructions="Answer only from what the search tool returns.",
)


@searcher.tool_plain
async def search(query: str) -> str:
    """Search the library; returns the entries whose subject occurs in the query."""
    words = query.lower()
    found = [text for subject, text in LIBRARY.items() if subject.rstrip("s") in words]
    return " ".join(found) or f"Nothing. The library knows of {', '.join(LIBRARY)}."
