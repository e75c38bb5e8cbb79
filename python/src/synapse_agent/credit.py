"""The credit of one stream: how many chunks may still be sent, and which number is next.

This module refuses to know what a chunk carries, and how a sender waits.
"""

from __future__ import annotations

from typing import Final

__all__ = ["NO_CREDIT", "StreamCredit"]

NO_CREDIT: Final = -1


class StreamCredit:
    """One chunk spends one credit; sequence numbers count from 0."""

    __slots__ = ("left", "seq")

    def __init__(self, granted: int) -> None:
        """Begin with what the call granted."""
        self.left = granted
        self.seq = 0

    def take(self) -> int:
        """Spend one credit: the chunk's number, or `NO_CREDIT`."""
        if self.left <= 0:
            return NO_CREDIT
        self.left -= 1
        seq = self.seq
        self.seq = seq + 1
        return seq

    def give_back(self) -> None:
        """Take back the last `take`: its chunk was not sent."""
        self.left += 1
        self.seq -= 1

    def grant(self, chunks: int) -> None:
        """Add what a credit frame brought."""
        self.left += chunks
