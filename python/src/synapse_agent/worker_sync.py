"""The worker of blocking programs: one thread reads the pipe, runs the code and writes the answer.

No loop, no asyncio, one run at a time; calls that were prefetched wait in order. While a run is
away from the pipe the sentinel reads it. This module refuses to know what a program does.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any, cast

from .chunk import CHUNK_CHARS_SAFE, fit_event, split_text
from .credit import NO_CREDIT
from .faults import StartFailed, not_json, output_too_large
from .frame import FrameTooLong, Json, OutputVerdict, Ping, ToolResult, Violation, encode
from .inlet import Inlet, violated
from .json_value import check_json
from .logs import LogSender, capture_logging
from .outlet import Outlet
from .program import BlockingProgram, LogLevel, ToolAnswer, Verdict
from .run import Answer, Run
from .sentinel import Gate, resident_bytes
from .session import Session, fault_frame

__all__ = ["BlockingPort", "BlockingWorker", "serve_blocking"]


def serve_blocking(
    program: BlockingProgram,
    session: Session[BlockingPort],
    gate: Gate,
    logs: LogSender,
    started: float,
) -> None:
    """Open the program, say `ready`, serve until stopped, close it. The gate has been left."""
    worker = BlockingWorker(program, session, gate, logs)
    try:
        program.open()
    except Exception as error:
        raise StartFailed(error) from error
    try:
        capture_logging(logs, worker.current_run)
        gc.freeze()  # what was imported stays; collections need not walk it
        gate.back()
        loaded_ms = int((time.monotonic() - started) * 1000)
        gate.outlet.send(session.ready(program.manifest, loaded_ms))
        worker.serve()
        gate.leave()
    finally:
        program.close()


class BlockingPort(Run):
    """The run port of a blocking program: a wait reads the pipe on the spot."""

    worker: BlockingWorker
    """Set by the worker when it executes."""
    _effect_said: bool = False

    def emit_text(self, text: str) -> None:
        """Stream text; waits for credit."""
        if self.stream is None or not text:
            return
        if len(text) <= CHUNK_CHARS_SAFE:
            self._chunk(text)
            return
        for piece in split_text(text):
            self._chunk(piece)

    def emit_event(self, event: dict[str, Json]) -> None:
        """Stream an event; waits for credit."""
        if self.stream is not None:
            check_json(event, "the event")
            self._chunk(fit_event(event))

    def effect(self) -> None:
        """Say that a tool begins."""
        if not self._effect_said:
            self.worker.outlet.send((75, self.run))
            self._effect_said = True

    def check_output(self, output: Json) -> Verdict:
        """Ask the runtime whether an output fits the agent's schema."""
        check_json(output)
        number = self.ask()
        answer = cast("OutputVerdict", self._answer_to(number, (69, self.run, number, output)))
        return Verdict(answer.ok, answer.message)

    def call_tool(self, name: str, arguments: dict[str, Json]) -> ToolAnswer:
        """Have the runtime run one of its tools."""
        check_json(arguments, "the arguments")
        number = self.ask()
        frame = (68, self.run, number, name, arguments)
        answer = cast("ToolResult", self._answer_to(number, frame))
        return ToolAnswer(answer.status, answer.value, answer.message)

    def log(self, level: LogLevel, message: str, fields: dict[str, Json] | None = None) -> None:
        """Write a line into the agent's log, under this run."""
        self.worker.logs.send(self.run, level, "agent", message, fields)

    def _chunk(self, data: Json) -> None:
        stream, worker = self.stream, self.worker
        if stream is None or self.cancel_reason is not None:
            return
        seq = stream.take()
        while seq == NO_CREDIT:
            worker.wait(self, lambda: stream.left > 0)
            if self.cancel_reason is not None:
                return
            seq = stream.take()
        try:
            worker.outlet.send((70, self.run, seq, data))
        except ValueError:  # a text with half a surrogate pair: nothing was sent
            stream.give_back()
            raise
        worker.gate.steps += 1

    def _answer_to(self, number: int, frame: tuple[Any, ...]) -> Answer:
        """Send a question and wait for its answer."""
        answers = self.answers or {}
        try:
            if self.cancel_reason is None:
                self.worker.outlet.send(frame)
                self.worker.wait(self, lambda: answers[number] is not None)
            answer = answers[number]
            if answer is None:
                raise self.cancelled_fault()
            return answer
        finally:
            self.forget(number)


