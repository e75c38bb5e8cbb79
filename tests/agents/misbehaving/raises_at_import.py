"""Cannot be imported: a module that it needs is missing.

To be seen: the fault `start_failed` with one clear line ("…/raises_at_import.py:12:
ModuleNotFoundError: No module named 'a_module_that_nobody_has'"), not a wall; exit code 1.
"""

from __future__ import annotations

import a_module_that_nobody_has  # type: ignore[import-not-found]  # noqa: F401


def answer(prompt: str) -> str:
    """Never reached."""
    return prompt
