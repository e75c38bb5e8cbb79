"""Forks a grandchild that holds every pipe it can get and outlives its parent, then dies.

`answer("fork")` leaves the grandchild behind and says its pid; `answer("die")` ends the agent by
SIGKILL. The grandchild is in the agent's process group unless the prompt is "daemon", which makes
it the leader of a session of its own. To be seen: the death is noticed at once, by the wait status
and not by the end of the file; the restart is not delayed; the grandchild is gone.
"""

from __future__ import annotations

import os
import signal
import sys

from synapse_agent.stdio import claimed


def answer(prompt: str) -> str:
    """Fork, or die."""
    if prompt == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    child = os.fork()
    if child == 0:
        if prompt == "daemon":
            os.setsid()
        for descriptor in claimed():
            os.set_inheritable(descriptor, True)
        # A new program without the worker's threads, which still has the pipes.
        hold = "import threading; threading.Event().wait()"
        os.execv(sys.executable, [sys.executable, "-S", "-c", hold])
    return str(child)
