"""Does to itself whatever a call asks for, in the middle of the call.

A prompt is `NUMBER DEED`; the number is written to `AGENT.began` before the deed, so that a test
can count what was run, how often and in which order. The entries are `answer` (a plain function),
`shared` (a coroutine, many at once) and `told` (a stream). To be seen: each call has one outcome,
whatever the deed; the next call is answered by the next incarnation.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable

from escapes import answer as escape
from holds_gil import answer as hold_lock

from synapse_agent.stdio import claimed

FOREVER_S = 3600.0
FLOOD = (b"x" * 127 + b"\n") * 4096
PIECES = 20
PIECE_PAUSE_S = 0.001


def corrupt() -> None:
    """Write what is no frame into the protocol's pipe."""
    body = b"this is no frame"
    os.write(claimed().write, len(body).to_bytes(4, "big") + body)


def fail() -> None:
    """Raise."""
    raise ValueError("asked to")


DEEDS: dict[str, Callable[[], object]] = {
    "answer": lambda: None,
    "wait": lambda: time.sleep(0.003),
    "raise": fail,
    "leave": lambda: os._exit(3),
    "exit": lambda: sys.exit(4),
    "abort": os.abort,
    "fault": lambda: ctypes.string_at(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "corrupt": corrupt,
    "close": lambda: os.close(claimed().write),
    "flood": lambda: os.write(2, FLOOD),
    "hang": lambda: time.sleep(FOREVER_S),
    "lock": lambda: hold_lock(""),
    "escape": lambda: escape("family"),
}


def begin(prompt: str) -> tuple[str, str]:
    """Note the call as begun; its number and its deed."""
    number, deed = prompt.split()
    name = os.environ["SYNAPSE_AGENT"]
    file = os.open(f"{name}.began", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{number}\n".encode())
    os.close(file)
    return number, deed


def answer(prompt: str) -> str:
    """Do it; answer with the number."""
    number, deed = begin(prompt)
    DEEDS[deed]()
    return number


async def shared(prompt: str) -> str:
    """The same among others."""
    number, deed = begin(prompt)
    await asyncio.sleep(PIECE_PAUSE_S)
    DEEDS[deed]()
    return number


async def told(prompt: str) -> AsyncIterator[str]:
    """The same in the middle of a stream of the number."""
    number, deed = begin(prompt)
    for piece in range(PIECES):
        yield f"{number} "
        await asyncio.sleep(PIECE_PAUSE_S)
        if piece == PIECES // 2:
            DEEDS[deed]()
