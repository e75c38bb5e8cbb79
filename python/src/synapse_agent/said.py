"""The text that a function has streamed: its output, where it returns nothing else.

This module refuses to know runs and how text is sent.
"""

from __future__ import annotations

from .frame import FRAME_BYTES_MAX
from .program import Fault

__all__ = ["Said"]


class Said:
    """The pieces so far, kept as long as they may be an output together."""

    __slots__ = ("_length", "_pieces", "begun")

    def __init__(self) -> None:
        """Nothing yet."""
        self._pieces: list[str] = []
        self._length = 0
        self.begun = False
        """Whether there was a piece, if only an empty one."""

    def add(self, piece: str) -> bool:
        """Keep a piece. False where the text has become too long to be an output, and is let go."""
        self.begun = True
        if not piece:
            return True
        self._length += len(piece)
        if self._length > FRAME_BYTES_MAX:
            self._pieces.clear()
            return False
        self._pieces.append(piece)
        return True

    def text(self) -> str:
        """All of it, as an output; raises where it is too long for one."""
        if self._length > FRAME_BYTES_MAX:
            message = f"the stream's text is longer than a result may be ({FRAME_BYTES_MAX} bytes)"
            raise Fault("runtime", "output_too_large", message)
        return "".join(self._pieces)
