"""Which tools the offline model calls: those that the prompt names, in the order it names them.

Knows names and descriptions of tools; nothing of how they are called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["called_for"]

_WORD = re.compile(r"[a-z0-9]+|\+")

_SAME = {
    "add": {"plus", "sum", "+"},
    "search": {"find", "look", "lookup", "know", "about"},
    "time": {"clock"},
    "multiply": {"times"},
    "subtract": {"minus"},
    "weather": {"forecast", "rain", "sunny"},
}
"""Other words for common tools, so that a question need not quote a function's name."""

_FILLERS = {"get", "the", "a", "an", "of", "for", "my", "current", "do", "run", "fetch", "tool"}


def called_for(prompt: str, names: Iterable[str], *, exact: bool = False) -> list[str]:
    """The names that `prompt` mentions; `exact` asks for the whole name, not what it is about."""
    lowered = prompt.lower()
    words: list[str] = _WORD.findall(lowered.replace("_", " "))
    places: list[tuple[int, str]] = []
    for name in names:
        place = _named(lowered, name) if exact else _meant(words, name)
        if place is not None:
            places.append((place, name))
    return [name for _, name in sorted(places)]


def _named(prompt: str, name: str) -> int | None:
    spelled = re.escape(name.lower()).replace("_", "[_ -]")
    found = re.search(rf"(?<!\w){spelled}(?!\w)", prompt)
    return found.start() if found else None


def _meant(words: list[str], name: str) -> int | None:
    parts = [part for part in _WORD.findall(name.lower().replace("_", " ")) if part not in _FILLERS]
    if not parts:
        return None
    places: list[int] = []
    for part in parts:
        same = {part, f"{part}s", f"{part}ing"} | _SAME.get(part, set())
        places.extend(index for index, word in enumerate(words) if word in same)
    hits = len({words[place] for place in places})
    return min(places) if places and hits * 2 >= len(parts) else None
