"""Neighbours that give trouble, to measure that nobody beside them feels it."""

from __future__ import annotations

import os
import sys
import time


def crashes(prompt: str) -> str:
    """Die of every call."""
    os._exit(1)


def floods(prompt: str) -> str:
    """Write to stderr for as long as a caller waits at the most."""
    until = time.monotonic() + 0.2
    line = "trouble " * 16 + "\n"
    while time.monotonic() < until:
        sys.stderr.write(line)
    return prompt


def dawdles(prompt: str) -> str:
    """Answer so slowly that the mailbox is always full."""
    time.sleep(0.5)
    return prompt
