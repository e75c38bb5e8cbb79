"""Dies in the middle of a stream: after three chunks its process is gone, by the prompt's signal.

The prompt is a signal's name ("SIGKILL", "SIGSEGV") or an exit code ("7"). To be seen: the three
chunks reach the caller, then `agent_crashed` with the evidence; the next call is answered by the
next incarnation.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator


def answer(prompt: str) -> Generator[str]:
    """Say three words and die."""
    yield from ("one ", "two ", "three ")
    if prompt.isdigit():
        os._exit(int(prompt))
    os.kill(os.getpid(), signal.Signals[prompt])
