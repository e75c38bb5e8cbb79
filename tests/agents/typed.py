"""Plain functions with types, and what a deps factory makes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Point:
    """A place on a map."""

    x: int
    y: int = 0


def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


def mirrored(point: Point) -> Point:
    """The point on the other side of the origin."""
    return Point(-point.x, -point.y)


@contextmanager
def journal(given: Any) -> Generator[list[str]]:
    """Kept deps that say in a file when they are opened and closed."""
    file = Path("journal")
    with file.open("a") as lines:
        lines.write("open ")
    kept: list[str] = []
    yield kept
    with file.open("a") as lines:
        lines.write(f"close({len(kept)}) ")


def keeps(prompt: str, deps: list[str]) -> int:
    """Keep the prompt; how many there are."""
    deps.append(prompt)
    return len(deps)
