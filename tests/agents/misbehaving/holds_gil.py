"""Deadlocks in C code that holds the interpreter's lock: no Python thread runs any more.

To be seen: neither frame, end of file nor SIGTERM is heard; a stop ends in SIGKILL at the shutdown
time; the death of the runtime ends it all the same, by the parent-death signal.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

MUTEX_BYTES = 256
"""More than a pthread_mutex_t takes anywhere."""


def answer(prompt: str) -> str:
    """Take a mutex twice."""
    sys.stderr.write("holding\n")
    library = ctypes.PyDLL(None)
    mutex = ctypes.create_string_buffer(MUTEX_BYTES)
    library.pthread_mutex_init(mutex, None)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)
    return prompt


def until_opened(prompt: str) -> str:
    """Say `NAME.begun`, then hold the interpreter until somebody writes to the pipe `NAME.fifo`."""
    os.mkfifo(f"{prompt}.fifo")
    Path(f"{prompt}.begun").write_text("begun")
    ctypes.PyDLL(None).open(f"{prompt}.fifo".encode(), os.O_RDONLY)
    return f"opened {prompt}"
