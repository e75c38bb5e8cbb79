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
from pathlib import Path
from typing import Any, Final

__all__ = ["import_fresh"]

SETTLED_S: Final = 2.0
"""From then on another edit has another second, and some file systems count in two."""

_PACKAGES: Final = frozenset({"site-packages", "dist-packages"})
"""What is installed, also into an environment below the user's folder, is not edited."""


def import_fresh(folders: Iterable[str]) -> None:
    """Import so what lies in these folders from now on."""
    roots = [Path(folder) for folder in folders]

    def find(path: str) -> FileFinder:
        folder = Path(path)
        theirs = any(folder.is_relative_to(root) for root in roots)
        if not theirs or not _PACKAGES.isdisjoint(folder.parts) or not os.path.isdir(path):
            raise ImportError("not the user's own")  # the next hook's
        return FileFinder(
            path,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (_Source, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )

    sys.path_hooks.insert(0, find)
    for folder in list(sys.path_importer_cache):
        if any(Path(folder).is_relative_to(root) for root in roots):
            del sys.path_importer_cache[folder]


class _Source(SourceFileLoader):
    def path_stats(self, path: Any) -> Mapping[str, Any]:
        """Say when the file was written; an `OSError` means that bytecode is no use."""
        stats = super().path_stats(path)
        if time.time() - stats["mtime"] < SETTLED_S:
            raise OSError("written just now")
        return stats
