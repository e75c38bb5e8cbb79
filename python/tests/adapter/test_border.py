"""pydantic-ai is known in the adapter alone, and importing the adapter does not import it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import synapse_agent

PACKAGE = Path(synapse_agent.__file__).parent
LAZY = {"__init__.py", "credentials.py", "owner.py", "packages.py"}
"""Files of the adapter that are imported before anybody needs pydantic-ai."""


def _imports(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


def test_only_the_adapter_knows_pydantic() -> None:
    outside = [file for file in PACKAGE.rglob("*.py") if "adapter" not in file.parts]
    assert outside
    knowing = [file.name for file in outside if _imports(file) & {"pydantic_ai", "pydantic"}]
    assert knowing == []


def test_the_adapters_front_is_free_of_it() -> None:
    for name in LAZY:
        assert not _imports(PACKAGE / "adapter" / name) & {"pydantic_ai", "pydantic"}


def test_importing_the_adapter_imports_neither_pydantic_ai_nor_asyncio() -> None:
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, synapse_agent.adapter;"
            "print(sorted({'pydantic_ai', 'pydantic', 'asyncio'} & set(sys.modules)))",
        ],
        env={"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert seen.stdout.strip() == "[]"
