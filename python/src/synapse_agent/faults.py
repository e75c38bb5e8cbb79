"""Exceptions of the user's code as faults: whose they are, where they were raised, in few words.

This module refuses to know the exceptions of pydantic-ai; the adapter turns those into `Fault`s
before they come here.
"""

from __future__ import annotations

import os
import re
import sys
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Final

from .deps import failed_factory
from .program import Fault, Json

if TYPE_CHECKING:
    from traceback import TracebackException

__all__ = [
    "StartFailed",
    "Terminated",
    "agent_error",
    "describe",
    "not_json",
    "output_too_large",
    "start_failed",
    "traceback_of",
]

TRACEBACK_CHARS_MAX: Final = 8 * 1024
"""Characters of a traceback that are sent: its end, where the cause is."""

MESSAGE_CHARS_MAX: Final = 2 * 1024
"""Characters of an exception's own text in a fault's message."""

_MACHINERY: Final = re.compile(
    r"/(?:synapse_agent|pydantic_ai|pydantic_graph|anyio|asyncio)/"
    r"|^<frozen |/python3[.]\d+/importlib/"
)
"""Files of frames that lie between the worker and the user's code."""

_SDK_FOLDER: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep


class StartFailed(Exception):
    """The program could not be loaded or opened."""

    def __init__(self, error: BaseException) -> None:
        """Carry what was raised."""
        super().__init__(describe(error))
        self.error = error


class Terminated(SystemExit):
    """SIGTERM came: told apart from a `sys.exit` of the user's code."""


def agent_error(error: BaseException) -> Fault:
    """The user's code raised."""
    return Fault(
        "agent",
        "agent_error",
        describe(error),
        details={"exception": _name(error), "traceback": traceback_of(error)},
    )


def not_json(error: Exception) -> Fault:
    """The user's code returned what no frame can carry."""
    message = str(error)
    if isinstance(error, OverflowError):
        message = "the output has an integer of more than 64 bits; make it a string"
    details = {"exception": type(error).__qualname__}
    return Fault("agent", "agent_error", message, details=details)


def output_too_large(error: Exception) -> Fault:
    """The user's code returned more than a frame can carry."""
    message = f"the output is too large for a frame: {error}"
    return Fault("runtime", "output_too_large", message)


def start_failed(error: BaseException, known: Fault | None = None) -> Fault:
    """The program could not be loaded or opened: the last frame of the user's code, and why.

    `known` is what somebody who knows the error better makes of it.
    """
    if isinstance(error, Fault):
        return Fault("agent", "start_failed", error.message, details=_with_cause(error))
    place = _place(error)
    if place and known is not None and _at_import(error):
        # A function beside an agent needs what that needs: it is said who asks for it.
        place += ", while the module is imported"
    what = describe(error) if known is None else known.message
    return Fault(
        "agent",
        "start_failed",
        f"{place}: {what}" if place else what,
        details={
            **((known and known.details) or {}),
            "exception": _name(error),
            "traceback": traceback_of(error),
        },
    )


def _with_cause(fault: Fault) -> dict[str, Json] | None:
    """A fault's details, and the traceback of what it was made of."""
    cause = fault.__cause__
    while isinstance(cause, Fault):
        cause = cause.__cause__
    if cause is None:
        return fault.details
    return {"exception": _name(cause), "traceback": traceback_of(cause), **(fault.details or {})}


def _at_import(error: BaseException) -> bool:
    """Whether a module of the user's was being imported."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "<module>" and _is_users(trace.tb_frame):
            return True
        trace = trace.tb_next
    return False


def describe(error: BaseException) -> str:
    """An exception in one or two lines, as Python's last line of a traceback has it."""
    name = failed_factory(error) + _name(error)
    if isinstance(error, SyntaxError):
        return f"{name}: {error.msg}"
    try:
        text = str(error)
    except Exception:  # a `__str__` of the user's may do anything
        text = "(its text cannot be shown)"
    if len(text) > MESSAGE_CHARS_MAX:
        text = text[:MESSAGE_CHARS_MAX] + "…"
    return f"{name}: {_sayable(text)}" if text else name


def _name(error: BaseException) -> str:
    return _sayable(type(error).__qualname__)


def _sayable(text: str) -> str:
    """A text that a frame can carry: half a surrogate pair has no UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def _place(error: BaseException) -> str | None:
    """`file:line` of the last frame that is the user's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}:{error.lineno or 0}"
    place: str | None = None
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        if _is_users(trace.tb_frame):
            place = f"{_short(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _is_users(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    if name.startswith(("<frozen", _SDK_FOLDER)):
        return False
    return not (name.startswith(sys.base_prefix) or f"{os.sep}site-packages{os.sep}" in name)


def _short(filename: str) -> str:
    """Relative to the current folder where the file is below it."""
    folder = os.getcwd() + os.sep
    return filename[len(folder) :] if filename.startswith(folder) else filename


def traceback_of(error: BaseException) -> str:
    """The traceback of an error and of what caused it, without the frames of the machinery."""
    import traceback

    told = traceback.TracebackException.from_exception(error)
    _leave_out_machinery(told)
    text = "".join(told.format())
    cut = text if len(text) <= TRACEBACK_CHARS_MAX else "…" + text[-TRACEBACK_CHARS_MAX:]
    return _sayable(cut.rstrip("\n"))


def _leave_out_machinery(told: TracebackException | None) -> None:
    """Where nothing but machinery is on the stack, the mistake is there, and all of it is shown."""
    if told is None:
        return
    own = [frame for frame in told.stack if not _MACHINERY.search(frame.filename)]
    if own:
        told.stack[:] = own
    for other in (told.__cause__, told.__context__, *(told.exceptions or ())):
        _leave_out_machinery(other)
