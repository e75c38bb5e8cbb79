"""Announces a frame of 4 GiB when it is called.

To be seen: the violation `frame_too_long`, at once and without that much memory; the incarnation is
killed for `protocol_violation` and restarted.
"""

from __future__ import annotations

import os
import threading

from synapse_agent.stdio import claimed


def answer(prompt: str) -> str:
    """Break the protocol, and wait to be killed."""
    os.write(claimed().write, b"\xff\xff\xff\xff")
    threading.Event().wait()
    return prompt
