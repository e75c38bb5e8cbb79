"""The agent's side of the conversation: frames in, state changed, frames out; no descriptor.

Handshake, runs by id, cancel, stop. A worker feeds it what came, takes runs from `waiting`, and
writes the frames that it gets. This module refuses to know bytes, threads and programs.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

from . import __version__
from .frame import (
    PROTOCOL_VERSIONS,
    Call,
    Cancel,
    Credit,
    FaultFrame,
    Hello,
    OutputVerdict,
    Ready,
    Stop,
    ToolResult,
    Violation,
    Welcome,
)
from .program import Fault, Manifest, Outcome
from .run import Run

__all__ = ["Session", "fault_frame", "hello"]

R = TypeVar("R", bound=Run)
State = Literal["greeting", "loading", "serving", "stopping"]

_STATE_PHRASES: dict[State, str] = {
    "greeting": "before welcome",
    "loading": "before ready",
    "serving": "after ready",
    "stopping": "after stop",
}


def hello(sources: dict[str, int] | None = None) -> Hello:
    """The first frame of an agent; a spare says what it has imported."""
    version = sys.version_info
    python = f"{version.major}.{version.minor}.{version.micro}"
    return Hello(
        65,
        0,
        list(PROTOCOL_VERSIONS),
        f"synapse-agent {__version__}",
        python,
        os.getpid(),
        sources,
    )


def fault_frame(run: int, fault: Fault) -> FaultFrame:
    """A fault as the frame that ends a run."""
    return FaultFrame(
        72, run, fault.origin, fault.code, fault.message, fault.retryable, fault.details,
        fault.new_messages, fault.message_count, fault.usage,
    )  # fmt: skip


class Session(Generic[R]):
    """The state of one incarnation's conversation."""

    def __init__(self, make_run: Callable[[], R]) -> None:
        """Expect `welcome`; runs are of the worker's own kind, which is set once it is known."""
        self.state: State = "greeting"
        self.welcome: Welcome | None = None
        self.runs: dict[int, R] = {}
        self.waiting: deque[R] = deque()
        """Calls that have not begun, in order; the runtime bounds them by slots and prefetch."""
        self.stop_ms: int | None = None
        self.make_run = make_run

    @property
    def stopping(self) -> bool:
        """Whether `stop` has come."""
        return self.state == "stopping"

    @property
    def drained(self) -> bool:
        """Whether `stop` has come and no run is left."""
        return self.state == "stopping" and not self.runs

    def receive(self, frame: Any) -> Any:
        """Take a frame. Returns the ping that wants a pong, a fault frame to send, or None."""
        kind = frame[0]
        if kind == 2:
            if self.state != "serving":
                return self._late_call(frame)
            number = frame[1]
            if number in self.runs or not number:
                raise Violation("unexpected_frame", f"`call` for run {number}, which is open")
            run = self.runs[number] = self.make_run()
            run.begin(frame)
            self.waiting.append(run)
            return None
        if kind == 1:
            return self._welcome(frame)
        if self.state == "greeting":
            raise self._unexpected(frame)
        if kind == 7:
            return frame
        if kind == 8:
            return self._stop(frame)
        if self.state == "loading":
            raise self._unexpected(frame)
        return self._about_run(frame)

    def ready(self, manifest: Manifest, loaded_ms: int) -> Ready:
        """The program is loaded; calls may come."""
        if self.state == "loading":
            self.state = "serving"
        return Ready(66, 0, manifest.to_wire(loaded_ms))

    def cancel(self, frame: Cancel) -> bool:
        """Cancel a run if it is known; from any thread."""
        run = self.runs.get(frame.run)
        if run is None:
            return False
        run.cancel(frame.reason)
        return True

    def finished(self, run: R, outcome: Outcome | str) -> tuple[Any, ...]:
        """The frame that ends a run that returned; cancelled runs end as cancelled."""
        if run.cancel_reason is not None:
            return self.failed(run, run.cancelled_fault(outcome))
        number = run.run
        del self.runs[number]
        # A `Result`, at a fifth of its price.
        if type(outcome) is str:
            return (71, number, outcome, None, 0)
        return (71, number, *outcome)

    def failed(self, run: R, fault: Fault) -> FaultFrame:
        """The frame that ends a run that raised."""
        del self.runs[run.run]
        return fault_frame(run.run, fault)

    def _welcome(self, frame: Welcome) -> None:
        if self.state != "greeting":
            raise self._unexpected(frame)
        if frame.version not in PROTOCOL_VERSIONS:
            raise Violation(
                "version_unsupported",
                f"the runtime chose version {frame.version} of the protocol, "
                f"this SDK speaks {list(PROTOCOL_VERSIONS)}",
            )
        self.welcome = frame
        self.state = "loading"

    def _late_call(self, frame: Call) -> FaultFrame:
        """A call after `stop` is answered; one before `ready` is no call at all."""
        if self.state != "stopping":
            raise self._unexpected(frame)
        stopped = Fault("agent", "agent_stopped", "the agent is stopping", retryable=True)
        return fault_frame(frame.run, stopped)

    def _stop(self, frame: Stop) -> None:
        self.state = "stopping"
        self.stop_ms = frame.deadline_ms

    def _about_run(self, frame: Any) -> None:
        """A frame for a run that has just ended is no mistake: the two ends have crossed."""
        run = self.runs.get(frame[1])
        if run is None:
            return
        match frame:
            case Cancel():
                run.cancel(frame.reason)
            case Credit():
                run.grant(frame.chunks)
            case ToolResult():
                run.answer(frame.call, frame)
            case OutputVerdict():
                run.answer(frame.check, frame)
            case _:
                raise self._unexpected(frame)

    def _unexpected(self, frame: Any) -> Violation:
        name = type(frame).__name__.lower()
        return Violation(
            "unexpected_frame", f"`{name}` is not expected {_STATE_PHRASES[self.state]}"
        )
