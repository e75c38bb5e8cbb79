"""pydantic-ai agents in the real worker: its own process, frames over two pipes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import pytest

from synapse_agent.frame import FaultFrame, OutputCheck, Result
from wire import Agent, call, frame, welcome

REPOSITORY = Path(__file__).parents[3]
SHIPPED = "agents.assistant:agent"
ENDED_WITHIN_S = 2.0


def _result(answer: Result | FaultFrame) -> Result:
    assert isinstance(answer, Result), answer
    return answer


def _fault(answer: Result | FaultFrame) -> FaultFrame:
    assert isinstance(answer, FaultFrame), answer
    return answer


@pytest.mark.parametrize("mode", ["run", "run_stream", "run_sync"])
def test_the_shipped_assistant_remembers(mode: str) -> None:
    with Agent.started(REPOSITORY, SHIPPED, model="offline", mode=mode) as agent:
        told = _result(agent.ask("My name is Ada.", stream=True, history=[]))
        assert told.output == "Nice to meet you, Ada."
        assert "".join(agent.chunks(1)) == told.output
        asked = _result(agent.ask("What is my name?", run=2, history=[told.new_messages]))
        assert asked.output == "Your name is Ada."
        agent.send(frame(8, 0, 5_000))
        assert agent.exit_code() == 0
        assert agent.stderr() == ""


@pytest.mark.parametrize("mode", ["run", "run_stream", "run_sync"])
def test_a_call_of_no_conversation_gets_no_messages(mode: str) -> None:
    with Agent.started(REPOSITORY, SHIPPED, model="offline", mode=mode) as agent:
        alone = _result(agent.ask("My name is Ada."))
        assert (alone.new_messages, alone.message_count) == (None, 0)
        begun = _result(agent.ask("My name is Ada.", run=2, history=[]))
        assert begun.new_messages is not None
        assert begun.message_count == 2


def test_the_manifest_reaches_the_runtime() -> None:
    with Agent.started(REPOSITORY, "agents.analyst:agent", model="offline") as agent:
        manifest: dict[str, Any] = agent.ready.manifest
        assert manifest["output_fields"] == ["title", "risk"]
        assert _result(agent.ask("a data breach")).output == {
            "title": "A data breach",
            "risk": "high",
        }


@pytest.mark.parametrize("mode", ["run", "run_stream", "run_sync"])
def test_a_cancelled_run_ends_and_the_next_one_runs(mode: str) -> None:
    with Agent.started(REPOSITORY, SHIPPED, model="offline", mode=mode) as agent:
        agent.send(_call_frame(1, "tell me a long story"))
        if mode == "run_stream":
            agent.expect("Chunk")
        agent.send(frame(6, 1, "cancelled"))
        began = time.monotonic()
        fault = _fault(agent.answer(1))
        assert time.monotonic() - began < ENDED_WITHIN_S
        assert (fault.origin, fault.code) == ("caller", "cancelled")
        if mode == "run_stream":
            assert b"Once" in cast("bytes", fault.new_messages)
        assert _result(agent.ask("say hi", run=2)).output == "hi"


def test_a_stream_without_credit_can_be_cancelled() -> None:
    with Agent.started(REPOSITORY, SHIPPED, model="offline") as agent:
        agent.send(_call_frame(1, "count to 500", credit=3))
        for _ in range(3):
            agent.expect("Chunk", 1)
        agent.send(frame(6, 1, "caller_gone"))
        fault = _fault(agent.answer(1))
        assert fault.code == "cancelled"
        assert b"1 2 3" in cast("bytes", fault.new_messages)


def test_many_streams_interleave() -> None:
    with Agent.started(REPOSITORY, SHIPPED, model="offline", concurrency=8) as agent:
        for run in range(1, 9):
            agent.send(_call_frame(run, f"count to {run * 10}", credit=1_000))
        for run in range(1, 9):
            assert _result(agent.answer(run)).output.endswith(str(run * 10))


def test_an_agent_that_only_the_configuration_declares() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    for mode in ("run", "run_sync"):
        with Agent(REPOSITORY) as agent:
            agent.expect("Hello")
            agent.send(welcome(None, model="offline", mode=mode, output_schema=schema))
            agent.expect("Ready")
            agent.send(_call_frame(1, "seven is 7"))
            refused: OutputCheck = agent.expect("OutputCheck")
            assert refused.output == {"n": 7}
            agent.send(frame(4, 1, refused.check, False, "n: must be 8"))
            accepted: OutputCheck = agent.expect("OutputCheck")
            agent.send(frame(4, 1, accepted.check, True, None))
            assert _result(agent.answer(1)).output == {"n": 8}


def test_a_missing_key_is_one_clear_line_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "keyed.py").write_text(
        "from pydantic_ai import Agent\nagent = Agent('openai:gpt-5')\n"
    )
    with Agent(tmp_path) as agent:
        agent.expect("Hello")
        path = [str(tmp_path)]
        agent.send(welcome("keyed:agent", path=path, withheld=["OPENAI_API_KEY"]))
        fault: FaultFrame = agent.expect("FaultFrame")
        assert (fault.run, fault.code) == (0, "start_failed")
        assert fault.message == (
            "keyed.py:2, while the module is imported: "
            "OPENAI_API_KEY is set where the runtime runs, but is not passed to this agent: "
            'add env_pass = ["OPENAI_API_KEY"] to [agent.agent]'
        )
        assert fault.details is not None
        assert fault.details["variable"] == "OPENAI_API_KEY"
        assert "keyed.py" in fault.details["traceback"]
        assert agent.exit_code() == 1
    with Agent.started(tmp_path, "keyed:agent", model="offline") as agent:
        assert _result(agent.ask("say hi")).output == "hi"


def _start_fault(folder: Path, entry: str, **configuration: Any) -> FaultFrame:
    """What a start in a folder, whose own packages stand before the installed ones, comes to."""
    with Agent(folder, environment={"PYTHONPATH": str(folder)}) as agent:
        agent.expect("Hello")
        agent.send(welcome(entry, **configuration))
        fault: FaultFrame = agent.expect("FaultFrame")
        assert (fault.run, fault.code) == (0, "start_failed")
        assert agent.exit_code() == 1
    return fault


def test_a_traceback_travels_with_a_failed_start(tmp_path: Path) -> None:
    (tmp_path / "chain.py").write_text("import deeper\nagent = deeper.boot()\n")
    (tmp_path / "deeper.py").write_text("def boot():\n    return {}['nope']\n")
    fault = _start_fault(tmp_path, "chain:agent")
    assert fault.message == "deeper.py:2: KeyError: 'nope'"
    assert fault.details is not None
    for said in ("chain.py", "line 2, in boot", "KeyError: 'nope'"):
        assert said in fault.details["traceback"]


def _installed(folder: Path, version: str, source: str) -> None:
    """A pydantic-ai of another version, with this code."""
    record = folder / f"pydantic_ai_slim-{version}.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: pydantic-ai-slim\nVersion: {version}\n"
    )
    (folder / "pydantic_ai").mkdir()
    (folder / "pydantic_ai" / "__init__.py").write_text(source)


@pytest.mark.parametrize(
    ("version", "source"),
    [
        ("2.59.3", "class Agent: pass\n"),
        ("1.9.0", "class Other: pass\n"),
        ("0.8.1", "import opentelemetry_that_has_moved\n"),
    ],
)
def test_an_old_pydantic_ai_is_told_by_its_version(
    tmp_path: Path, version: str, source: str
) -> None:
    _installed(tmp_path, version, source)
    (tmp_path / "old.py").write_text("from pydantic_ai import Agent\nagent = Agent()\n")
    fault = _start_fault(tmp_path, "old:agent")
    assert f"this Python environment has pydantic-ai {version}; 2.60 or newer is needed" in (
        fault.message
    )
    assert "-m pip install 'pydantic-ai-slim[openai]>=2.60'" in fault.message


def test_an_error_beside_an_old_pydantic_ai_is_told_as_it_is(tmp_path: Path) -> None:
    _installed(tmp_path, "1.9.0", "class Agent: pass\n")
    (tmp_path / "old.py").write_text("import pydantic_ai\n\nagent = 1 / 0\n")
    fault = _start_fault(tmp_path, "old:agent")
    assert fault.message == "old.py:3: ZeroDivisionError: division by zero"


def test_a_factory_that_fails_at_the_start_is_named(tmp_path: Path) -> None:
    (tmp_path / "bank.py").write_text(
        "def agent(prompt: str, deps: object) -> str:\n    return prompt\n\n\n"
        "def connect():\n    raise ConnectionError('db refused')\n"
    )
    fault = _start_fault(tmp_path, "bank:agent", deps="bank:connect", deps_scope="incarnation")
    assert fault.message == (
        "bank.py:6: the deps factory bank:connect failed: ConnectionError: db refused"
    )


def test_a_tool_that_raises_leaves_the_agent_alive(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(
        "from pydantic_ai import Agent\n"
        "agent = Agent()\n"
        "@agent.tool_plain\n"
        "def divide(a: int, b: int) -> float:\n"
        "    return a / b\n"
    )
    with Agent.started(tmp_path, "tools:agent", model="offline") as agent:
        fault = _fault(agent.ask("divide 1 by 0"))
        assert (fault.origin, fault.code) == ("agent", "agent_error")
        assert fault.message == "tool divide failed: ZeroDivisionError: division by zero"
        assert _result(agent.ask("divide 6 by 3", run=2)).output == "divide returned: 2.0"


def _call_frame(run: int, prompt: str, credit: int = 64) -> bytes:
    return call(run, prompt, stream=True, credit=credit)
