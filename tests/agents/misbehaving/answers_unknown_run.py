"""Answers a run that nobody called.

To be seen: the violation `unknown_run`; the incarnation is killed for `protocol_violation`; the
call that was in flight answers `agent_crashed`.
"""

from __future__ import annotations

import os
import threading

from synapse_agent.frame import encode
from synapse_agent.stdio import claimed


def answer(prompt: str) -> str:
    """Break the protocol, and wait to be killed."""
    os.write(claimed().write, encode((71, 987_654_321, prompt, None, 0, None)))
    threading.Event().wait()
    return prompt
