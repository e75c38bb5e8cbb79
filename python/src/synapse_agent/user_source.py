"""Imports from the user's folders that an edit is never too fast for.

Python takes bytecode for current whose source has the same size and was written in the same second.
An agent is back within milliseconds of an edit, so that a second edit may fall into that second,
and the first one would run for ever. So no bytecode is read or written of a file that was written
just now; later it is, as anywhere. This module refuses to know which module is imported.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from typing import Any, Final

__all__ = ["import_fresh", "is_users"]

SETTLED_S: Final = 2.0
"""From then on another edit has another second, and some file systems count in two."""

_PACKAGES: Final = frozenset({"site-packages", "dist-packages"})
"""What is installed, also into an environment below the user's folder, is not edited."""

_fresh: Final[set[str]] = set()


def import_fresh(folders: Iterable[str]) -> None:
    """Import so what lies in these folders from now on. A second time has no effect."""
    roots = [root for folder in folders if (root := os.path.join(folder, "")) not in _fresh]
    _fresh.update(roots)

    def find(path: str) -> FileFinder:
        if not _lies_in(path, roots) or _is_installed(path) or not os.path.isdir(path):
            raise ImportError("not the user's own")  # the next hook's
        return FileFinder(
            path,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (_Source, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )

    sys.path_hooks.insert(0, find)
    for folder in [known for known in sys.path_importer_cache if _lies_in(known, roots)]:
        del sys.path_importer_cache[folder]


def is_users(file: str, folders: Iterable[str]) -> bool:
    """Whether a file lies in one of these folders and was not installed there."""
    roots = [os.path.join(folder, "") for folder in folders]
    folder = os.path.dirname(os.path.abspath(file))
    return _lies_in(folder, roots) and not _is_installed(folder)


def _lies_in(path: str, roots: list[str]) -> bool:
    """Whether it is one of these folders, or below. By text: there are a hundred paths to look at,
    between an agent's fork and its first frame.
    """
    folder = os.path.join(path, "")
    return any(folder.startswith(root) for root in roots)


def _is_installed(path: str) -> bool:
    return not _PACKAGES.isdisjoint(path.split(os.sep))


class _Source(SourceFileLoader):
    def path_stats(self, path: Any) -> Mapping[str, Any]:
        """Say when the file was written; an `OSError` means that bytecode is no use."""
        stats = super().path_stats(path)
        if time.time() - stats["mtime"] < SETTLED_S:
            raise OSError("written just now")
        return stats
