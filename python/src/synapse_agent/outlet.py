"""The way out: frames become bytes under one lock, so that none is torn by another thread's.

`Outlet` writes at once and blocks while the pipe is full, which is right where user code blocks
too; the loop's worker derives one that never blocks. This module refuses to know what frames mean.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from msgpack import Packer

from .frame import VALUES_MAX, check_large, header
from .stdio import enlarge

__all__ = ["LOCK_TIMEOUT_S", "Outlet", "is_large"]

LARGE_CHARS: Final = 64 * 1024
"""Characters of a text from which its frame is written from the packer's own buffer, without a
copy; below, joining it with its length and writing once costs less."""

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
        "_late",
        "_pack",
        "_tearable",
        "descriptor",
        "lock",
    )

    def __init__(self, descriptor: int) -> None:
        """Own the write end of the pipe."""
        self.descriptor = descriptor
        self.lock = threading.RLock()
        self._pack = Packer().pack
        self._enlarged = False
        self._broken = False
        self._tearable = False
        self._late = b""

    def send(self, frame: tuple[Any, ...], then: bytes = b"") -> None:
        """Write a frame, and bytes of another one that rides along, whole.

        Raises `FrameTooLong`, or what MessagePack says of a value that it cannot pack; nothing has
        been written then.
        """
        lock = self.lock
        lock.acquire()  # `with` costs three times as much, which is a fiftieth of a short call
        try:
            text = frame[2] if len(frame) > 2 else None  # as `is_large`, without a call
            if type(text) is str and len(text) > LARGE_CHARS:
                self._send_large(frame, then)
                return
            body = self._pack(frame)
            length = len(body)
            if length > VALUES_MAX:
                check_large(frame, length)
            self._put(header(length) + body + then)
        finally:
            lock.release()

    def _send_large(self, frame: tuple[Any, ...], then: bytes) -> None:
        """Write a frame from the packer's own buffer."""
        # Made as large as a text of ASCII needs: growing would copy what is packed so far.
        packer = Packer(autoreset=False, buf_size=len(frame[2]) + LARGE_CHARS)
        packer.pack(frame)
        with packer.getbuffer() as body:
            if len(body) > VALUES_MAX:
                check_large(frame, len(body))
            self._put_large(header(len(body)), body, then)

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
            if then:
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


def is_large(frame: tuple[Any, ...]) -> bool:
    """Whether a frame's first field is a long text, as the output of most large results is."""
    value = frame[2] if len(frame) > 2 else None
    return type(value) is str and len(value) > LARGE_CHARS
