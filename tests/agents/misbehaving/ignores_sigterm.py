"""Ignores SIGTERM and the stop frame: its run never ends, and nothing is left to default.

To be seen: the stop ladder to its end: SIGKILL at the shutdown time, not before and not later; exit
reason `killed`. The line "deaf to SIGTERM" on stderr says that the run has come that far.
"""

from __future__ import annotations

import signal
import sys
import time


def answer(prompt: str) -> str:
    """Hold on, through every SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stderr.write("deaf to SIGTERM\n")
    while True:
        time.sleep(3600)
    return prompt


def ignore_and_answer(prompt: str) -> str:
    """Answer, but be deaf to SIGTERM from now on."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return prompt
