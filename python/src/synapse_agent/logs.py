"""Log lines: from `ctx.log` and from Python's `logging` into `log` frames, at a bounded rate.

Lines beyond the rate are counted and the count rides on the next line that passes. Python's logging
is touched only where the user's code has imported it, and left alone where that has handlers of its
own. This module refuses to know what the runtime does with a line.
"""

from __future__ import annotations

import itertools
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
"""Characters of one line's message, and of each field; the rest is cut: people read a log."""

FIELDS_MAX: Final = 64
"""Fields of one line; the rest is left out."""

_LEVELS: Final[dict[str, LogLevel]] = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "warn": "warning",
    "error": "error",
    "critical": "error",
    "fatal": "error",
}
"""By the names that people write; any other is `info`."""


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
        """Send one line, or count it as dropped. It must not fail: what is wrong is mended."""
        with self._lock:
            dropped = self._admit()
        if dropped is None:
            return
        level = _LEVELS.get(level, "info")
        line = (level, _sayable_text(logger), _sayable_text(message), _sayable(fields))
        self.outlet.send_if_free(encode((74, run, *line, dropped)))

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


def _sayable_text(text: object) -> str:
    """A text that a frame can carry."""
    said = str(text)
    if len(said) > LINE_CHARS_MAX:
        said = said[:LINE_CHARS_MAX] + "…"
    return said.encode(errors="backslashreplace").decode()


def _sayable(fields: dict[str, Json] | None) -> dict[str, Json] | None:
    """Fields that no frame can carry, and those longer than a line, are shown as Python does."""
    if not fields:
        return None
    first = itertools.islice(fields.items(), FIELDS_MAX)
    return {_sayable_text(key): _sayable_value(value) for key, value in first}


def _sayable_value(value: Any) -> Json:
    try:
        check_json(value)
        if len(encode((74, 0, "", "", "", {"value": value}))) <= LINE_CHARS_MAX:
            return value
    except (NotJson, ValueError, TypeError, OverflowError):
        return _sayable_text(repr(value))
    return _sayable_text(value if isinstance(value, str) else repr(value))


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
