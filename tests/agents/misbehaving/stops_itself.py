"""Stops its whole process, so that neither frame, end of file nor SIGTERM is heard.

To be seen: the stop ladder to its end: SIGKILL at the shutdown time, not before and not later; exit
reason `killed`.
"""

from __future__ import annotations

import os
import signal


def answer(prompt: str) -> str:
    """Stop until somebody continues the process; nobody does."""
    os.kill(os.getpid(), signal.SIGSTOP)
    return prompt
