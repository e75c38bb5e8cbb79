"""Each misbehaving agent does what its docstring says, seen from the other end of the pipes.

What the runtime makes of it is tested with the real binary, in tests/it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from synapse_agent.frame import Chunk, Violation
from wire import Agent, call, frame, welcome

FOLDER = Path(__file__).parents[2] / "tests" / "agents" / "misbehaving"


def greeted(entry: str, **configuration: object) -> Agent:
    """An agent that was welcomed and has not been waited for."""
    agent = Agent(FOLDER)
    agent.expect("Hello")
    agent.send(welcome(entry, path=[str(FOLDER)], **configuration))
    return agent


def ready(entry: str, **configuration: object) -> Agent:
    return Agent.started(FOLDER, entry, **configuration)


def test_exits_at_import_without_a_word() -> None:
    with greeted("exits_at_import:answer") as agent:
        assert agent.exit_code() == 3


def test_raises_at_import_is_one_clear_line() -> None:
    with greeted("raises_at_import:answer") as agent:
        fault = agent.expect("FaultFrame")
        assert (fault.run, fault.code, fault.origin) == (0, "start_failed", "agent")
        assert fault.message == (
            "raises_at_import.py:9: ModuleNotFoundError: No module named 'a_module_that_nobody_has'"
        )
        assert agent.exit_code() == 1
        assert agent.stderr() == ""


def test_exits_at_start_between_welcome_and_ready() -> None:
    deps = {"deps": "exits_at_start:connect", "deps_scope": "incarnation"}
    with greeted("exits_at_start:answer", **deps) as agent:
        assert agent.exit_code() == 4


def test_never_ready_still_answers_pings_and_obeys_the_end_of_file() -> None:
    with greeted("never_ready:answer") as agent:
        agent.send(frame(7, 0, 5))
        assert agent.expect("Pong").nonce == 5
        agent.close_input()
        assert agent.exit_code() == 0


def test_ready_late_answers_calls() -> None:
    with ready("ready_late:answer") as agent:
        assert agent.ready.manifest["loaded_ms"] >= 2000
        assert agent.ask("hello").output == "hello"


def test_prints_to_stdout_reach_stderr_only() -> None:
    with ready("prints_to_stdout:answer") as agent:
        assert agent.ask("hello").output == "hello"
        agent.send(frame(8, 0, 1000))
        assert agent.exit_code() == 0
        assert agent.stderr().splitlines() == [
            "printed while importing",
            "printed by print",
            "printed by write",
            "printed to descriptor 1",
            "printed by a subprocess",
        ]


@pytest.mark.parametrize(
    ("name", "violation"),
    [("writes_garbage", "malformed"), ("writes_oversize_length", "frame_too_long")],
)
def test_broken_frames_are_named(name: str, violation: str) -> None:
    with ready(f"{name}:answer") as agent:
        agent.send(call(1, "x"))
        with pytest.raises(Violation) as raised:
            agent.answer(1)
        assert raised.value.name == violation


def test_floods_stderr_and_answers() -> None:
    with ready("floods_stderr:answer") as agent:
        agent.send(call(1, "1"))
        assert agent.process.stderr is not None
        flood = 0
        while flood < 1024 * 1024:
            flood += len(os.read(agent.process.stderr.fileno(), 65536))
        assert agent.answer(1).output == "1024"


def test_forks_grandchild_that_holds_the_pipes() -> None:
    with ready("forks_grandchild:answer") as agent:
        grandchild = int(agent.ask("fork").output)
        try:
            agent.send(call(2, "die"))
            assert agent.exit_code() == -signal.SIGKILL
            os.kill(grandchild, 0)  # alive, and the pipe is not at its end
            agent.quiet_for(0.05)
            assert not agent.ended
        finally:
            os.kill(grandchild, signal.SIGKILL)


def test_ignores_sigterm_until_it_is_killed() -> None:
    with ready("ignores_sigterm:answer") as agent:
        agent.send(call(1, "x"))
        assert agent.process.stderr is not None
        assert agent.process.stderr.readline() == b"deaf to SIGTERM\n"
        agent.send(frame(8, 0, 100))
        agent.process.terminate()
        agent.quiet_for(0.1)
        assert agent.process.poll() is None


def test_blocks_its_loop_and_says_how_long() -> None:
    with ready("blocks_its_loop:answer", concurrency=4) as agent:
        agent.send(call(1, "1"))
        lags: list[int] = []
        for nonce in range(3):
            agent.quiet_for(0.1)
            agent.send(frame(7, 0, nonce))
            lags.append(agent.expect("Pong").lag_us)
        assert lags == sorted(lags)
        assert lags[0] > 50_000
        assert lags[2] - lags[0] > 150_000
        assert agent.answer(1).output == "1"


def test_dies_mid_stream_after_three_chunks() -> None:
    with ready("dies_mid_stream:answer") as agent:
        agent.send(call(1, "SIGKILL", stream=True))
        with contextlib.suppress(AssertionError):
            agent.answer(1)
        assert agent.chunks(1) == ["one ", "two ", "three "]
        assert agent.exit_code() == -signal.SIGKILL


def test_answers_unknown_run() -> None:
    with ready("answers_unknown_run:answer") as agent:
        agent.send(call(1, "x"))
        assert agent.expect("Result").run == 987_654_321


def test_ignores_credit() -> None:
    with ready("ignores_credit:answer") as agent:
        agent.send(call(1, "x", stream=True))
        chunks: list[Chunk] = []
        while len(chunks) < 2000:
            chunks.append(agent.expect("Chunk"))


def test_ignores_cancel_and_ends_as_cancelled() -> None:
    with ready("ignores_cancel:answer") as agent:
        begin = time.monotonic()
        agent.send(call(1, "0.3"))
        agent.until_busy()
        agent.send(frame(6, 1, "cancelled"))
        assert agent.answer(1).code == "cancelled"
        assert time.monotonic() - begin > 0.2


def test_crash_loops() -> None:
    with greeted("crash_loops:answer") as agent:
        assert agent.exit_code() == 9


def test_never_says_hello() -> None:
    with Agent(FOLDER, environment={"PYTHONPATH": str(FOLDER / "never_says_hello")}) as agent:
        agent.quiet_for(0.5)
        assert not agent.frames
        assert agent.process.poll() is None


def test_says_hello_late() -> None:
    late = {"SYNAPSE_TEST_LATE_S": "0.3", "PYTHONPATH": str(FOLDER / "says_hello_late")}
    with Agent(FOLDER, environment=late) as agent:
        agent.quiet_for(0.2)
        assert not agent.frames
        agent.expect("Hello")
