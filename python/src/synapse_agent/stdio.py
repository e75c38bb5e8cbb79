"""The private descriptors: where the protocol is spoken once fds 0 and 1 belong to the user's code.

After `claim`, no print, C library or subprocess can put a byte between two frames: fd 0 is
/dev/null, fd 1 is stderr, and the pipes are on descriptors that no child inherits. This module
refuses to know frames.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from io import TextIOWrapper
from typing import Final, NamedTuple

__all__ = ["LARGE_PIPE_BYTES", "Pipes", "claim", "claimed", "enlarge", "write_whole_lines"]

LARGE_PIPE_BYTES: Final = 1024 * 1024
"""Bytes that a pipe is enlarged to once a large frame passes: halves its time. Linux only, and
not beyond what the kernel grants a user without privileges."""

_SET_PIPE_SIZE: Final = 1031  # F_SETPIPE_SZ; the fcntl module has it as a name on Linux only


class Pipes(NamedTuple):
    """The two ends that the worker owns."""

    read: int
    write: int


_pipes: Pipes | None = None


def claim() -> Pipes:
    """Move the protocol away from fds 0 and 1. The first thing that a worker does."""
    global _pipes
    if _pipes is not None:
        return _pipes
    # Duplicates above 2 are close-on-exec by PEP 446, so that no grandchild can hold the pipes.
    pipes = Pipes(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    write_whole_lines()
    # What C code does to the interpreter leaves no traceback: its last act is to say where it was.
    faulthandler.enable(2)
    _pipes = pipes
    return pipes


def write_whole_lines() -> None:
    """The runtime reads stderr by lines, and they must not interleave. Done in a zygote, it is done
    in its forks.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and not (
            stream.line_buffering and stream.errors == "backslashreplace"
        ):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


def claimed() -> Pipes:
    """The private descriptors, for code that replaces the worker (tests of misbehaviour)."""
    if _pipes is None:
        raise RuntimeError("the descriptors have not been claimed: this is no agent process")
    return _pipes


def enlarge(descriptor: int) -> None:
    """Ask for a larger pipe; a refusal costs time, not correctness."""
    if sys.platform != "linux":
        return
    import fcntl

    try:
        if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < LARGE_PIPE_BYTES:
            fcntl.fcntl(descriptor, _SET_PIPE_SIZE, LARGE_PIPE_BYTES)
    except OSError:
        return
