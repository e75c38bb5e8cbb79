"""The loop's selector: tells the gate when the loop waits, and takes the pipe's data on the way.

Most turns of the loop bring data from the runtime and nothing else. Such a turn is served here, in
the selector, where asyncio would make an event of it, then a handle, then a call. This module
refuses to know frames and runs.
"""

from __future__ import annotations

import math
import selectors
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, Protocol, cast

from .sentinel import Gate

__all__ = ["LOOK_S", "GateSelector"]

LOOK_S: Final = 0.0005
"""Seconds after a look at the descriptors in which a loop that has work at hand does not look
again: a run of pydantic-ai takes some 25 turns of the loop, of a tenth of a millisecond each."""

EVENTS_MAX: Final = 256
"""Events that one wait takes; those beyond it come with the next."""

_EPOLLIN: Final = 0x001
_EPOLLOUT: Final = 0x004

Ready = list[tuple[selectors.SelectorKey, int]]


class Served(Protocol):
    """What the selector calls."""

    def turn(self) -> bool:
        """Write what was gathered; whether there is more to do at once."""
        ...

    def readable(self) -> None:
        """Take what the pipe has."""
        ...


class GateSelector(selectors.DefaultSelector):
    """A selector for one loop, whose pipe is the gate's."""

    def __init__(self, gate: Gate) -> None:
        """Tell the gate from the first turn on."""
        super().__init__()
        self._gate = gate
        self._served: Served | None = None
        self._look_at = 0.0
        # Linux's selector has its epoll object under this name; where there is none, asyncio's
        # own way is taken, which is only slower.
        epoll = getattr(self, "_selector", None)
        self._poll = cast("Callable[[float, int], Any] | None", getattr(epoll, "poll", None))
        if not isinstance(self, getattr(selectors, "EpollSelector", ())):
            self._poll = None

    def serve(self, served: Served) -> None:
        """Serve the pipe in this worker's name."""
        self._served = served

    def select(self, timeout: float | None = None) -> Ready:
        """Write what this turn gathered, then wait for the next."""
        gate, served = self._gate, self._served
        if timeout == 0 and served is not None and monotonic() < self._look_at:
            served.turn()
            return []
        gate.away = False
        if gate.taken:
            gate.reclaim()
        if served is None or self._poll is None:
            return self._select_slowly(timeout)
        if served.turn():
            timeout = 0
        events: list[tuple[int, int]] = []
        try:
            events = self._poll(_rounded_up(timeout), EVENTS_MAX)
        except InterruptedError:  # by a signal whose handler did not raise
            events = []
        self._look_at = monotonic() + LOOK_S
        gate.serial += 1  # as `gate.leave`, without a call
        gate.away = True
        if gate.asleep:
            gate.ring()
        if len(events) == 1 and events[0][0] == gate.inlet.descriptor:
            served.readable()
            return []
        return self._ready(events)

    def _select_slowly(self, timeout: float | None) -> Ready:
        if self._served is not None and self._served.turn():
            timeout = 0
        try:
            return super().select(timeout)
        finally:
            self._gate.leave()

    def _ready(self, events: list[tuple[int, int]]) -> Ready:
        """Events as the loop wants them; `EpollSelector.select` does the same."""
        keys = self.get_map()
        ready: Ready = []
        for descriptor, event in events:
            key = keys.get(descriptor)
            if key is None:
                continue
            mask = selectors.EVENT_WRITE if event & ~_EPOLLIN else 0
            mask |= selectors.EVENT_READ if event & ~_EPOLLOUT else 0
            if mask & key.events:
                ready.append((key, mask & key.events))
        return ready


def _rounded_up(timeout: float | None) -> float:
    """Seconds as epoll takes them: whole milliseconds, not less, so that no timer is early."""
    if timeout is None:
        return -1
    return math.ceil(timeout * 1e3) * 1e-3 if timeout > 0 else 0
