"""One task that enters contexts and leaves them again, for code that is not in one task throughout.

Some contexts (MCP servers, cancel scopes) may only be left by the task that entered them. Knows
asyncio; nothing of agents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

__all__ = ["Owner"]


class Owner:
    """Holds contexts open between `open` and `close`."""

    def __init__(self, enter: Callable[[AsyncExitStack], Awaitable[None]]) -> None:
        """`enter` pushes the contexts on a stack."""
        self._enter = enter
        self._leave: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Enter; returns when everything is open, raises what entering raised."""
        loop = asyncio.get_running_loop()
        entered: asyncio.Future[None] = loop.create_future()
        self._leave = asyncio.Event()
        self._task = loop.create_task(self._hold(entered, self._leave))
        await entered

    async def close(self) -> None:
        """Leave; raises what leaving raised."""
        if self._leave is None or self._task is None:
            return
        self._leave.set()
        await self._task

    async def _hold(self, entered: asyncio.Future[None], leave: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            try:
                await self._enter(stack)
            except Exception as error:
                entered.set_exception(error)
                return
            entered.set_result(None)
            await leave.wait()
