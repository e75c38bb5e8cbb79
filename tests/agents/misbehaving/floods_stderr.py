"""Writes to stderr as fast as it can while it runs, for as many megabytes as the prompt says.

To be seen: the answer comes; the runtime's memory and log stay bounded, the last lines are kept;
siblings' latency does not suffer.
"""

from __future__ import annotations

import sys

LINE = "x" * 1023 + "\n"


def answer(prompt: str) -> str:
    """Flood, then answer with how many lines there were."""
    lines = int(prompt) * 1024
    for _ in range(lines):
        sys.stderr.write(LINE)
    return str(lines)
