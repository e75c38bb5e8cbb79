"""The run port of a suspending program: waits are futures of the loop.

This module refuses to know tasks' scheduling (`worker_async`) and the pipe.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any, cast

from .chunk import CHUNK_CHARS_SAFE, fit_event, split_text
from .credit import NO_CREDIT
from .frame import CancelReason, Json, OutputVerdict, ToolResult
from .json_value import check_json
from .logs import LogSender
from .loop_outlet import LoopOutlet
from .program import LogLevel, ToolAnswer, Verdict
from .run import Answer, Run
from .sentinel import Gate

__all__ = ["LoopPort", "Surroundings"]


class Surroundings:
    """What all ports of a worker share."""

    __slots__ = ("gate", "logs", "loop", "outlet", "thread")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, gate: Gate, outlet: LoopOutlet, logs: LogSender
    ) -> None:
        """Made on the loop's thread."""
        self.loop = loop
        self.gate = gate
        self.outlet = outlet
        self.logs = logs
        self.thread = threading.get_ident()


class LoopPort(Run):
    """A `RunPort`. Used on the loop's thread only, but for `cancel`, `log` and what `Run` has."""

    task: asyncio.Task[Any] | None = None
    _effect_said: bool = False
    _credit_waiters: deque[asyncio.Future[None]] | None = None
    _asked_for: dict[int, asyncio.Future[Answer]] | None = None

    def __init__(self, around: Surroundings) -> None:
        """Belong to a worker."""
        self._around = around

    async def emit_text(self, text: str) -> None:
        """Stream text; waits for credit."""
        if self.cancel_reason is not None:
            await self._pass_by_the_loop()
        elif self.stream is None or not text:
            return
        elif len(text) <= CHUNK_CHARS_SAFE:
            await self._chunk(text)
        else:
            for piece in split_text(text):
                await self._chunk(piece)

    async def emit_event(self, event: dict[str, Json]) -> None:
        """Stream an event; waits for credit."""
        if self.cancel_reason is not None:
            await self._pass_by_the_loop()
        elif self.stream is not None:
            check_json(event, "the event")
            await self._chunk(fit_event(event))

    async def effect(self) -> None:
        """Say that a tool begins; returns when the runtime will hear of it, whatever comes."""
        if self._effect_said:
            return
        outlet = self._around.outlet
        outlet.send((75, self.run))
        outlet.flush()
        if outlet.blocked:
            await outlet.room()
        self._effect_said = True

    async def check_output(self, output: Json) -> Verdict:
        """Ask the runtime whether an output fits the agent's schema."""
        check_json(output)
        number = self.ask()
        answer = cast("OutputVerdict", await self._answer_to(number, 69, output))
        return Verdict(answer.ok, answer.message)

    async def call_tool(self, name: str, arguments: dict[str, Json]) -> ToolAnswer:
        """Have the runtime run one of its tools."""
        check_json(arguments, "the arguments")
        number = self.ask()
        answer = cast("ToolResult", await self._answer_to(number, 68, name, arguments))
        return ToolAnswer(answer.status, answer.value, answer.message)

    def log(self, level: LogLevel, message: str, fields: dict[str, Json] | None = None) -> None:
        """Write a line into the agent's log, under this run."""
        self._around.logs.send(self.run, level, "agent", message, fields)

    def grant(self, chunks: int) -> None:
        """Take a credit frame and wake who waits for it."""
        Run.grant(self, chunks)
        self._wake()

    def answer(self, number: int, answer: Answer) -> None:
        """Take an answer and wake who asked."""
        future = (self._asked_for or {}).get(number)
        if future is not None and not future.done():
            future.set_result(answer)

    def cancel(self, reason: CancelReason) -> None:
        """Take the cancel frame, from the loop's thread or the sentinel's."""
        if self.cancel_reason is not None:
            return
        Run.cancel(self, reason)
        around = self._around
        if threading.get_ident() == around.thread:
            self._end_waits()
        else:
            around.loop.call_soon_threadsafe(self._end_waits)

    def _end_waits(self) -> None:
        """Whoever waits for the runtime goes on; a run that nobody else ends is cancelled."""
        self._wake()
        for future in (self._asked_for or {}).values():
            if not future.done():
                future.set_exception(self.cancelled_fault())
        if self.task is not None and not self.callback_given:
            self.task.cancel()

    def _wake(self) -> None:
        waiters = self._credit_waiters
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    async def _pass_by_the_loop(self) -> None:
        """Where the sentinel took a cancel, the task is cancelled by a turn of the loop, and code
        that only emits would never come by one again.
        """
        await asyncio.sleep(0)

    async def _chunk(self, data: Json) -> None:
        stream, around = self.stream, self._around
        if stream is None or self.cancel_reason is not None:
            return
        if around.outlet.backlogged:
            await around.outlet.room()
        seq = stream.take()
        while seq == NO_CREDIT:
            await self._credit()
            if self.cancel_reason is not None:
                return
            seq = stream.take()
        try:
            around.outlet.send_chunk((70, self.run, seq, data))
        except ValueError:  # a text with half a surrogate pair: nothing was sent
            stream.give_back()
            raise
        around.gate.steps += 1

    def _credit(self) -> asyncio.Future[None]:
        """Wait in line for credit."""
        if self._credit_waiters is None:
            self._credit_waiters = deque()
        waiter: asyncio.Future[None] = self._around.loop.create_future()
        self._credit_waiters.append(waiter)
        return waiter

    async def _answer_to(self, number: int, kind: int, *fields: Json) -> Answer:
        """Send a question and wait for its answer."""
        if self.cancel_reason is not None:
            raise self.cancelled_fault()
        if self._asked_for is None:
            self._asked_for = {}
        future: asyncio.Future[Answer] = self._around.loop.create_future()
        self._asked_for[number] = future
        try:
            self._around.outlet.send((kind, self.run, number, *fields))
            return await future
        finally:
            self._asked_for.pop(number, None)
            self.forget(number)
