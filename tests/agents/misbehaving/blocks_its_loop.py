"""Blocks its event loop: a sleeping call in a coroutine, for as many seconds as the prompt says.

To be seen: pongs go on and their lag grows; other calls of the agent wait; with a policy of
`unresponsive` the incarnation is killed, with its stacks in the crash report. The end of the file
ends it all the same.
"""

from __future__ import annotations

import time


async def answer(prompt: str) -> str:
    """Block, then answer."""
    time.sleep(float(prompt))  # noqa: ASYNC251 - this is the misbehaviour
    return prompt
