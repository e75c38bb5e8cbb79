"""Bytes in, frames out: where a frame ends, however the bytes were cut.

A body longer than one read gets a buffer of its own that the pipe is read into directly, so that a
large payload is copied once, by MessagePack. This module refuses to know descriptors, and which
frame may come when.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

from .direction import Direction
from .frame import FRAME_BYTES_MAX, HEADER_BYTES, Violation

__all__ = ["READ_BYTES", "Decoder"]

KEPT_BYTES_MAX: Final = 1024 * 1024
"""A buffer for a large body is kept for the next one up to this size: fresh memory costs more than
the read that fills it."""

READ_BYTES: Final = 64 * 1024
"""Bytes that one read asks the pipe for: what a Linux pipe holds by default."""

_length_at = Struct(">I").unpack_from


class Decoder:
    """Splits a stream of bytes into the frames of one direction."""

    __slots__ = ("_body", "_decode", "_filled", "_kept", "_rest", "large")

    def __init__(self, direction: Direction) -> None:
        """Expect the first byte of a frame."""
        self._decode = direction.decode
        self._rest = b""
        self._body: memoryview | None = None
        self._kept = bytearray()
        self._filled = 0
        self.large = False
        """Whether a large body is being read, which `target` is for."""

    def feed(self, data: bytes) -> list[Any]:
        """The frames that these bytes complete; raises `Violation`."""
        if self.large:
            return self._feed_body(data)
        if self._rest:
            data = self._rest + data
            self._rest = b""
        start, end = 0, len(data)
        if end > HEADER_BYTES and _length_at(data)[0] == end - HEADER_BYTES <= READ_BYTES:
            return [self._decode(data[HEADER_BYTES:])]  # one whole frame, as most reads bring
        view = memoryview(data)
        frames: list[Any] = []
        while end - start >= HEADER_BYTES:
            length: int = _length_at(data, start)[0]
            stop = start + HEADER_BYTES + length
            if stop > end:
                if length > FRAME_BYTES_MAX:
                    raise _too_long(length)
                if length > READ_BYTES:
                    self._begin_body(length, view[start + HEADER_BYTES :])
                    return frames
                break
            frames.append(self._decode(view[start + HEADER_BYTES : stop]))
            start = stop
        if start < end:
            self._rest = data[start:]
        return frames

    @property
    def target(self) -> memoryview | None:
        """Where the rest of a large body is to be read into, if one is being read."""
        return None if self._body is None else self._body[self._filled :]

    def filled(self, count: int) -> list[Any]:
        """Say that `target` got `count` bytes; the frame, if that was all of it."""
        if self._body is None:
            return []
        self._filled += count
        if self._filled < len(self._body):
            return []
        body, self._body = self._body, None
        self.large = False
        if len(self._kept) > KEPT_BYTES_MAX:
            self._kept = bytearray()
        return [self._decode(body)]

    @property
    def torn(self) -> bool:
        """Whether an end of file here would be inside a frame."""
        return bool(self._rest) or self._body is not None

    def _begin_body(self, length: int, have: memoryview) -> None:
        if length > len(self._kept):
            self._kept = bytearray(length)
        self._body = memoryview(self._kept)[:length]
        self.large = True
        self._body[: len(have)] = have
        self._filled = len(have)

    def _feed_body(self, data: bytes) -> list[Any]:
        target = self.target
        if target is None or len(data) <= len(target):
            if target is not None:
                target[: len(data)] = data
            return self.filled(len(data))
        target[:] = data[: len(target)]
        return self.filled(len(target)) + self.feed(data[len(target) :])


def _too_long(length: int) -> Violation:
    return Violation(
        "frame_too_long", f"a frame of {length} bytes, at most {FRAME_BYTES_MAX} are allowed"
    )
