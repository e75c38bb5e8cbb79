"""Says everything that it was given in confidence, wherever it can.

It is given secrets as variables, and tells them in the way that the prompt names: to stderr, to a
logger with fields, in lines that are too long, in an exception with its cause, and with its last
breath. Its parameter's default is one, so that its manifest has it. With `ONLY_IN` it fails to
start instead, and says them then. To be seen: that nobody sees one, in any file, answer, event,
page or list of processes.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import NoReturn
from urllib.parse import quote

from moment import DUE, INCARNATION

NAMES = ("OF_FILE", "OF_TABLE_KEY", "OF_NODE_TOKEN", "QUOTED_SECRET", "MANY_LINES_KEY")
GIVEN = [os.environ[name] for name in NAMES if name in os.environ]
PROXY = os.environ.get("HTTP_PROXY", "")

if "ONLY_IN" in os.environ and DUE and INCARNATION != "1":
    raise RuntimeError(f"no start with {GIVEN} by {PROXY}")


def answer(prompt: str, given: str = os.environ.get("OF_FILE", "")) -> str:
    """Tell them."""
    ways = {"print": say, "log": record, "long": go_on, "raise": fail, "die": die, "leave": leave}
    ways[prompt]()
    return "told"


def say() -> None:
    """Print them, in the forms that programs give them."""
    for secret in GIVEN:
        print(secret, f"x{secret}x", repr(secret), json.dumps([secret]), quote(secret))  # noqa: T201
    print(dict(os.environ))  # noqa: T201


def record() -> None:
    """Log them."""
    logging.getLogger("told").error("with %s by %s", GIVEN, PROXY, extra={"all": GIVEN})


def go_on() -> None:
    """Print them at the end of lines that are cut within them."""
    for secret in GIVEN:
        for filler in range(len(secret)):
            print("-" * (8 * 1024 - filler) + secret)  # noqa: T201


def die() -> NoReturn:
    """Abort, with them in a line that does not end."""
    sys.stderr.write(f"{GIVEN} by {PROXY}, and no line after it: {GIVEN[0]}")
    sys.stderr.flush()
    os.abort()


def leave() -> NoReturn:
    """Exit with a traceback that has them."""
    try:
        fail()
    except RuntimeError:
        sys.excepthook(*sys.exc_info())
    os._exit(3)


def fail() -> NoReturn:
    """Raise with them in the message, in the cause and in the attributes."""
    try:
        raise ValueError(f"Authorization: Bearer {GIVEN[1]}")
    except ValueError as cause:
        raise RuntimeError(f"401 for {GIVEN} by {PROXY}") from cause
