"""One run as the protocol sees it: its call, its credit, its open questions, whether it shall end.

Workers derive their run ports from it. This module refuses to know how a port waits.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from .credit import StreamCredit
from .faults import agent_error, describe, not_json
from .frame import Call, CancelReason, Json, OutputVerdict, ToolResult
from .json_value import NotJson
from .program import Fault, LogLevel, Outcome

__all__ = ["Answer", "Run"]

Answer = ToolResult | OutputVerdict


class Run:
    """What `RunView` shows to a program; changed by `session` on the thread that reads the pipe.

    A cancel may come from the sentinel's thread, so `on_cancel` and `cancel` are written to be
    right in either order: whoever comes second calls the callback.
    """

    # Most runs change none of these. A run is made without arguments and begins in a method: both
    # together cost half of what a constructor that assigns costs.
    call: Call
    run: int
    cancel_reason: CancelReason | None = None
    started: bool = True
    """Whether `started` has been said, or need not be: only prefetched calls say it."""
    answers: dict[int, Answer | None] | None = None
    stream: StreamCredit | None = None
    _asked: int = 0
    _callbacks: list[Callable[[CancelReason], object]] | None = None
    _deadline: float | None = None

    def begin(self, call: Call) -> None:
        """Be the run that this call asks for."""
        self.call = call
        self.run = call[1]
        if call[4]:
            self.started = False
        if call[3]:
            self.stream = StreamCredit(call[5])
        ms = call[6]
        if ms is not None:
            self._deadline = monotonic() + ms / 1000

    @property
    def cancelled(self) -> bool:
        """Whether the runtime has asked for the end of this run."""
        return self.cancel_reason is not None

    @property
    def callback_given(self) -> bool:
        """Whether somebody else than the worker ends this run on cancel."""
        return self._callbacks is not None

    def remaining(self) -> float | None:
        """Seconds to the deadline, never below zero."""
        return None if self._deadline is None else max(0.0, self._deadline - monotonic())

    def on_cancel(self, callback: Callable[[CancelReason], object]) -> None:
        """Call back once on cancel; at once if that has happened."""
        if self._callbacks is None:
            self._callbacks = []
        self._callbacks.append(callback)
        if self.cancel_reason is not None:
            self._call_back(self.cancel_reason)

    def cancel(self, reason: CancelReason) -> None:
        """Take the cancel frame; the second one changes nothing."""
        if self.cancel_reason is None:
            self.cancel_reason = reason
            self._call_back(reason)

    def _call_back(self, reason: CancelReason) -> None:
        callbacks = self._callbacks
        while callbacks:
            try:
                callback = callbacks.pop(0)
            except IndexError:  # the other thread took the last one
                return
            try:
                callback(reason)
            except Exception as error:  # who called is the reader of the pipe, and must go on
                self.log("error", f"a cancel callback failed: {describe(error)}")

    def log(self, level: LogLevel, message: str, fields: dict[str, Json] | None = None) -> None:
        """Write a line into the agent's log, under this run, from any thread."""
        raise NotImplementedError

    def grant(self, chunks: int) -> None:
        """Take a credit frame; a run that is no stream has no use for it."""
        if self.stream is not None:
            self.stream.grant(chunks)

    def ask(self) -> int:
        """A number for a tool call or an output check, whose answer will be awaited."""
        if self.answers is None:
            self.answers = {}
        number = self._asked
        self._asked = number + 1
        self.answers[number] = None
        return number

    def answer(self, number: int, answer: Answer) -> None:
        """Take an answer; one to a question that nobody asks any more is dropped."""
        if self.answers is not None and number in self.answers:
            self.answers[number] = answer

    def forget(self, number: int) -> None:
        """Stop waiting for an answer."""
        if self.answers is not None:
            self.answers.pop(number, None)

    def fault_of(self, error: BaseException) -> Fault:
        """How an exception of its program ends it; after a cancel every end is the cancel's."""
        if isinstance(error, Fault):
            return error
        if self.cancel_reason is not None:
            return self.cancelled_fault()
        return not_json(error) if isinstance(error, NotJson) else agent_error(error)

    def cancelled_fault(self, outcome: Outcome | str | None = None) -> Fault:
        """How a cancelled run ends, with what it brought about until then."""
        if isinstance(outcome, str):
            outcome = None
        return Fault(
            "caller",
            "cancelled",
            "the run was cancelled",
            details={"reason": self.cancel_reason or "cancelled"},
            new_messages=outcome.new_messages if outcome else None,
            message_count=outcome.message_count if outcome else 0,
            usage=outcome.usage if outcome else None,
        )
