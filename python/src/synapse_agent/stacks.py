"""Stacks on demand: a signal makes this process write where each of its Python threads stands.

The handler is faulthandler's, in C: it needs no lock of the interpreter, so it works while the
loop is blocked and while C code holds everything. It writes to a file in memory that has no name;
the runtime finds it through /proc, so that nothing of it passes the pipes or the log. This module
refuses to know who asks, and why.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from typing import Final

__all__ = ["listen"]

FILE: Final = "synapse-stacks"
BELOW_LAST_SIGNAL: Final = 2
"""The signal, counted from the last real-time one: no library is known to use it. The runtime's
`stacks.rs` has the same."""


def listen() -> None:
    """Take the signal and have the file ready. Each process for itself: a fork shares neither."""
    if sys.platform != "linux":
        return
    import fcntl

    file = os.memfd_create(FILE)
    # The runtime empties it after each reading: what comes then must begin at its beginning.
    fcntl.fcntl(file, fcntl.F_SETFL, os.O_APPEND)
    faulthandler.register(signal.SIGRTMAX - BELOW_LAST_SIGNAL, file, all_threads=True)
