"""Drives programs of the adapter in tests, as a worker would: open, run, close."""

from __future__ import annotations

import asyncio
from typing import Any

from synapse_agent import adapter
from synapse_agent.program import Call, Configuration, Fault, Outcome, Program
from synapse_agent.testing import RecordingBlockingPort, RecordingPort

__all__ = ["OFFLINE", "Driven", "drive", "drive_program", "failing", "program_of"]

OFFLINE = Configuration(model="offline")


class Driven:
    """What one run came to: its outcome or its fault, and what its port recorded."""

    def __init__(self, port: RecordingPort | RecordingBlockingPort) -> None:
        self.port = port
        self.result: Outcome | None = None
        self.failure: Fault | None = None

    @property
    def outcome(self) -> Outcome:
        assert self.result is not None, f"the run failed: {self.failure}"
        return self.result

    @property
    def fault(self) -> Fault:
        assert self.failure is not None, f"the run succeeded: {self.result}"
        return self.failure


def program_of(agent: Any, configuration: Configuration = OFFLINE) -> Program:
    program = adapter.load_agent(agent, configuration)
    assert program is not None
    return program


def drive(
    agent: Any,
    *calls: Call,
    configuration: Configuration = OFFLINE,
    port: RecordingPort | None = None,
) -> Driven:
    """Run calls one after the other in one incarnation; returns what the last came to."""
    return drive_program(program_of(agent, configuration), *calls, port=port)


def drive_program(program: Program, *calls: Call, port: RecordingPort | None = None) -> Driven:
    if program.blocking:
        return _drive_blocking(program, calls)
    return asyncio.run(_drive(program, calls, port))


def failing(agent: Any, *calls: Call, configuration: Configuration = OFFLINE) -> Fault:
    return drive(agent, *calls, configuration=configuration).fault


async def _drive(program: Any, calls: tuple[Call, ...], port: RecordingPort | None) -> Driven:
    await program.open()
    driven = Driven(port or RecordingPort())
    for call in calls:
        driven = Driven(port or RecordingPort())
        try:
            driven.result = await program.run(call, driven.port)
        except Fault as fault:
            driven.failure = fault
    await program.close()
    return driven


def _drive_blocking(program: Any, calls: tuple[Call, ...]) -> Driven:
    program.open()
    driven = Driven(RecordingBlockingPort())
    for call in calls:
        driven = Driven(RecordingBlockingPort())
        try:
            driven.result = program.run(call, driven.port)
        except Fault as fault:
            driven.failure = fault
    program.close()
    return driven
