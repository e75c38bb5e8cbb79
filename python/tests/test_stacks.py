"""The stacks of a process that is asked for them by the signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synapse_agent import stacks
from wire import SOURCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has the signals")

PROGRAM = """
import ctypes, sys
from synapse_agent import stacks
stacks.listen()
print("listening", flush=True)
def inside():
    if sys.argv[1] == "locked":
        ctypes.PyDLL(None).pause()
    sys.stdin.read()
inside()
"""
WAIT_S = 10


def _start(how: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(SOURCE)},
    )


def _written(pid: int) -> str:
    """What the process has written to its file."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        if os.readlink(descriptor).startswith(f"/memfd:{stacks.FILE}"):
            return descriptor.read_text()
    raise AssertionError("no such file is open")


@pytest.mark.parametrize("how", ["locked", "reading"])
def test_the_signal_shows_where_the_code_is_and_harms_nobody(how: str) -> None:
    with _start(how) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"listening\n"
        deadline = time.monotonic() + WAIT_S
        while "inside" not in _written(child.pid):
            assert time.monotonic() < deadline, _written(child.pid)
            # Again and again: the first may come before the code is there.
            os.kill(child.pid, signal.SIGRTMAX - stacks.BELOW_LAST_SIGNAL)
            time.sleep(0.01)
        child.stdin.close()
        assert child.wait(WAIT_S) == 0


def test_what_the_runtime_has_read_is_gone() -> None:
    with _start("reading") as child:
        assert child.stdout is not None
        child.stdout.readline()
        folder = Path(f"/proc/{child.pid}/fd")
        name = f"/memfd:{stacks.FILE}"
        (file,) = (one for one in folder.iterdir() if os.readlink(one).startswith(name))
        for _ in range(2):
            with file.open("wb"):  # which empties it
                pass
            os.kill(child.pid, signal.SIGRTMAX - stacks.BELOW_LAST_SIGNAL)
            deadline = time.monotonic() + WAIT_S
            while not file.read_bytes().endswith(b"<module>\n"):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert file.read_bytes().startswith(b"Current thread")
        child.kill()
