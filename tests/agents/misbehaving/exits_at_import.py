"""Exits while its module is imported, as a module does that calls `os._exit`.

To be seen: the start fails with exit code 3 before any `ready`; it counts as a failed start and the
supervisor's rules decide what follows; siblings notice nothing; no process is left.
"""

from __future__ import annotations

import os

from moment import DUE

if DUE:
    os._exit(3)


def answer(prompt: str) -> str:
    """Answer, in an incarnation that is not to misbehave."""
    return prompt
