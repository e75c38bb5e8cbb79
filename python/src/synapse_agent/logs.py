"""Log lines: from `ctx.log` and from Python's `logging` into `log` frames, at a bounded rate.

Lines beyond the rate are counted and the count rides on the next line that passes. Python's logging
is touched only where the user's code has imported it, and left alone where that has handlers of its
own. This module refuses to know what the runtime does with a line.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .frame import Json, encode
from .json_value import NotJson, check_json
from .program import LogLevel

if TYPE_CHECKING:
    import logging

    from .outlet import Outlet

__all__ = ["LOG_LINES_PER_S", "LogSender", "capture_logging"]

LOG_LINES_PER_S: Final = 1000
"""Lines per second where `welcome` says nothing."""

LINE_CHARS_MAX: Final = 16 * 1024
"""Characters of one line's message; the rest is cut, for a log is read by people."""


class LogSender:
    """Sends lines, at most so many in a second. From any thread."""

    def __init__(self, outlet: Outlet, lines_per_s: int) -> None:
        """Begin a full second."""
        self.outlet = outlet
        self._lines_per_s = max(1, lines_per_s)
        self._lock = threading.RLock()  # a destructor that logs may interrupt a line
        self._second = 0.0
        self._sent = 0
        self._dropped = 0

    def send(
        self,
        run: int,
        level: LogLevel,
        logger: str,
        message: str,
        fields: dict[str, Json] | None = None,
    ) -> None:
        """Send one line, or count it as dropped."""
        with self._lock:
            dropped = self._admit()
        if dropped is None:
            return
        if len(message) > LINE_CHARS_MAX:
            message = message[:LINE_CHARS_MAX] + "…"
        line = message.encode(errors="backslashreplace").decode()
        frame = encode((74, run, level, logger, line, _sayable(fields), dropped))
        self.outlet.send_if_free(frame)

    def _admit(self) -> int | None:
        """How many were dropped before this line, or None where it is dropped itself."""
        now = time.monotonic()
        if now - self._second >= 1.0:
            self._second, self._sent = now, 0
        if self._sent >= self._lines_per_s:
            self._dropped += 1
            return None
        self._sent += 1
        dropped, self._dropped = self._dropped, 0
        return dropped


def _sayable(fields: dict[str, Json] | None) -> dict[str, Json] | None:
    """A field that no frame can carry is shown as Python shows it: a log line must not fail."""
    if not fields:
        return None
    return {str(key): _sayable_value(value) for key, value in fields.items()}


def _sayable_value(value: Any) -> Json:
    try:
        check_json(value)
        encode((74, 0, "", "", "", {"value": value}))
    except (NotJson, ValueError, TypeError, OverflowError):
        return repr(value)[:LINE_CHARS_MAX].encode(errors="backslashreplace").decode()
    return value


def capture_logging(sender: LogSender, current_run: Callable[[], int]) -> None:
    """Send what goes to Python's root logger, if the user's code uses logging without handlers."""
    if "logging" not in sys.modules:
        return
    import logging

    root = logging.getLogger()
    if root.handlers:
        return

    class FrameHandler(logging.Handler):
        """Turns records into log frames."""

        def emit(self, record: logging.LogRecord) -> None:
            """Send a record."""
            try:
                message = self.format(record)
            except Exception:
                self.handleError(record)
                return
            sender.send(current_run(), _level(record.levelno), record.name, message)

    root.addHandler(FrameHandler())


def _level(number: int) -> LogLevel:
    if number >= 40:
        return "error"
    if number >= 30:
        return "warning"
    return "info" if number >= 20 else "debug"
