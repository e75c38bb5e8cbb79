"""Packages that an agent's environment lacks: a provider's own, or a pydantic-ai that will do.

Reads errors and the names of what is installed; refuses to know which environment is in use, and
imports nothing of pydantic-ai.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from functools import cache
from typing import Any, Final

from ..program import Fault

__all__ = ["installed_version", "missing_package", "require_pydantic_ai", "unsuitable_pydantic_ai"]

OLDEST: Final = (2, 60)
"""The first pydantic-ai that the adapter works with, as in this package's own metadata."""
CAUSES_MAX: Final = 8
"""Errors of a chain that are read: a provider's message is seldom more than two below the top."""

_EXTRA = re.compile(r"pydantic-ai-slim\[[\w,-]+\]")
_PACKAGE = re.compile(r"install (?:the )?[`'\"]?([\w.-]+)[`'\"]? package")


def missing_package(error: BaseException) -> str | None:
    """What to do where a provider's package is missing; pydantic-ai's own words name the extra."""
    seen: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if seen is None:
            return None
        text = str(seen) if isinstance(seen, ImportError) else ""
        extra = _EXTRA.search(text)
        if extra is not None:
            return _advice(extra[0], _PACKAGE.search(text))
        seen = seen.__cause__ or seen.__context__
    return None


def _advice(extra: str, package: re.Match[str] | None) -> str:
    what = f"the package {package[1]}" if package else extra
    return (
        f"{what} is not in the Python environment: write {extra} into requirements.txt and add "
        'requirements = "requirements.txt" to [python] '
        "(or install it into the environment that [python] names by venv)"
    )


def require_pydantic_ai() -> None:
    """Refuse an environment whose pydantic-ai is missing or too old, before it fails obscurely."""
    unsuitable = unsuitable_pydantic_ai()
    if unsuitable is not None:
        raise Fault("agent", "agent_error", unsuitable)


def unsuitable_pydantic_ai(error: BaseException | None = None) -> str | None:
    """What is wrong with the pydantic-ai that is installed; of an error, only if it came of it."""
    if error is not None and not _concerns_pydantic_ai(error):
        return None
    found = installed_version()
    if found is None:
        return None if importlib.util.find_spec("pydantic_ai") else _needs("has no pydantic-ai")
    return None if _numbers(found) >= OLDEST else _needs(f"has pydantic-ai {found}")


def _needs(what: str) -> str:
    oldest = ".".join(map(str, OLDEST))
    folder = os.getcwd() + os.sep
    return (
        f"this Python environment {what}; {oldest} or newer is needed: "
        f"{sys.executable.removeprefix(folder)} -m pip install 'pydantic-ai-slim[openai]>={oldest}'"
    )


@cache
def installed_version() -> str | None:
    """The pydantic-ai of this environment. Looked for once: that takes milliseconds."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pydantic-ai-slim")
    except PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _concerns_pydantic_ai(error: BaseException) -> bool:
    """Whether it was looked for in vain, or an error came through its code."""
    if isinstance(error, ImportError) and _is_its(error.name):
        return True
    trace = error.__traceback__
    while trace is not None:
        if _is_its(trace.tb_frame.f_globals.get("__name__")):
            return True
        trace = trace.tb_next
    return False


def _is_its(module: Any) -> bool:
    return isinstance(module, str) and module.partition(".")[0] == "pydantic_ai"
