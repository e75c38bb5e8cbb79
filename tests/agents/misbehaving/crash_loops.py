"""Crashes a moment after each start, without having been called.

To be seen: restarts up to the intensity, then escalation (or `failed` where the specification
parks it); siblings notice nothing until then.
"""

from __future__ import annotations

import os
import threading

threading.Timer(0.05, lambda: os._exit(9)).start()


def answer(prompt: str) -> str:
    """Answer, if there is time."""
    return prompt