class BlockingWorker:
    """Executes the calls of one incarnation, one after the other."""

    def __init__(
        self, program: BlockingProgram, session: Session[BlockingPort], gate: Gate, logs: LogSender
    ) -> None:
        """Take the session over after `welcome`; the gate's owner is this thread."""
        self.outlet: Outlet = gate.outlet
        self.gate = gate
        self.logs = logs
        self._inlet: Inlet = gate.inlet
        self._session = session
        self._execute_call = program.run
        self._current = 0
        session.make_run = BlockingPort

    def serve(self) -> None:
        """Serve until `stop` has come and every run has ended."""
        session = self._session
        waiting = session.waiting
        self._take_pending()
        while True:
            if waiting:
                self._execute(waiting.popleft())
            elif session.stop_ms is None or not session.drained:
                self.read()
            else:
                return

    def current_run(self) -> int:
        """The run that executes, 0 between runs; for log lines."""
        return self._current

    def read(self) -> None:
        """Read the pipe once, blocking, and take what came."""
        self._take(self._inlet.read())

    def wait(self, port: BlockingPort, ready: Callable[[], bool]) -> None:
        """Serve the pipe from inside a run until `ready` holds or the run is cancelled."""
        self.gate.back()
        try:
            self._take_pending()
            while port.cancel_reason is None and not ready():
                self.read()
        finally:
            self.gate.leave()

    def _take_pending(self) -> None:
        """Take what the sentinel has read meanwhile."""
        pending = self.gate.pending
        while pending:
            self._take([pending.popleft()])

    def _take(self, frames: list[Any]) -> None:
        receive = self._session.receive
        try:
            for frame in frames:
                answer = receive(frame)
                if answer is not None:
                    self._answer(answer)
        except Violation as violation:
            violated(violation)

    def _answer(self, answer: Any) -> None:
        """Answer a frame that is no run's."""
        if isinstance(answer, Ping):
            self.outlet.send((73, 0, answer.nonce, 0, resident_bytes()))
        else:
            self.outlet.send(answer)

    def _execute(self, port: BlockingPort) -> None:
        """One run, from `started` to its result or fault."""
        if port.cancel_reason is not None:
            self._end(port, self._session.failed(port, port.cancelled_fault()))
            return
        if not port.started:
            self.outlet.send((67, port.run))
        port.worker = self
        self._current = port.run
        gate = self.gate
        gate.serial += 1  # as `gate.leave`, without a call
        gate.away = True
        if gate.asleep:
            gate.ring()
        try:
            outcome = self._execute_call(port.call, port)
            if type(outcome) is not str:
                check_json(outcome[0])
            frame = self._session.finished(port, outcome)
        except (SystemExit, KeyboardInterrupt):
            raise  # the end of the process
        except BaseException as error:
            frame = self._session.failed(port, port.fault_of(error))
        gate.away = False
        if gate.taken:
            gate.reclaim()
        self._current = 0
        if gate.pending:
            self._take_pending()
        self._end(port, frame)

    def _end(self, port: BlockingPort, frame: tuple[Any, ...]) -> None:
        """Write a run's last frame; the next run's `started` rides in the same write."""
        then = b""
        waiting = self._session.waiting
        if waiting:
            following = waiting[0]
            if not following.started and following.cancel_reason is None:
                following.started = True
                then = encode((67, following.run))
        try:
            self.outlet.send(frame, then)
        except FrameTooLong as error:
            self.outlet.send(fault_frame(port.run, output_too_large(error)), then)
        except (ValueError, TypeError, OverflowError) as error:
            self.outlet.send(fault_frame(port.run, not_json(error)), then)
