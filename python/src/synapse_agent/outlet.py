"""The way out: frames become bytes under one lock, so that none is torn by another thread's.

`Outlet` writes at once and blocks while the pipe is full, which is right where user code blocks
too; the loop's worker derives one that never blocks. This module refuses to know what frames mean.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from msgpack import Packer

from .frame import FRAME_BYTES_MAX, FrameTooLong, header
from .stdio import enlarge

__all__ = ["SMALL_BYTES", "Outlet"]

SMALL_BYTES: Final = 64 * 1024
"""Bodies up to this many bytes are joined with their length and written in one piece; larger ones
are written from the packer's own buffer, without a copy."""

LOCK_TIMEOUT_S: Final = 1.0
"""How long a pong waits for a writer that is stuck in a full pipe. It is then dropped: an agent
whose output does not move is to be seen as hung, and the sentinel must go on watching its input."""


class Outlet:
    """Writes frames to a descriptor that may block.

    The lock may be taken again by its own thread: a destructor that logs can run anywhere, also in
    the middle of a write. What it writes there comes after the frame that it interrupted.
    """

    __slots__ = (
        "_broken",
        "_enlarged",
        "_get_buffer",
        "_late",
        "_pack",
        "_reset",
        "_tearable",
        "descriptor",
        "lock",
    )

    def __init__(self, descriptor: int) -> None:
        """Own the write end of the pipe."""
        self.descriptor = descriptor
        self.lock = threading.RLock()
        packer = Packer(autoreset=False)
        self._pack = packer.pack
        self._get_buffer = packer.getbuffer
        self._reset = packer.reset
        self._enlarged = False
        self._broken = False
        self._tearable = False
        self._late = b""

    def send(self, frame: tuple[Any, ...], then: bytes = b"") -> None:
        """Write a frame, and bytes of another one that rides along, whole.

        Raises `FrameTooLong`, or what MessagePack says of a value that it cannot pack; nothing has
        been written then.
        """
        with self.lock:
            body = memoryview(b"")
            try:
                self._pack(frame)
                body = self._get_buffer()
                length = len(body)
                if length <= SMALL_BYTES:
                    self._put(header(length) + body + then)
                elif length <= FRAME_BYTES_MAX:
                    self._put_large(header(length), body, then)
                else:
                    raise FrameTooLong(f"{length} bytes, at most {FRAME_BYTES_MAX} are allowed")
            finally:
                body.release()  # the packer cannot be reset while a view of it is open
                self._reset()

    def send_if_free(self, frame: bytes) -> bool:
        """Write an encoded frame unless another writer is stuck."""
        if not self.lock.acquire(timeout=LOCK_TIMEOUT_S):
            return False
        try:
            if self._tearable:
                self._late += frame
            else:
                self._put(frame)
        finally:
            self.lock.release()
        return True

    def _put(self, data: bytes) -> None:
        """Write everything; called under the lock."""
        if self._broken:
            return
        try:
            written = os.write(self.descriptor, data)
            if written < len(data):
                self._put_rest(memoryview(data)[written:])
        except BaseException as error:
            self._failed(error)

    def _put_large(self, length: bytes, body: memoryview, then: bytes) -> None:
        if self._broken:
            return
        self._enlarge()
        try:
            self._tearable = True
            written = os.writev(self.descriptor, (length, body))
            with body[max(0, written - len(length)) :] as rest:
                self._put_rest(rest)
            self._put(then)
        except BaseException as error:
            self._failed(error)

    def _put_rest(self, rest: memoryview) -> None:
        """Write the rest of a frame, then what came in between."""
        self._tearable = True
        at = 0
        while at < len(rest):
            with rest[at:] as left:
                at += os.write(self.descriptor, left)
        self._tearable = False
        late, self._late = self._late, b""
        if late:
            self._put(late)

    def _enlarge(self) -> None:
        if not self._enlarged:
            self._enlarged = True
            enlarge(self.descriptor)

    def _failed(self, error: BaseException) -> None:
        """Nothing may follow a torn frame; a closed pipe means that the runtime is gone."""
        self._broken = True
        if isinstance(error, OSError):
            os._exit(0)
        raise error
