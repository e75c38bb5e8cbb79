"""A spare: a process that has imported an agent's modules before it is the agent's.

The runtime keeps one beside an agent with `standby = 1`, and sends it its `welcome` when the
agent's process has ended. Until then it only imports: what an import does not do (factories,
dependencies, `async with agent`) is done afterwards, as in any incarnation. It says hello when it
has imported, and of which files, so that the runtime can tell whether they have been edited since.
This module refuses to know when the `welcome` comes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Final

from .load import import_ahead
from .program import Configuration
from .user_source import is_users

__all__ = ["imported_ahead"]

_PLAN: Final = "SYNAPSE_STANDBY"
"""What a spare is to import, as JSON; other processes have no such variable."""

_TOO_NEAR_NS: Final = 50_000_000
"""A file that was written so shortly before it was imported may have been written again with the
same time: the clock of files is coarse."""


def imported_ahead() -> dict[str, int] | None:
    """Import what a spare is to, and say which files that were; None in any other process."""
    told = os.environ.pop(_PLAN, None)
    if told is None:
        return None
    plan = json.loads(told)
    begun = time.time_ns()
    folders = import_ahead(
        Configuration(
            entry=plan["entry"],
            deps=plan["deps"],
            model=plan["model"],
            path=tuple(plan["path"]),
        )
    )
    return {
        file: changed if changed < begun - _TOO_NEAR_NS else 0
        for file, changed in _changed(folders).items()
    }


def _changed(folders: list[str]) -> dict[str, int]:
    """The user's files among what is imported, and when each was changed."""
    changed: dict[str, int] = {}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and is_users(file, folders):
            try:
                changed[file] = os.stat(file).st_mtime_ns
            except OSError:  # it is gone already
                changed[file] = 0
    return changed
