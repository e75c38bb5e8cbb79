"""An agent that streams as a model does: so many tokens a second, each with its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator


async def paced(prompt: str) -> AsyncIterator[str]:
    """As many tokens a second for as many seconds as the prompt says."""
    rate, seconds = map(float, prompt.split())
    begin = time.monotonic()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(begin + number / rate - time.monotonic())
        # The clock of the whole machine: the reader's is the same.
        yield f"{time.monotonic_ns()} "
