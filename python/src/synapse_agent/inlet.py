"""The way in: one read of the pipe, and the frames that it completed.

The end of the file and a violation end the process here, whichever thread meets them. This module
refuses to know what frames mean.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final, NoReturn

from .decoder import READ_BYTES, Decoder
from .direction import FROM_RUNTIME
from .frame import Violation
from .stdio import enlarge

__all__ = ["EXIT_PROTOCOL", "Inlet", "violated"]

EXIT_PROTOCOL: Final = 76
"""Exit code where the runtime broke the protocol (EX_PROTOCOL of sysexits)."""


class Inlet:
    """Reads frames from a descriptor. One thread at a time: `Gate` says which."""

    __slots__ = ("_decoder", "_enlarged", "_feed", "descriptor")

    def __init__(self, descriptor: int) -> None:
        """Own the read end of the pipe."""
        self.descriptor = descriptor
        self._decoder = Decoder(FROM_RUNTIME)
        self._feed = self._decoder.feed
        self._enlarged = False

    def read(self) -> list[Any]:
        """Read once, blocking if the descriptor does; never an empty read."""
        try:
            if self._decoder.large:
                return self._read_large()
            data = os.read(self.descriptor, READ_BYTES)
            if data:
                return self._feed(data)
        except Violation as violation:
            violated(violation)
        except BlockingIOError:
            return []
        _end_of_file()

    def _read_large(self) -> list[Any]:
        if not self._enlarged:
            self._enlarged = True
            enlarge(self.descriptor)
        target = self._decoder.target
        if target is None:
            return []
        count = os.readv(self.descriptor, [target])
        return self._decoder.filled(count) if count else _end_of_file()


def _end_of_file() -> NoReturn:
    """The runtime is gone, and with it every reason to go on; exit handlers might wait for it."""
    os._exit(0)


def violated(violation: Violation) -> NoReturn:
    """The runtime broke the protocol: nothing that it says later can be trusted."""
    sys.stderr.write(f"synapse_agent: protocol violation by the runtime: {violation}\n")
    sys.stderr.flush()
    os._exit(EXIT_PROTOCOL)
