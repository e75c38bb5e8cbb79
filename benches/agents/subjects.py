"""Agents to measure: as little of their own as possible, so that the runtime is what counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator


def echo_sync(prompt: str) -> str:
    return prompt


async def echo_async(prompt: str) -> str:
    return prompt


def stream_sync(prompt: str) -> Iterator[str]:
    for _ in range(int(prompt)):
        yield "0123456789abcdef"


async def stream_async(prompt: str) -> AsyncIterator[str]:
    for _ in range(int(prompt)):
        yield "0123456789abcdef"
