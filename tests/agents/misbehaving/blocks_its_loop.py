"""Blocks its event loop: a sleeping call in a coroutine, for as many seconds as the prompt says.

To be seen: pongs go on and their lag grows; other calls of the agent wait; with `restart` as the
action of `liveness` the incarnation is killed as `unresponsive`, with its stacks in the crash
report. The end of the file ends it all the same.
"""

from __future__ import annotations

import time
from pathlib import Path

LOOK_EVERY_S = 0.005


async def answer(prompt: str) -> str:
    """Block, then answer."""
    time.sleep(float(prompt))  # noqa: ASYNC251 - this is the misbehaviour
    return prompt


async def until_released(prompt: str) -> str:
    """Say `NAME.begun`, block until `NAME.release` is there, answer."""
    Path(f"{prompt}.begun").write_text("begun")
    while not Path(f"{prompt}.release").exists():
        time.sleep(LOOK_EVERY_S)  # noqa: ASYNC251 - this is the misbehaviour
    return f"released {prompt}"


async def spins(prompt: str) -> str:
    """Keep the loop busy for ever, with Python code."""
    while True:
        pass
