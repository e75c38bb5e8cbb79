"""The real worker in a real process, spoken to in frames."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synapse_agent.sentinel import resident_bytes
from wire import Agent, call, frame, welcome

HERE = Path(__file__).parent
STOP = frame(8, 0, 5000)

Start = Callable[..., Agent]


@pytest.fixture
def start() -> Any:
    """Start agents of `programs`; all are killed at the end."""
    agents: list[Agent] = []

    def begin(entry: str, **configuration: Any) -> Agent:
        agent = Agent.started(HERE, f"programs:{entry}", **configuration)
        agents.append(agent)
        return agent

    yield begin
    for agent in agents:
        agent.close()


KINDS = [
    pytest.param("echo", {}, id="sync"),
    pytest.param("echo", {"concurrency": 4}, id="threads"),
    pytest.param("echo_async", {"concurrency": 4}, id="async"),
    pytest.param("echo_later", {"concurrency": 4}, id="suspends"),
]
BOTH = [pytest.param("", id="sync"), pytest.param("_async", id="async")]


@pytest.mark.parametrize(("entry", "configuration"), KINDS)
def test_answers_many_calls_in_any_arrangement(
    start: Start, entry: str, configuration: dict[str, Any]
) -> None:
    agent = start(entry, **configuration)
    slots = configuration.get("concurrency", 1)
    runs = range(1, 200)
    agent.send(*(call(run, f"prompt {run}", prefetched=run > slots) for run in runs))
    assert {run: agent.answer(run).output for run in runs} == {run: f"prompt {run}" for run in runs}
    started = [one.run for one in agent.frames if type(one).__name__ == "Started"]
    assert started == [run for run in runs if run > slots]


@pytest.mark.parametrize(("entry", "configuration"), KINDS)
def test_large_payload_comes_back(start: Start, entry: str, configuration: dict[str, Any]) -> None:
    agent = start(entry, **configuration)
    large = "é" * 3_000_000
    for run in (1, 2, 3):
        assert agent.ask(large, run).output == large


def test_call_cut_into_single_bytes_is_understood(start: Start) -> None:
    agent = start("echo")
    for byte in call(1, "slowly"):
        agent.send(bytes([byte]))
    assert agent.answer(1).output == "slowly"


def test_sync_agent_imports_neither_asyncio_nor_pydantic(start: Start) -> None:
    agent = start("modules")
    asked = "asyncio pydantic pydantic_ai logging concurrent.futures"
    # The module under test imports asyncio itself; a clean one is asked instead.
    assert agent.ask(asked).output == ["asyncio", "logging", "concurrent.futures"]
    agent = Agent.started(HERE.parents[1], "agents.echo:echo")
    try:
        maps = Path(f"/proc/{agent.process.pid}/maps").read_text()
        assert "_asyncio" not in maps
        assert "pydantic" not in maps
    finally:
        agent.close()


@pytest.mark.parametrize("kind", BOTH)
def test_generator_streams_and_joins(start: Start, kind: str) -> None:
    agent = start(f"count{kind}")
    assert agent.ask(3, 1, stream=True).output == "0 1 2 "
    assert agent.chunks(1) == ["0 ", "1 ", "2 "]
    assert agent.ask(3, 2).output == "0 1 2 "
    assert agent.chunks(2) == []


@pytest.mark.parametrize("kind", BOTH)
def test_stream_stops_where_credit_ends_and_goes_on_with_more(start: Start, kind: str) -> None:
    agent = start(f"count{kind}")
    agent.send(call(1, 10, stream=True, credit=3))
    for seq in range(3):
        assert agent.expect("Chunk").seq == seq
    agent.send(frame(7, 0, 1))
    agent.expect("Pong")
    assert not agent.frames
    agent.send(frame(5, 1, 2))
    assert [agent.expect("Chunk").seq for _ in range(2)] == [3, 4]
    agent.send(frame(5, 1, 100))
    assert agent.answer(1).output == "0 1 2 3 4 5 6 7 8 9 "


@pytest.mark.parametrize("kind", BOTH)
def test_cancel_ends_a_stream_that_has_no_credit(start: Start, kind: str) -> None:
    agent = start(f"count{kind}")
    agent.send(call(1, 10, stream=True, credit=1))
    agent.expect("Chunk")
    agent.send(frame(6, 1, "caller_gone"))
    fault = agent.answer(1)
    assert (fault.code, fault.origin, fault.details) == (
        "cancelled",
        "caller",
        {"reason": "caller_gone"},
    )
    assert agent.ask(1, 2).output == "0 "


@pytest.mark.parametrize("entry", ["says", "says_async"])
def test_context_emits_text_and_events(start: Start, entry: str) -> None:
    agent = start(entry)
    assert agent.ask("hm", stream=True).output == "one two"
    assert agent.chunks(1) == ["one ", {"type": "thinking", "text": "hm"}, "two"]


def test_agent_that_cannot_stream_sends_one_chunk(start: Start) -> None:
    agent = start("echo")
    assert agent.ask("whole", stream=True).output == "whole"
    assert agent.chunks(1) == ["whole"]


def test_long_text_is_split_between_characters(start: Start) -> None:
    agent = start("echo")
    text = "aé" * 100_000
    assert agent.ask(text, stream=True).output == text
    chunks = agent.chunks(1)
    assert "".join(chunks) == text
    assert max(len(chunk.encode()) for chunk in chunks) <= 65536


def test_cancel_ends_code_that_emits_and_awaits_nothing_else(start: Start) -> None:
    agent = start("emits_for_ever_async")
    agent.send(call(1, "x"))  # no stream: an emit is done at once
    agent.send(frame(6, 1, "cancelled"))
    assert agent.answer(1).code == "cancelled"
    agent.send(call(2, "x"))
    agent.send(frame(7, 0, 1))
    agent.expect("Pong")  # by the sentinel: the loop is away
    agent.send(frame(6, 2, "cancelled"))
    assert agent.answer(2).code == "cancelled"


def test_blocking_function_sees_the_cancel(start: Start) -> None:
    agent = start("until_cancelled")
    agent.send(call(1, "x"))
    agent.until_busy()
    agent.send(frame(6, 1, "cancelled"))
    assert agent.answer(1).code == "cancelled"


def test_threaded_function_sees_the_cancel(start: Start) -> None:
    agent = start("until_cancelled", concurrency=2)
    agent.send(call(1, "x"), call(2, "x"), frame(6, 1, "cancelled"))
    assert agent.answer(1).code == "cancelled"
    agent.send(frame(6, 2, "deadline_exceeded"))
    assert agent.answer(2).details == {"reason": "deadline_exceeded"}


def test_emit_raises_after_a_cancel_so_that_the_function_unwinds(start: Start) -> None:
    agent = start("emits_for_ever")
    agent.send(call(1, "x", stream=True, credit=1 << 31))
    agent.expect("Chunk")
    agent.send(frame(6, 1, "cancelled"))
    assert agent.answer(1).code == "cancelled"
    assert agent.expect("Log").message == "let go"


def test_prefetched_call_is_cancelled_before_it_starts(start: Start) -> None:
    agent = start("until_cancelled")
    agent.send(call(1, "x"), call(2, "x", prefetched=True))
    agent.until_busy()
    agent.send(frame(6, 2, "cancelled"), frame(6, 1, "cancelled"))
    assert agent.answer(1).code == "cancelled"
    assert agent.answer(2).code == "cancelled"
    assert [type(one).__name__ for one in agent.frames] == []


def test_coroutine_is_cancelled_and_its_finally_runs(start: Start) -> None:
    agent = start("sleeps", concurrency=2)
    agent.send(call(1, "x"), call(2, "y"), frame(6, 2, "cancelled"))
    assert agent.answer(2).code == "cancelled"
    agent.send(frame(6, 1, "cancelled"))
    assert agent.answer(1).code == "cancelled"


def test_coroutine_that_cancels_itself_is_its_own_fault(start: Start) -> None:
    agent = start("cancels_itself", concurrency=2)
    assert agent.ask("x").code == "agent_error"
    assert agent.ask("x", 2).code == "agent_error"


@pytest.mark.skipif(sys.platform != "linux", reason="opens its own pipe by /proc")
def test_cancel_that_comes_before_the_first_step_ends_the_run(start: Start) -> None:
    agent = start("cancelled_when_new", concurrency=2)
    # In one write: 3 and 4 must be there before 2 ends.
    ahead = (call(3, "x", prefetched=True), call(4, "x", prefetched=True))
    agent.send(call(1, "waits"), call(2, "lets go"), *ahead)
    assert agent.answer(4).code == "cancelled"
    assert agent.answer(3).output == "x"
    assert agent.ask("x", 5).output == "x"


@pytest.mark.parametrize("entry", ["emits_too_much", "emits_too_much_async"])
def test_emitted_text_too_long_for_an_output_is_none(start: Start, entry: str) -> None:
    agent = start(entry)
    assert agent.ask("returns", 1).output == "returned"
    fault = agent.ask("returns nothing", 2)
    assert (fault.origin, fault.code) == ("runtime", "output_too_large")
    assert "the stream's text is longer than a result may be" in fault.message


@pytest.mark.parametrize("entry", ["fails_on_cancel", "fails_on_cancel_async"])
def test_cancel_callback_that_raises_is_logged_and_ends_no_reader(start: Start, entry: str) -> None:
    agent = start(entry)
    agent.send(call(1, "0.2"))
    assert agent.expect("Log", 1).message == "begun"
    agent.send(frame(6, 1, "cancelled"))
    said = agent.expect("Log", 1)
    assert said.level == "error"
    assert "the callback's own mistake" in said.message
    agent.expect_pong(2)
    assert agent.answer(1).code == "cancelled"


@pytest.mark.parametrize("entry", ["busy", "blocks", "spins"])
def test_ping_is_answered_while_code_blocks_with_its_lag(start: Start, entry: str) -> None:
    agent = start(entry)
    agent.send(frame(7, 0, 99))
    idle = agent.expect("Pong")
    assert (idle.nonce, idle.lag_us) == (99, 0)
    assert idle.resident_bytes > 5_000_000
    agent.send(call(1, "0.6"))
    agent.until_busy()
    before = agent.expect_pong(1).lag_us
    agent.quiet_for(0.2)
    after = agent.expect_pong(2).lag_us
    assert 150_000 < after - before < 600_000
    assert agent.answer(1).output == "0.6"
    assert agent.expect_pong(3).lag_us == 0


@pytest.mark.parametrize("entry", ["busy", "blocks", "sleeps", "echo", "echo_async"])
def test_end_of_file_ends_the_process_whatever_it_does(start: Start, entry: str) -> None:
    agent = start(entry)
    agent.send(call(1, "30"))
    if entry in ("busy", "blocks"):
        agent.until_busy()
    agent.close_input()
    begin = time.monotonic()
    assert agent.exit_code() == 0
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("entry", ["echo", "echo_async"])
def test_stop_drains_in_order_then_runs_exit_handlers(start: Start, entry: str) -> None:
    agent = start("goodbye")
    agent.send(call(1, "a"), call(2, "b", prefetched=True), STOP, call(3, "c", prefetched=True))
    assert agent.answer(1).output == "a"
    assert agent.answer(2).output == "b"
    refused = agent.answer(3)
    assert (refused.code, refused.retryable) == ("agent_stopped", True)
    assert agent.exit_code() == 0
    assert agent.stderr().splitlines() == ["atexit ran"] * 2


def test_stop_waits_for_suspended_runs(start: Start) -> None:
    agent = start("echo_later", concurrency=4)
    agent.send(*(call(run, "x") for run in (1, 2, 3)), STOP)
    assert {agent.answer(run).output for run in (1, 2, 3)} == {"x"}
    assert agent.exit_code() == 0


@pytest.mark.parametrize("entry", ["unwinds", "unwinds_async"])
def test_sigterm_unwinds_the_stack(start: Start, entry: str) -> None:
    agent = start(entry)
    agent.send(call(1, "x"))
    assert agent.process.stderr is not None
    assert agent.process.stderr.readline() == b"begun\n"
    agent.process.terminate()
    assert agent.exit_code() == 128 + signal.SIGTERM
    assert agent.stderr() == "finally ran\n"


@pytest.mark.parametrize("entry", ["echo", "echo_async"])
def test_sigint_is_the_runtimes_to_act_upon(start: Start, entry: str) -> None:
    agent = start(entry)
    agent.process.send_signal(signal.SIGINT)
    assert agent.ask("still here").output == "still here"


@pytest.mark.parametrize("concurrency", [1, 2])
def test_exception_is_told_with_its_traceback(start: Start, concurrency: int) -> None:
    fault = start("raises", concurrency=concurrency).ask("what a pity")
    assert (fault.origin, fault.code) == ("agent", "agent_error")
    assert fault.message == "ValueError: what a pity"
    assert fault.details["exception"] == "ValueError"
    assert "programs.py" in fault.details["traceback"]
    assert "worker_sync" not in fault.details["traceback"]


@pytest.mark.parametrize(
    ("entry", "concurrency"),
    [("raises_unusually", 1), ("raises_unusually", 2), ("raises_unusually_async", 2)],
)
def test_no_exception_costs_a_slot_or_the_process(
    start: Start, entry: str, concurrency: int
) -> None:
    agent = start(entry, concurrency=concurrency)
    kinds = ["cancelled", "unusual", "group", "mute", "stop", "surrogate"]
    for run, what in enumerate(kinds * 2, 1):
        fault = agent.ask(what, run)
        assert (fault.origin, fault.code) == ("agent", "agent_error")


@pytest.mark.parametrize(
    ("what", "part"),
    [
        ("bytes", "the output is a bytes, which is no JSON: decode it"),
        ("set", "make it a list"),
        ("nan", "the output.a[1] is nan"),
        ("key", "the output has the key 1; keys must be strings"),
        ("huge", "more than 64 bits"),
        ("surrogate", "surrogates not allowed"),
        ("deep", "levels deep"),
    ],
)
def test_output_that_is_no_json_is_explained(start: Start, what: str, part: str) -> None:
    agent = start("returns")
    fault = agent.ask(what)
    assert (fault.origin, fault.code) == ("agent", "agent_error")
    assert part in fault.message
    assert agent.ask(what, 2).code == "agent_error"


@pytest.mark.parametrize("what", ["large", "many"])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_output_too_large_is_a_fault_not_a_frame(start: Start, what: str, concurrency: int) -> None:
    fault = start("returns", concurrency=concurrency).ask(what)
    assert (fault.origin, fault.code) == ("runtime", "output_too_large")


def test_manifest_says_what_a_function_takes_and_returns(start: Start) -> None:
    manifest = start("report").ready.manifest
    assert manifest["output_name"] == "Report"
    assert manifest["output_fields"] == ["title", "risk"]
    [text, members] = manifest["input_schema"]["anyOf"]
    assert text == {"type": "string"}
    assert members["required"] == ["title"]
    assert (manifest["kind"], manifest["mode"], manifest["sync"]) == ("function", "run_sync", True)


def test_input_is_spread_over_parameters(start: Start) -> None:
    agent = start("report")
    assert agent.ask("a").output == {"title": "a", "risk": "high"}
    assert agent.ask({"title": "b", "words": 2}, 2).output == {"title": "bb", "risk": "high"}
    wrong = agent.ask({"title": "b", "word": 2}, 3)
    assert (wrong.origin, wrong.code) == ("caller", "schema_violation")
    assert "'word'" in wrong.message
    assert agent.ask({}, 4).message == "input lacks 'title'"
    assert agent.ask({"title": 4}, 5).message == "input.title must be a string, not an integer"


def test_text_that_was_meant_as_json_is_told_how_to_be(start: Start) -> None:
    message = start("add").ask('{"a": 1}').message
    assert (
        message
        == "input.a must be an integer, not a string (a prompt is text; `--input` gives JSON)"
    )


def test_input_becomes_a_dataclass(start: Start) -> None:
    agent = start("takes_report")
    assert agent.ask({"title": "t"}).output == "t: low"
    assert "must be one of 'low', 'high'" in agent.ask({"title": "t", "risk": "x"}, 2).message


def test_any_members_are_passed_on(start: Start) -> None:
    assert start("any_members").ask({"a": 1, "b": None}).output == {"a": 1, "b": None}


def test_deps_are_built_into_their_type(start: Start) -> None:
    agent = start("needs_deps")
    assert agent.ready.manifest["takes_deps"] is True
    assert agent.ask("p", deps={"title": "t"}).output == "p t low"
    assert agent.ask("p", 2, deps={"titel": "t"}).code == "schema_violation"


def test_deps_for_a_function_without_any_are_the_callers_mistake(start: Start) -> None:
    fault = start("echo").ask("p", deps={"a": 1})
    assert (fault.origin, fault.code) == ("caller", "invalid_input")


@pytest.mark.parametrize("scope", ["run", "incarnation"])
def test_deps_factory_is_opened_and_closed_in_its_scope(start: Start, scope: str) -> None:
    agent = start("given_deps", deps="programs:pool", deps_scope=scope)
    value = 5 if scope == "run" else None
    assert agent.ask("p", deps=5).output == f"p 'pool of {value}'"
    assert agent.ask("p", 2, deps=5).output == f"p 'pool of {value}'"
    agent.send(STOP)
    assert agent.exit_code() == 0
    assert agent.stderr().splitlines() == ["pool closed"] * (2 if scope == "run" else 1)


@pytest.mark.parametrize("scope", ["run", "incarnation"])
def test_async_deps_factory(start: Start, scope: str) -> None:
    agent = start("given_deps_async", deps="programs:pool_async", deps_scope=scope)
    assert agent.ask("p").output == "p async pool"
    agent.send(STOP)
    assert agent.exit_code() == 0
    assert agent.stderr() == "async pool closed\n"


def test_remaining_time_is_told(start: Start) -> None:
    agent = start("remaining")
    assert 59 < agent.ask("x", deadline_ms=60_000).output <= 60
    assert agent.ask("x", 2, deadline_ms=None).output is None
    assert agent.ask("x", 3, deadline_ms=0).output == 0


def test_log_lines_carry_their_run(start: Start) -> None:
    agent = start("logs")
    agent.ask("x", 7)
    first, second = agent.expect("Log"), agent.expect("Log")
    assert (first.run, first.level, first.message) == (7, "warning", "from the context")
    assert first.fields == {"number": 1, "odd": "{1, 2}"}
    assert (second.run, second.level, second.logger) == (7, "error", "mine")
    assert second.message == "from logging x"


def test_no_log_line_fails_or_costs_the_process(start: Start) -> None:
    agent = start("logs_oddly")
    assert agent.ask("x").output == "x"
    odd, half, many, critical = (agent.expect("Log") for _ in range(4))
    assert (odd.level, odd.message) == ("info", "5")
    assert half.message == "half \\ud800"
    assert half.fields["half \\ud800"] == 1
    assert len(half.fields["long"]) < 20_000
    assert len(many.fields) == 64
    assert (critical.level, critical.logger) == ("error", "half \\ud800")


def test_log_lines_of_child_tasks_carry_their_run(start: Start) -> None:
    agent = start("logs_async", concurrency=2)
    agent.send(call(8, "x"), call(9, "x"))
    assert {agent.expect("Log").run for _ in range(2)} == {8, 9}


def test_log_flood_is_dropped_and_counted(start: Start) -> None:
    agent = start("logs")
    for run in range(1, 101):
        agent.ask("x", run)
    lines = [one for one in agent.frames if type(one).__name__ == "Log"]
    assert 100 <= len(lines) <= 200  # 100 lines a second were welcomed


def test_plain_functions_run_at_once_in_threads(start: Start) -> None:
    agent = start("thread_names", concurrency=3)
    agent.send(*(call(run, "x") for run in (1, 2, 3)))
    assert len({agent.answer(run).output for run in (1, 2, 3)}) == 3


def test_context_variables_do_not_leak_between_runs(start: Start) -> None:
    agent = start("taints")
    assert [agent.ask("x", run).output for run in (1, 2, 3)] == ["clean"] * 3


def test_first_step_of_a_run_is_in_a_task(start: Start) -> None:
    agent = start("in_a_task")
    assert [agent.ask("x", run).output for run in (1, 2, 3)] == [True] * 3


def test_a_runs_task_shows_its_run(start: Start) -> None:
    agent = start("shows_its_task", concurrency=2)
    agent.send(call(7, "suspends"), call(8, "suspends"), call(9, "does not", prefetched=True))
    for run in (7, 8, 9):
        assert agent.answer(run).output.endswith(f" of run {run}>")


@pytest.mark.parametrize("entry", ["greeter", "make_greeter", "Greeter"])
def test_callable_objects_and_their_factories_are_agents(start: Start, entry: str) -> None:
    assert start(entry).ask("you").output == "hello you"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("programs:ecko", "programs.py has no 'ecko'; did you mean 'echo'?"),
        ("programms:echo", "no module named 'programms'"),
        ("programs", "entry 'programs' is not of the form module:attribute"),
        ("programs:nothing", "programs:nothing is a int: an entry is a pydantic-ai Agent"),
    ],
)
def test_wrong_entry_is_explained(entry: str, message: str) -> None:
    with Agent(HERE) as agent:
        agent.expect("Hello")
        agent.send(welcome(entry, path=[str(HERE)]))
        fault = agent.expect("FaultFrame")
        assert fault.message.startswith(message)
        assert (fault.run, fault.code) == (0, "start_failed")
        assert agent.exit_code() == 1


def test_garbage_from_the_runtime_ends_the_process_with_a_name(start: Start) -> None:
    agent = start("echo")
    agent.send(b"\0\0\0\x03abc")
    assert agent.exit_code() == 76
    assert "malformed" in agent.stderr()


def test_call_for_an_open_run_is_a_violation(start: Start) -> None:
    agent = start("sleeps")
    agent.send(call(1, "x"), call(1, "x"))
    assert agent.exit_code() == 76
    assert "unexpected_frame" in agent.stderr()


def test_version_that_nobody_speaks_is_refused() -> None:
    with Agent(HERE) as agent:
        agent.expect("Hello")
        limits = {"frame_bytes": 1 << 24}
        agent.send(frame(1, 0, 2, [2], "node", "agent", 1, {}, [], limits))
        assert agent.exit_code() == 76
        assert "version_unsupported" in agent.stderr()


def test_idle_agent_wakes_nobody(start: Start) -> None:
    for entry in ("echo", "echo_async"):
        agent = start(entry)
        agent.ask("x")
        agent.quiet_for(0.1)
        before = switches(agent.process.pid)
        agent.quiet_for(0.3)
        assert switches(agent.process.pid) == before


def switches(pid: int) -> int:
    """How often the process's threads have gone to sleep, which is how often they were woken."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        status = Path(f"/proc/{pid}/task/{task}/status").read_text()
        total += int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return total


def test_a_process_without_descriptors_still_knows_its_size() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        size = resident_bytes()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert size > 1_000_000
