"""The runtime's end of the pipes for tests: starts the real worker and speaks frames with it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from msgpack import packb

from synapse_agent.decoder import Decoder
from synapse_agent.direction import FROM_AGENT
from synapse_agent.frame import Chunk, FaultFrame, Result

SOURCE = Path(__file__).parent.parent / "src"
DEADLINE_S = 20.0


def frame(*elements: Any) -> bytes:
    """A frame of these elements."""
    body = packb(list(elements))
    return len(body).to_bytes(4, "big") + body


def call(run: int, value: Any, **given: Any) -> bytes:
    """A call; fields that are not given are what the runtime sends by default."""
    fields = {
        "stream": False, "prefetched": False, "credit": 64, "deadline_ms": 60_000, "deps": None,
        "history": None, "model": None, "settings": None, "instructions": None, "limits": None,
        "trace": None,
    }  # fmt: skip
    fields.update(given)
    return frame(2, run, value, *fields.values())


def welcome(entry: str | None, **configuration: Any) -> bytes:
    """A welcome for an agent named `agent`."""
    configuration = {"entry": entry, "path": [], "concurrency": 1, **configuration}
    limits = {"frame_bytes": 1 << 24, "chunk_bytes": 1 << 16, "credit": 64, "log_lines_per_s": 100}
    return frame(1, 0, 1, [1], "node", "agent", 1, configuration, [], limits)


class Agent:
    """One worker process, and what it has said so far."""

    def __init__(self, folder: Path, *, environment: dict[str, str] | None = None) -> None:
        """Start the worker in `folder`."""
        given = dict(environment or {})
        path = [given.pop("PYTHONPATH", ""), str(SOURCE)]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "PYTHONWARNINGS": "error",
            **given,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "synapse_agent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment,
            bufsize=0,
            process_group=0,
        )
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self._in = self.process.stdin
        self._out = self.process.stdout.fileno()
        self._decoder = Decoder(FROM_AGENT)
        self.frames: list[Any] = []
        self.ended = False

    @classmethod
    def started(cls, folder: Path, entry: str, **configuration: Any) -> Self:
        """Start, greet, and wait until it is ready."""
        agent = cls(folder)
        agent.expect("Hello")
        agent.send(welcome(entry, path=[str(folder)], **configuration))
        agent.ready = agent.expect("Ready")
        return agent

    ready: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the process group and close every pipe."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def send(self, *data: bytes) -> None:
        """Write frames whole."""
        view = memoryview(b"".join(data))
        while view:
            view = view[os.write(self._in.fileno(), view) :]

    def close_input(self) -> None:
        """What the runtime's death does."""
        self._in.close()

    def expect(self, kind: str, run: int | None = None) -> Any:
        """Wait for the next frame of a kind (of a run); it and none before it is taken out."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            for index, one in enumerate(self.frames):
                if type(one).__name__ == kind and run in (None, one.run):
                    return self.frames.pop(index)
            assert not self.ended, f"no {kind}: the agent ended; had {self.frames}; {self.stderr()}"
            self._read(deadline, kind)

    def answer(self, run: int) -> Any:
        """Wait for the end of a run."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            for index, one in enumerate(self.frames):
                if isinstance(one, (Result, FaultFrame)) and one.run == run:
                    return self.frames.pop(index)
            assert not self.ended, f"no end of run {run}: the agent ended; {self.stderr()}"
            self._read(deadline, f"end of run {run}")

    def ask(self, value: Any, run: int = 1, **given: Any) -> Any:
        """One call and its end."""
        self.send(call(run, value, **given))
        return self.answer(run)

    def chunks(self, run: int) -> list[Any]:
        """The data of the chunks that have come so far, taken out, their numbers checked."""
        found = [one for one in self.frames if isinstance(one, Chunk) and one.run == run]
        self.frames = [one for one in self.frames if one not in found]
        assert [one.seq for one in found] == list(range(len(found)))
        return [one.data for one in found]

    def until_busy(self) -> None:
        """Wait until user code has been running for a moment: a pong tells of its lag."""
        for nonce in range(1000):
            self.send(frame(7, 0, nonce))
            if self.expect("Pong").lag_us > 0:
                return
        raise AssertionError("the agent never began to run")

    def expect_pong(self, nonce: int) -> Any:
        """Ping, and wait for its own pong."""
        self.send(frame(7, 0, nonce + 1_000_000))
        while True:
            pong = self.expect("Pong")
            if pong.nonce == nonce + 1_000_000:
                return pong

    def quiet_for(self, seconds: float) -> None:
        """Read whatever comes within a time; for what must not happen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self._out], [], [], max(0, deadline - time.monotonic()))
            if ready:
                self._read(deadline + 1, "anything")

    def exit_code(self) -> int:
        """Wait for the end of the process."""
        return self.process.wait(DEADLINE_S)

    def stderr(self) -> str:
        """What the process wrote to stderr; only after its end."""
        self.process.wait(DEADLINE_S)
        assert self.process.stderr
        return self.process.stderr.read().decode()

    def _read(self, deadline: float, what: str) -> None:
        left = deadline - time.monotonic()
        ready, _, _ = select.select([self._out], [], [], max(0, left))
        assert ready, f"no {what} within {DEADLINE_S} s; had {self.frames}"
        data = os.read(self._out, 65536)
        self.ended = not data
        self.frames += self._decoder.feed(data)
