"""Leaves processes behind that want to be found by nobody.

Each has left its parents, its session and its group, has no descriptor of the agent's, and ignores
what can be ignored. What is answered are their numbers. "daemon" is one such; "bare" is one that
has executed another program with an empty environment; "family" is one with children that have done
the same; "restless" is one that always has a child go on in its place, so that its number is old
when it is read. To be seen: each is gone when its agent is; a bare one, which hides its tag, when
the node is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

LIVES_S = 300
"""All end then by themselves, so that a test that was cut off leaves nothing for ever."""
HOLD = f"import threading; threading.Event().wait({LIVES_S})"
CHILDREN = 3
DESCRIPTORS = 256
"""More than an agent has open."""
RESTLESS_S = 0.005
"""How long each of the restless lives."""


def answer(prompt: str) -> str:
    """Leave a process behind; the numbers of all that it consists of."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            escape(prompt, writing)
        finally:
            os._exit(1)
    os.close(writing)
    with open(reading) as numbers:
        return numbers.read().strip()


def escape(prompt: str, writing: int) -> None:
    """Become what the prompt says; never returns."""
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_IGN)
    numbers = [os.getpid()]
    if prompt == "family":
        numbers += [bear() for _ in range(CHILDREN)]
    os.write(writing, " ".join(map(str, numbers)).encode())
    os.closerange(0, DESCRIPTORS)
    if prompt == "bare":
        os.execve(sys.executable, [sys.executable, "-S", "-c", HOLD], {})
    end = time.monotonic() + LIVES_S
    while prompt == "restless" and time.monotonic() < end:
        time.sleep(RESTLESS_S)
        if os.fork():
            os._exit(0)
    time.sleep(max(0.0, end - time.monotonic()))
    os._exit(0)


def bear() -> int:
    """Make a child in a session of its own."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os.closerange(0, DESCRIPTORS)
        time.sleep(LIVES_S)
        os._exit(0)
    return child
