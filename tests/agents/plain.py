"""Well-behaved agents that say what they do in files: tests wait for facts, not for time."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from synapse_agent.context import Context

LOOK_EVERY_S = 0.005
_MODULES = set(sys.modules)


def echo(prompt: str) -> str:
    """Answer with the prompt."""
    return prompt


def pid(prompt: str) -> int:
    """Answer with the process that answers."""
    return os.getpid()


def environment(prompt: str) -> dict[str, str]:
    """Answer with the environment."""
    return dict(os.environ)


def fails(prompt: str) -> str:
    """Raise what the prompt says."""
    raise ValueError(prompt)


async def hold(prompt: str) -> str:
    """Say `NAME.begun`, wait for `NAME.release`, answer; say `NAME.cancelled` where cancelled."""
    Path(f"{prompt}.begun").write_text(str(os.getpid()))
    try:
        while not Path(f"{prompt}.release").exists():
            await asyncio.sleep(LOOK_EVERY_S)
    except asyncio.CancelledError:
        Path(f"{prompt}.cancelled").write_text("cancelled")
        raise
    return f"held {prompt}"


def hold_blocking(prompt: str) -> str:
    """The same, without a loop: `NAME.begun` says the incarnation."""
    Path(f"{prompt}.begun").write_text(os.environ["SYNAPSE_INCARNATION"])
    while not Path(f"{prompt}.release").exists():
        time.sleep(LOOK_EVERY_S)
    return f"held {prompt}"


async def count(prompt: str) -> AsyncIterator[str]:
    """Yield the numbers below the prompt's."""
    for number in range(int(prompt)):
        yield f"{number} "


async def endless(prompt: str, ctx: Context) -> None:
    """Stream kibibytes until cancelled; `PROMPT.sent` says how many have gone out."""
    sent = 0
    progress = Path(f"{prompt}.sent")
    while True:
        await ctx.emit("x" * 1024)
        sent += 1
        if sent % 64 == 0:
            progress.write_text(str(sent))


async def given(prompt: Any, ctx: Context) -> dict[str, Any]:
    """Answer with what the call brought."""
    return {"prompt": prompt, "deps": ctx.deps, "remaining": ctx.remaining}


async def report(prompt: str, ctx: Context) -> str:
    """Write a line to each place that an agent's words can go to."""
    ctx.log("warning", f"logged {prompt}", answer=42)
    print(f"printed {prompt}")
    os.write(2, f"wrote {prompt}\n".encode())
    return prompt


def leaves(prompt: str) -> str:
    """End the process with the prompt as its exit code."""
    os._exit(int(prompt))


def large(prompt: str) -> str:
    """As many letters as the prompt says; of a prompt that is no number, its length."""
    return "x" * int(prompt) if prompt.isdigit() else str(len(prompt))


def spin(prompt: str) -> str:
    """Keep the interpreter busy for ever."""
    while True:
        pass


def surroundings(prompt: str) -> dict[str, Any]:
    """Answer with what a process inherits."""
    return {"environment": dict(os.environ), "folder": os.getcwd(), "umask": os.umask(0o22)}


def chance(prompt: str) -> list[str]:
    """Answer with what should differ from process to process."""
    import random
    import tempfile
    import uuid

    name = tempfile.mktemp()
    return [str(random.random()), str(uuid.uuid4()), str(uuid.uuid1()), os.urandom(8).hex(), name]


def modules(prompt: str) -> list[str]:
    """Answer with what had been imported before this module was."""
    return sorted(_MODULES)
