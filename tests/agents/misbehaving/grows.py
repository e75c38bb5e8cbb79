"""Takes more of the machine than it should, a step at a time, and never more than is safe.

"memory" takes it in steps of some mebibytes; "child memory" has a child take it that has left its
session and its parents. "files" opens one after the other; what that ends with is answered.
"processor" spins; "deaf processor" spins and will not be told that its time is over. "processes"
forks as many as it says, each in a session of its own; "daemons" has them leave their parents, too.
Where a limit stands before the bound of each, it is met; to be seen is which.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_BYTES = 4 * 1024 * 1024
MEMORY_BYTES_MAX = 400 * 1024 * 1024
FILES_MAX = 2000
SPIN_S = 60.0
PROCESSES_MAX = 60
LIVES_S = 60.0
"""So that what it was told to leave behind ends in any case."""


def answer(prompt: str) -> str:
    """Grow as the prompt says; what it has come to, where nothing stood in the way."""
    match prompt:
        case "memory":
            return take_memory()
        case "child memory":
            escape(take_memory)
            return "left"
        case "files":
            return open_files()
        case "processor":
            return spin()
        case "deaf processor":
            signal.signal(signal.SIGXCPU, signal.SIG_IGN)
            return spin()
        case "processes" | "daemons":
            for _ in range(PROCESSES_MAX):
                (escape if prompt == "daemons" else fork)(wait)
            wait()
            return "forked"
        case _:
            return prompt


def take_memory() -> str:
    """Take it, keep it, and write to it: what is never written to is no memory yet."""
    taken: list[bytearray] = []
    while len(taken) * STEP_BYTES < MEMORY_BYTES_MAX:
        taken.append(bytearray(os.urandom(1)) * STEP_BYTES)
        time.sleep(0.02)
    wait()
    return f"{len(taken)} steps"


def open_files() -> str:
    """Open and keep them."""
    opened: list[int] = []
    try:
        while len(opened) < FILES_MAX:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return f"{error.strerror} after {len(opened)}"
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return "all"


def spin() -> str:
    """Use the processor alone."""
    end = time.monotonic() + SPIN_S
    while time.monotonic() < end:
        pass
    return "spun"


def wait() -> None:
    """Live on for a while."""
    time.sleep(LIVES_S)


def fork(then: Callable[[], object]) -> None:
    """Have a child do it, in a session of its own."""
    if os.fork() == 0:
        os.setsid()
        be(then)


def escape(then: Callable[[], object]) -> None:
    """Have a process do it that has left its parents, too."""
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            be(then)
        os._exit(0)
    os.waitpid(child, 0)


def be(then: Callable[[], object]) -> NoReturn:
    """Do that and nothing else; never returns."""
    try:
        then()
    finally:
        os._exit(0)
