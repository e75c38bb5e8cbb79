"""Dies in the way that the prompt names, while another run may be under way.

`segfault`: C code writes to address 0, by ctypes. `abort`: the process aborts itself. `exit`: its
code exits with 3. `thread`: a thread raises, and a hook ends the process with 4, as programs that
must not go on without a thread do. `garbage`: bytes that are no frame. Anything else is streamed in
words until the process dies. To be seen: a dossier that says which it was, to somebody who was not
there.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import threading
from collections.abc import AsyncGenerator
from typing import NoReturn

from synapse_agent.stdio import claimed


async def answer(prompt: str) -> AsyncGenerator[str]:
    """Stream words, or die."""
    sys.stderr.write(f"about to: {prompt}\n")
    if prompt == "segfault":
        ctypes.memset(0, 1, 1)
    elif prompt == "abort":
        os.abort()
    elif prompt == "exit":
        leave(3)
    elif prompt == "thread":
        threading.excepthook = end_with_it
        threading.Thread(target=fail).start()
    elif prompt == "garbage":
        os.write(claimed().write, b"\xff" * 64)
    for number in range(10_000):
        yield f"word {number} "
        await asyncio.sleep(0.01)


def leave(code: int) -> NoReturn:
    """Exit at once: `sys.exit` in a run is a fault of that run, and no end of the process."""
    try:
        raise ValueError("a reason to leave")
    except ValueError:
        sys.excepthook(*sys.exc_info())
    os._exit(code)


def fail() -> NoReturn:
    """Raise what nobody catches."""
    raise KeyError("of a thread")


def end_with_it(failure: threading.ExceptHookArgs) -> NoReturn:
    """Print it as Python does, and end."""
    threading.__excepthook__(failure)
    os._exit(4)
