"""One incarnation of an agent, from `hello` to the process's exit code.

Says hello, loads the program that `welcome` names, and hands over to the worker that fits it. This
module refuses to know how runs are executed, and where the process came from.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, NoReturn

from .configuration import configuration_of
from .faults import StartFailed, Terminated, start_failed
from .frame import Violation, Welcome
from .inlet import Inlet, violated
from .logs import LOG_LINES_PER_S, LogSender
from .outlet import Outlet
from .program import Fault, Program
from .run import Run
from .sentinel import Gate
from .session import Session, fault_frame, hello
from .stacks import listen
from .stdio import Pipes

__all__ = ["serve"]

EXIT_START_FAILED: Final = 1
EXIT_TERMINATED: Final = 128 + signal.SIGTERM
"""What a shell reports of a process that SIGTERM ended; here after `finally` and atexit ran."""


def serve(pipes: Pipes, retitle: Callable[[str], None] | None = None) -> int:
    """Serve one incarnation; the exit code. `retitle` changes what lists of processes show."""
    started = time.monotonic()
    _set_signals()
    listen()
    inlet, outlet = Inlet(pipes.read), Outlet(pipes.write)
    sources = _ahead()
    outlet.send(hello(sources))
    session: Session[Any] = Session(_no_calls_yet)
    gate = Gate(inlet, outlet, session.cancel)
    welcome = _await_welcome(session, inlet, gate)
    _name_process(welcome.agent)
    if sources is not None:
        started = time.monotonic()
        os.environ["SYNAPSE_INCARNATION"] = str(welcome.incarnation)
        if retitle is not None:
            retitle(f"synapse agent {welcome.agent}")
    logs = LogSender(outlet, welcome.limits.get("log_lines_per_s", LOG_LINES_PER_S))
    gate.start()
    gate.leave()  # importing is user code: pings and the end of file are the sentinel's
    try:
        _serve(_loaded(welcome), session, gate, logs, started)
    except StartFailed as failure:
        outlet.send(fault_frame(0, _start_fault(failure.error, welcome)))
        return EXIT_START_FAILED
    return 0


def _ahead() -> dict[str, int] | None:
    """What a spare has imported; its module costs the start of no other process anything."""
    if "SYNAPSE_STANDBY" not in os.environ:
        return None
    _name_process(f"spare {os.environ.get('SYNAPSE_AGENT', '')}")
    from .spare import imported_ahead

    return imported_ahead()


def _loaded(welcome: Welcome) -> Program:
    from .load import load

    try:
        return load(configuration_of(welcome))
    except Terminated:
        raise
    except (Exception, SystemExit) as error:
        raise StartFailed(error) from error


def _serve(
    program: Program, session: Session[Any], gate: Gate, logs: LogSender, started: float
) -> None:
    """Hand over to the worker that fits; asyncio is imported by the one that needs it."""
    if program.blocking is True:
        from .worker_sync import serve_blocking

        serve_blocking(program, session, gate, logs, started)
    else:
        from .worker_async import serve_suspending

        serve_suspending(program, session, gate, logs, started)


def _start_fault(error: BaseException, welcome: Welcome) -> Fault:
    """What it means, as the adapter sees it, whose front costs no import of pydantic-ai."""
    if isinstance(error, Fault):
        return start_failed(error)
    from .adapter import start_fault

    return start_failed(error, start_fault(error, configuration_of(welcome)))


def _set_signals() -> None:
    """SIGTERM unwinds the stack, a second one kills; SIGINT is the runtime's to act upon.

    SIGINT gets a handler that does nothing, since an ignored signal would stay ignored in the
    subprocesses of user code.
    """
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, lambda _number, _frame: None)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated(EXIT_TERMINATED)


def _name_process(agent: str) -> None:
    """Let tools that list processes by name (`ps -o comm`, `top`) show the agent's."""
    try:
        with open("/proc/self/comm", "w") as comm:
            comm.write(agent)  # the kernel keeps 15 bytes
    except OSError:
        return


def _no_calls_yet() -> Run:
    raise AssertionError("a call before the worker is known is refused by the session's state")


def _await_welcome(session: Session[Any], inlet: Inlet, gate: Gate) -> Welcome:
    while session.welcome is None:
        for frame in inlet.read():
            if session.welcome is not None:
                gate.take(frame)
                continue
            try:
                session.receive(frame)
            except Violation as violation:
                violated(violation)
    return session.welcome
