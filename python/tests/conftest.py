"""What holds for every test: it sees nothing of the environment of whoever runs it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# Where programs and temporary files are, and what pytest itself keeps there.
_KEPT = ("PATH", "HOME", "TMPDIR")


@pytest.fixture(scope="session", autouse=True)
def no_foreign_variables() -> Iterator[None]:
    """Proxies, certificates, keys and addresses of providers would change what a test meets."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name not in _KEPT and not name.startswith("PYTEST_"):
                patch.delenv(name)
        yield
