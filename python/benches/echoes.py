"""The functions that `round_trip` calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator

from synapse_agent.context import Context

PIECE = "sixteen bytes ..."


def sync(prompt: str) -> str:
    return prompt


async def suspending(prompt: str) -> str:
    return prompt


async def suspends(prompt: str) -> str:
    await asyncio.sleep(0)
    return prompt


def pieces(count: int) -> Generator[str]:
    for _ in range(count):
        yield PIECE


async def pieces_async(count: int) -> AsyncGenerator[str]:
    for _ in range(count):
        yield PIECE


def emits(ctx: Context, count: int) -> int:
    for _ in range(count):
        ctx.emit(PIECE)
    return count


async def emits_async(ctx: Context, count: int) -> int:
    for _ in range(count):
        await ctx.emit(PIECE)
    return count
