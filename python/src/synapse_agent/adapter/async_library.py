"""Says once that this thread runs asyncio, where anyio would have it found out at every step.

anyio asks sniffio which library runs, forty times in the shortest run of an agent, and sniffio
looks for the current task each time unless its thread has said. Knows sniffio; nothing of agents.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["asyncio_said"]


@contextmanager
def asyncio_said() -> Generator[None]:
    """Around everything that a thread runs on its loop; other threads are not concerned."""
    try:
        from sniffio import thread_local
    except ImportError:  # it comes with some providers' packages; without it anyio asks the loop
        yield
        return
    before, thread_local.name = thread_local.name, "asyncio"
    try:
        yield
    finally:
        thread_local.name = before
