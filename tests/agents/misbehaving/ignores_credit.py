"""Streams without regard for credit: chunk after chunk, although none was granted.

Call it as a stream, and do not read the stream. To be seen: the violation `credit_exceeded`; the
incarnation is killed for `protocol_violation`; the runtime's memory stays bounded.
"""

from __future__ import annotations

import os
import threading

from synapse_agent.context import Context
from synapse_agent.frame import encode
from synapse_agent.stdio import claimed

CHUNKS = 2000
"""Far beyond what any stream may be granted at once (512)."""


def answer(ctx: Context, prompt: str) -> str:
    """Break the protocol, and wait to be killed."""
    for seq in range(CHUNKS):
        os.write(claimed().write, encode((70, ctx.run, seq, "chunk ")))
    threading.Event().wait()
    return prompt
