"""The zygote's process: `python -P -m synapse_agent.zygote`, its socket on fd 0.

Warms up, says so, forks until the runtime closes the socket. In a forked process it serves an
incarnation as `python -m synapse_agent` does. It refuses to know more.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Final

from ..incarnation import serve
from ..stdio import write_whole_lines
from .birth import bear, become
from .fitness import Unfit
from .guise import Guise
from .warming import Warmth, warm_up

REQUEST_BYTES_MAX: Final = 64 * 1024
"""What to warm up with is a few names."""


def main() -> int:
    """Serve the runtime or, in a forked process, an incarnation; the exit code."""
    runtime = os.getppid()
    guise = Guise.of_this_process()
    own = _claim_socket()
    warmth = _warm_up(own)
    newborn = warmth and bear(own, runtime)
    if not warmth or not newborn:
        return 0
    own.close()
    return serve(become(newborn, guise, warmth.rehearse), guise.retitle)


def _claim_socket() -> socket.socket:
    """Move it away from fd 0: nothing that is imported shall read or write it."""
    own = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    write_whole_lines()
    return own


def _warm_up(own: socket.socket) -> Warmth | None:
    """Warm up with what is asked for, and say so; None where there is nothing to fork then."""
    request = own.recv(REQUEST_BYTES_MAX)
    if not request:
        return None
    try:
        warmth = warm_up(request.decode(), own.fileno())
    except Unfit as unfit:
        own.send(str(unfit).encode())
        return None
    own.send("\n".join(["ready", *warmth.failures]).encode())
    return warmth


if __name__ == "__main__":
    sys.exit(main())
