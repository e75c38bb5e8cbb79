"""Exits when its program is opened, after the import: between `welcome` and `ready`.

The deps of an incarnation are made then (`deps = "exits_at_start:connect"`, `deps_scope =
"incarnation"`). To be seen: the start fails with exit code 4; siblings notice nothing.
"""

from __future__ import annotations

import os

from moment import DUE


def connect() -> object:
    """Take the process with it."""
    if DUE:
        os._exit(4)
    return None


def answer(prompt: str) -> str:
    """Answer, in an incarnation that is not to misbehave."""
    return prompt
