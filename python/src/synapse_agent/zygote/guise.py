"""What lists of processes show of a forked agent, written where the zygote's own command stood.

The kernel shows the memory in which a program was given its arguments and variables. Without this a
forked process would look like its zygote for ever, and what it leaves behind could not be told from
what another one left. This module refuses to know more of variables than how their names begin.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, Final

__all__ = ["Guise"]

_BOUNDS: Final = slice(45, 49)
"""Of the fields of /proc/self/stat behind the name: begin and end of arguments and environment."""
_TAG: Final = b"SYNAPSE_"
"""How the variables begin by which an agent's processes are known."""


class Guise:
    """The memory that /proc shows as command line and environment."""

    def __init__(self, arguments: Any, environment: Any, own: frozenset[bytes]) -> None:
        """Two writable buffers, and the variables that the process was started with."""
        self._arguments = arguments
        self._environment = environment
        self._own = own

    @classmethod
    def of_this_process(cls) -> Guise:
        """The memory of this process; its forks have it at the same place."""
        with open("/proc/self/stat", "rb") as stat:
            # The name is in parentheses and may hold anything.
            fields = stat.read().rpartition(b")")[2].split()
        begin, end, environment_begin, environment_end = map(int, fields[_BOUNDS])
        own = frozenset(name + b"=" + value for name, value in os.environb.items())
        return cls(_memory(begin, end), _memory(environment_begin, environment_end), own)

    def entitle(self, title: bytes) -> None:
        """Show this title; whose process it is has yet to be said."""
        _fill(self._arguments, title)

    def put_on(self, title: bytes, variables: list[bytes]) -> None:
        """Show this title, and of the variables those that tell whose process it is.

        Of the others only those that the zygote was given, too: no secret is among them.
        """
        self.entitle(title)
        tags = [variable for variable in variables if variable.startswith(_TAG)]
        tags.reverse()  # the one that counts comes last, and stands first
        known = [variable for variable in variables if variable in self._own]
        _fill(self._environment, b"\0".join(tags + known))

    def retitle(self, title: str) -> None:
        """Show another title from now on."""
        _fill(self._arguments, title.encode())


def _memory(begin: int, end: int) -> Any:
    return (ctypes.c_char * (end - begin)).from_address(begin)


def _fill(memory: Any, text: bytes) -> None:
    size = len(memory)
    memory.raw = text[: size - 1].ljust(size, b"\0")
