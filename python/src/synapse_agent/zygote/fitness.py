"""Whether this process may be forked: with one thread and no socket but its own.

A lock that another thread holds at the fork stays locked in the child for ever, and a socket would
be shared by all children. This module refuses to know who opened them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

__all__ = ["Unfit", "unfitness"]


class Unfit(Exception):
    """Why a process may not be forked."""


def unfitness(*allowed: int) -> str | None:
    """Why it may not be forked; None where it may. `allowed` are the sockets of its own."""
    threads = os.listdir("/proc/self/task")
    if len(threads) > 1:
        names = ", ".join(sorted(_name(thread) for thread in threads))
        return f"{len(threads)} threads run in it ({names}), and a fork would copy only one"
    sockets = [number for number in _sockets() if number not in allowed]
    if sockets:
        return f"{len(sockets)} sockets are open in it, which all its forks would share"
    return None


def _name(thread: str) -> str:
    try:
        with open(f"/proc/self/task/{thread}/comm") as comm:
            return comm.read().strip()
    except OSError:  # it has ended meanwhile
        return "?"


def _sockets() -> Iterator[int]:
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{number}").startswith("socket:"):
                yield int(number)
        except OSError:  # the folder's own descriptor
            continue
