"""The worker's process: `python -P -m synapse_agent`, its pipes on fds 0 and 1.

Claims the descriptors before anything can print, says hello, loads the program that `welcome`
names, and hands over to the worker that fits it. This module refuses to know how runs are executed.
"""

from __future__ import annotations

from .stdio import Pipes, claim

_PIPES = claim()

import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from types import FrameType  # noqa: E402
from typing import Any, Final, NoReturn  # noqa: E402

from .configuration import configuration_of  # noqa: E402
from .faults import StartFailed, Terminated, start_failed  # noqa: E402
from .frame import Call, Violation, Welcome  # noqa: E402
from .inlet import Inlet, violated  # noqa: E402
from .logs import LOG_LINES_PER_S, LogSender  # noqa: E402
from .outlet import Outlet  # noqa: E402
from .program import Fault, Program  # noqa: E402
from .run import Run  # noqa: E402
from .sentinel import Gate  # noqa: E402
from .session import Session, fault_frame, hello  # noqa: E402

EXIT_START_FAILED: Final = 1
EXIT_TERMINATED: Final = 128 + signal.SIGTERM
"""What a shell reports of a process that SIGTERM ended; here after `finally` and atexit ran."""


def main(pipes: Pipes) -> int:
    """Serve one incarnation; the exit code."""
    started = time.monotonic()
    _set_signals()
    inlet, outlet = Inlet(pipes.read), Outlet(pipes.write)
    outlet.send(hello())
    session: Session[Any] = Session(_no_calls_yet)
    gate = Gate(inlet, outlet, session.cancel)
    welcome = _await_welcome(session, inlet, gate)
    logs = LogSender(outlet, welcome.limits.get("log_lines_per_s", LOG_LINES_PER_S))
    gate.start()
    gate.leave()  # importing is user code: pings and the end of file are the sentinel's
    try:
        _serve(_loaded(welcome), session, gate, logs, started)
    except StartFailed as failure:
        outlet.send(fault_frame(0, _start_fault(failure.error, welcome)))
        return EXIT_START_FAILED
    return 0


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


def _no_calls_yet(_call: Call) -> Run:
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


if __name__ == "__main__":
    sys.exit(main(_PIPES))
