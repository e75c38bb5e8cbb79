"""The way out of the loop's worker: frames are gathered and written once per turn of the loop.

Nothing waits longer than that turn: the first chunk of a stream and whatever follows a pause is
written at once, and the sentinel writes what a blocked loop holds back. A full pipe never blocks
the loop; the rest is written when there is room. This module refuses to know what frames mean.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, Final

from .frame import VALUES_MAX, check_large, header
from .outlet import LOCK_TIMEOUT_S, Outlet, is_large

__all__ = ["LoopOutlet"]

GATHER_BYTES: Final = 32 * 1024
"""Bytes that are gathered at most before a write: half a pipe, so that the reader can begin."""

GATHER_S: Final = 0.0005
"""Seconds after a write from which the next chunk is written at once: code that neither blocks nor
awaits emits within microseconds, anything slower must not be held back."""

BACKLOG_BYTES_MAX: Final = 1024 * 1024
"""Bytes that may wait for room in the pipe before streams are made to wait, too. Results pass: they
are bounded by the agent's slots."""


class LoopOutlet(Outlet):
    """Writes frames to a descriptor that must not block."""

    __slots__ = ("_buffer", "_drained", "_loop", "_wrote_at", "blocked")

    def __init__(self, descriptor: int, loop: asyncio.AbstractEventLoop) -> None:
        """Own the write end of the pipe; the loop is the one that will flush."""
        super().__init__(descriptor)
        self._loop = loop
        self._buffer = bytearray()
        self._wrote_at = 0.0
        self._drained: asyncio.Future[None] | None = None
        self.blocked = False
        """Whether the pipe is full and the loop waits for room."""

    def send(self, frame: tuple[Any, ...], then: bytes = b"") -> None:
        """Gather a frame; `flush` writes it. Raises as `Outlet.send` does."""
        lock = self.lock
        lock.acquire()  # rather than `with`, as in `Outlet.send`
        try:
            if is_large(frame) and not self.blocked:
                self._send_large(frame, then)
                return
            body = self._pack(frame)
            length = len(body)
            if length > VALUES_MAX:
                check_large(frame, length)
            self._buffer += header(length) + body + then
        finally:
            lock.release()

    def send_chunk(self, frame: tuple[Any, ...]) -> None:
        """Gather a chunk, or write it at once where gathering would hold it back."""
        self.send(frame)
        if len(self._buffer) >= GATHER_BYTES or time.monotonic() - self._wrote_at > GATHER_S:
            self.flush()

    def send_if_free(self, frame: bytes) -> bool:
        """Write an encoded frame from another thread than the loop's."""
        if not self.lock.acquire(timeout=LOCK_TIMEOUT_S):
            return False
        try:
            if self._tearable:
                self._late += frame
                return True
            self._buffer += frame
        finally:
            self.lock.release()
        self.flush()
        return True

    def flush(self) -> None:
        """Write what was gathered, as much as the pipe takes. From any thread."""
        if not self._buffer or self.blocked:
            return
        lock = self.lock
        lock.acquire()
        try:
            self._write()
        finally:
            lock.release()
        if self.blocked:
            self._loop.call_soon_threadsafe(self._await_room)

    @property
    def backlogged(self) -> bool:
        """Whether streams should wait for room."""
        return self.blocked and len(self._buffer) > BACKLOG_BYTES_MAX

    async def room(self) -> None:
        """Wait until the pipe has taken what waits."""
        if self._drained is None:
            self._drained = self._loop.create_future()
        await asyncio.shield(self._drained)

    def finish(self) -> None:
        """Write the rest before the end, blocking."""
        os.set_blocking(self.descriptor, True)
        with self.lock:
            while self._buffer:
                self._write()

    def _write(self) -> None:
        """One write; called under the lock."""
        buffer = self._buffer
        try:
            written = os.write(self.descriptor, buffer)
        except BlockingIOError:
            written = 0
        except OSError:  # the pipe is closed: the runtime is gone
            os._exit(0)
        self._wrote_at = time.monotonic()
        self.blocked = written < len(buffer)
        if self.blocked:
            del buffer[:written]
        else:
            self._buffer = bytearray()

    def _put_large(self, length: bytes, body: memoryview, then: bytes) -> None:
        """Write a large frame from the packer's buffer; only what the pipe refuses is copied."""
        self._enlarge()
        while self._buffer and not self.blocked:
            self._write()
        self._tearable = True
        written = 0
        if not self.blocked:
            try:
                written = os.writev(self.descriptor, (length, body))
            except BlockingIOError:
                written = 0
        with body[max(0, written - len(length)) :] as rest:
            self._buffer += length[written:] + rest + then + self._late
        self._late = b""
        self._tearable = False

    def _await_room(self) -> None:
        self._loop.add_writer(self.descriptor, self._has_room)

    def _has_room(self) -> None:
        with self.lock:
            self._write()
        if self.blocked:
            return
        self._loop.remove_writer(self.descriptor)
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None
