"""The sentinel: a thread that reads the pipe while the thread that runs user code is away from it.

The thread that runs user code reads the pipe; a second reader in front of it would cost a wake-up
per call. So the sentinel only looks whether that thread has been away for longer than a tick. Then
it takes the pipe over, answers pings, takes cancels, ends the process at the end of file, keeps the
rest for later, and gives the pipe back. While nothing runs it sleeps on a lock: an idle agent wakes
nobody.

The hand-over is Dekker's: each side first says what it does, then looks at what the other said, so
at least one of them sees the other. This module refuses to know what runs are.
"""

from __future__ import annotations

import os
import resource
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from .frame import Cancel, Ping, encode
from .inlet import Inlet
from .outlet import Outlet

__all__ = ["LOOP_TICK_S", "TICK_S", "Gate", "resident_bytes"]

TICK_S: Final = 0.004
"""Seconds between two looks at a thread that runs user code: a cancel reaches blocking code in
about two ticks, and the looks cost a busy agent less than half a per cent."""

LOOP_TICK_S: Final = 0.02
"""The same for a loop, which is at the pipe itself between the steps of its tasks: only code that
blocks the loop has need of the sentinel, and a run of some milliseconds is seldom looked at."""

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Gate:
    """Says which thread reads the pipe.

    The owner calls `leave` before user code and `back` after it; everything else is the sentinel's.
    """

    __slots__ = (
        "_bell",
        "_handover",
        "_wake_read",
        "_wake_write",
        "asleep",
        "away",
        "inlet",
        "on_takeover",
        "outlet",
        "pending",
        "seen_at",
        "seen_steps",
        "serial",
        "steps",
        "take_cancel",
        "taken",
        "tick_s",
    )  # fmt: skip

    def __init__(
        self,
        inlet: Inlet,
        outlet: Outlet,
        take_cancel: Callable[[Cancel], bool],
    ) -> None:
        """Begin with the owner at the pipe; `take_cancel` says whether it knew the run."""
        self.inlet = inlet
        self.outlet = outlet
        self.take_cancel = take_cancel
        self.pending: deque[Any] = deque()
        """Frames that the sentinel read and the owner has yet to take, in order."""
        self.tick_s = TICK_S
        """Seconds between two looks of the sentinel."""
        self.serial = 0
        self.steps = 0
        """Counts signs of life within one absence (chunks written), for the lag."""
        self.away = False
        self.taken = False
        self.asleep = False
        self.seen_at = 0.0
        self.seen_steps = 0
        self.on_takeover: Callable[[], None] | None = None
        """Writes what the owner holds back."""
        self._bell = threading.Lock()
        self._bell.acquire()
        self._handover = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()

    def start(self) -> None:
        """Start the sentinel's thread."""
        threading.Thread(target=self._watch, name="synapse-sentinel", daemon=True).start()

    def leave(self) -> None:
        """The owner goes to run user code."""
        self.serial += 1
        self.away = True
        if self.asleep:
            self.ring()

    def ring(self) -> None:
        """Wake the sentinel; a second ring in a row is none."""
        self.asleep = False
        try:
            self._bell.release()
        except RuntimeError:
            return

    def back(self) -> None:
        """The owner is at the pipe again; frames in `pending` come first."""
        self.away = False
        if self.taken:
            self.reclaim()

    def reclaim(self) -> None:
        """Interrupt the sentinel and wait until it has given the pipe back."""
        os.write(self._wake_write, b"\0")
        with self._handover:
            return

    def _watch(self) -> None:
        while True:
            self.asleep = True
            if not self.away:
                self._bell.acquire()
            self.asleep = False
            self._watch_busy()

    def _watch_busy(self) -> None:
        """Look at each tick until nothing has happened in one."""
        while True:
            serial = self.serial
            time.sleep(self.tick_s)
            if self.serial == serial:
                if not self.away:
                    return
                self._take_over(serial)

    def _take_over(self, serial: int) -> None:
        with self._handover:
            self.taken = True
            try:
                if self.away and self.serial == serial:
                    self._serve(serial)
            finally:
                self.taken = False

    def _serve(self, serial: int) -> None:
        """Read in the owner's stead until it is back."""
        self.seen_at = time.monotonic() - self.tick_s
        self.seen_steps = self.steps
        if self.on_takeover is not None:
            self.on_takeover()
        poller = select.poll()
        poller.register(self.inlet.descriptor, select.POLLIN)
        poller.register(self._wake_read, select.POLLIN)
        while self.away and self.serial == serial:
            for descriptor, _events in poller.poll():
                if descriptor == self._wake_read:
                    os.read(self._wake_read, 512)
                else:
                    for frame in self.inlet.read():
                        self.take(frame)

    def take(self, frame: Any) -> None:
        """Serve a frame in the owner's stead, or keep it for the owner."""
        if isinstance(frame, Ping):
            self.outlet.send_if_free(encode((73, 0, frame.nonce, self._lag_us(), resident_bytes())))
        elif isinstance(frame, Cancel) and self.take_cancel(frame):
            return
        else:
            self.pending.append(frame)

    def _lag_us(self) -> int:
        """How long the owner has been away without a sign of life, in microseconds."""
        now = time.monotonic()
        if self.steps != self.seen_steps:
            self.seen_steps = self.steps
            self.seen_at = now
        return int((now - self.seen_at) * 1_000_000)


def resident_bytes() -> int:
    """The process's resident size, in bytes; its peak where /proc cannot be read."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
