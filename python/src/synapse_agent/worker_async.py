"""The worker of suspending programs: one loop for the process's life, many runs at once.

The loop reads the pipe itself and writes once per turn. Calls beyond the slots wait in order. This
module refuses to know what a program does.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import time
from typing import Any, Final

from .faults import StartFailed, not_json, output_too_large
from .frame import FrameTooLong, Ping, Violation
from .gate_selector import GateSelector
from .inlet import violated
from .json_value import check_json
from .logs import LogSender, capture_logging
from .loop_outlet import LoopOutlet
from .loop_port import LoopPort, Surroundings
from .program import SuspendingProgram
from .sentinel import LOOP_TICK_S, Gate, resident_bytes
from .session import Session, fault_frame
from .slot import CURRENT_RUN, RunNumber, RunTask, Slot

__all__ = ["SuspendingWorker", "serve_suspending"]

CLOSE_TIMEOUT_S: Final = 5.0
"""Seconds that tasks left behind by user code get to end after they were cancelled at the end."""


def serve_suspending(
    program: SuspendingProgram,
    session: Session[LoopPort],
    gate: Gate,
    logs: LogSender,
    started: float,
) -> None:
    """Open the program, say `ready`, serve until stopped, close it. The gate has been left."""
    selector = GateSelector(gate)
    loop = asyncio.SelectorEventLoop(selector)
    asyncio.set_event_loop(loop)
    outlet = LoopOutlet(gate.outlet.descriptor, loop)
    logs.outlet = gate.outlet = outlet
    gate.on_takeover = outlet.flush
    gate.tick_s = LOOP_TICK_S
    os.set_blocking(gate.inlet.descriptor, False)
    os.set_blocking(outlet.descriptor, False)
    worker = SuspendingWorker(program, session, Surroundings(loop, gate, outlet, logs))
    selector.serve(worker)
    try:
        loop.run_until_complete(worker.serve(started))
    finally:
        _close(loop, outlet)


def _close(loop: asyncio.AbstractEventLoop, outlet: LoopOutlet) -> None:
    """What `asyncio.run` does at its end, with a bound."""
    try:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=CLOSE_TIMEOUT_S))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        outlet.finish()
        asyncio.set_event_loop(None)


class SuspendingWorker:
    """Executes the calls of one incarnation, up to its concurrency at once."""

    def __init__(
        self, program: SuspendingProgram, session: Session[LoopPort], around: Surroundings
    ) -> None:
        """Take the session over after `welcome`."""
        self._program = program
        self._run_program = program.run
        self._session = session
        self._around = around
        self._loop = around.loop
        self._inlet = around.gate.inlet
        self._outlet = around.outlet
        self._free = program.manifest.concurrency
        self._starting = False
        self._spare: Slot | None = None
        self._growing = False
        self._drained: asyncio.Future[None] = around.loop.create_future()
        session.make_run = self._make_port

    async def serve(self, started: float) -> None:
        """The owner task: enters and leaves the program's context, waits between them."""
        self._loop.add_reader(self._inlet.descriptor, self.readable)
        try:
            await self._program.open()
        except Exception as error:
            raise StartFailed(error) from error
        try:
            capture_logging(self._around.logs, current_run)
            gc.freeze()  # what was imported stays; collections need not walk it
            self._grow()
            loaded_ms = int((time.monotonic() - started) * 1000)
            self._outlet.send(self._session.ready(self._program.manifest, loaded_ms))
            self._check_drained()
            await self._drained
        finally:
            await self._program.close()

    def turn(self) -> bool:
        """Before the loop waits: write what was gathered. Whether there is more to do at once."""
        self._outlet.flush()
        if self._around.gate.pending:
            self._loop.call_soon(self._take_pending)
            return True
        return False

    def _make_port(self) -> LoopPort:
        return LoopPort(self._around)

    def readable(self) -> None:
        """The pipe has data. The loop is at the pipe while it reads, and away again after."""
        gate = self._around.gate
        gate.back()
        frames = self._inlet.read()
        gate.leave()
        if gate.pending:  # what the sentinel read comes first
            self._take_pending()
        for frame in frames:
            self._take(frame)
        self._start_waiting()

    def _take_pending(self) -> None:
        """Take what the sentinel has read while the loop was blocked."""
        pending = self._around.gate.pending
        while pending:
            self._take(pending.popleft())
        self._start_waiting()

    def _take(self, frame: Any) -> None:
        try:
            answer = self._session.receive(frame)
        except Violation as violation:
            violated(violation)
        if answer is None:
            if frame[0] == 8:
                self._check_drained()
        elif isinstance(answer, Ping):
            self._outlet.send((73, 0, answer.nonce, 0, resident_bytes()))
        else:
            self._outlet.send(answer)

    def _start_waiting(self) -> None:
        """Begin the calls that have a slot. Not reentrant: a run may end while it begins."""
        if self._starting:
            return
        waiting = self._session.waiting
        self._starting = True
        try:
            while waiting and self._free > 0:
                self._begin(waiting.popleft())
        finally:
            self._starting = False
        if self._spare is None and not self._growing:
            self._grow()

    def _begin(self, port: LoopPort) -> None:
        """One run, from `started` to its first suspension or its end."""
        self._free -= 1
        if port.cancel_reason is not None:
            self._end(port, self._session.failed(port, port.cancelled_fault()))
            return
        if not port.started:
            self._outlet.send((67, port.run))
        spare = self._spare
        if spare is not None:
            self._spare = None
            port.task = spare.task
            spare.execute(port.run, self._execute(port))
            return
        context = contextvars.copy_context()
        current = RunNumber(port.run)
        context.run(CURRENT_RUN.set, current)
        RunTask(self._execute_anew(port), self._loop, context, current)

    def _grow(self) -> None:
        """Have a parked task ready for the next run."""
        self._growing = True
        Slot(self._loop, self._parked)

    def _parked(self, slot: Slot) -> None:
        """A slot waits for work: a new one, or the spare one again."""
        self._growing = False
        self._spare = slot

    async def _execute_anew(self, port: LoopPort) -> None:
        """Execute one run in a new task. A task that is cancelled before its first step takes none,
        so the run has no task for a cancel to reach until here.
        """
        if port.cancel_reason is not None:
            self._end(port, self._session.failed(port, port.cancelled_fault()))
            return
        port.task = asyncio.current_task()
        await self._execute(port)

    async def _execute(self, port: LoopPort) -> None:
        """Execute one run and write its end."""
        try:
            outcome = await self._run_program(port.call, port)
            if type(outcome) is not str:
                check_json(outcome[0])
            frame = self._session.finished(port, outcome)
        except (SystemExit, KeyboardInterrupt, GeneratorExit):
            raise  # the end of the process, or of the loop
        except BaseException as error:
            frame = self._session.failed(port, port.fault_of(error))
        port.task = None
        self._end(port, frame)

    def _end(self, port: LoopPort, frame: tuple[Any, ...]) -> None:
        """Gather a run's last frame, and give its slot to the next call."""
        try:
            self._outlet.send(frame)
        except FrameTooLong as error:
            self._outlet.send(fault_frame(port.run, output_too_large(error)))
        except (ValueError, TypeError, OverflowError) as error:
            self._outlet.send(fault_frame(port.run, not_json(error)))
        self._free += 1
        if self._session.waiting:
            if not self._starting:  # a task is being stepped: another cannot be
                self._loop.call_soon(self._start_waiting)
        else:
            self._check_drained()

    def _check_drained(self) -> None:
        if self._session.drained and not self._drained.done():
            self._drained.set_result(None)


def current_run() -> int:
    """The run of the code that asks, for log lines; 0 outside of runs."""
    current = CURRENT_RUN.get()
    return 0 if current is None else current.run
