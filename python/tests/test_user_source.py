"""An edit is run, however soon after another one."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from synapse_agent.user_source import import_fresh

MODULE = "edited_in_a_hurry"


@pytest.fixture(autouse=True)
def imports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setattr(sys, "path_hooks", list(sys.path_hooks))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    yield
    sys.modules.pop(MODULE, None)
    sys.path_importer_cache.pop(str(tmp_path), None)


def imported(folder: Path, text: str, written: float) -> int:
    """What a fresh import of the module sees whose file was written then."""
    file = folder / f"{MODULE}.py"
    file.write_text(text)
    os.utime(file, (written, written))
    sys.modules.pop(MODULE, None)
    importlib.invalidate_caches()
    return importlib.import_module(MODULE).VALUE


def test_two_edits_in_one_second_are_two(tmp_path: Path) -> None:
    import_fresh([str(tmp_path)])
    now = time.time()
    seen = [imported(tmp_path, f"VALUE = {value}\n", now) for value in range(3)]
    assert seen == [0, 1, 2]
    assert not (tmp_path / "__pycache__").exists()


def test_bytecode_of_what_has_settled_is_kept(tmp_path: Path) -> None:
    import_fresh([str(tmp_path)])
    assert imported(tmp_path, "VALUE = 1\n", time.time() - 60) == 1
    assert list((tmp_path / "__pycache__").iterdir())


def test_what_is_installed_below_the_folder_is_imported_as_anywhere(tmp_path: Path) -> None:
    packages = tmp_path / ".venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    sys.path.append(str(packages))
    import_fresh([str(tmp_path)])
    assert imported(packages, "VALUE = 1\n", time.time()) == 1
    assert list((packages / "__pycache__").iterdir())
