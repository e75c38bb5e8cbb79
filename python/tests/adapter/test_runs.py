"""Runs through the adapter: modes, streams, history, usage, and what overrides what."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import pytest
import sniffio
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.models.test import TestModel

from driving import OFFLINE, drive, drive_program, failing, program_of
from synapse_agent import adapter
from synapse_agent.adapter.declaration import current_port
from synapse_agent.program import Configuration, Fault, Mode
from synapse_agent.testing import RecordingPort, call

MODES: list[Mode] = ["run", "run_stream", "run_sync"]


class Report(BaseModel):
    title: str
    risk: Literal["low", "high"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_answers(mode: Mode) -> None:
    configuration = Configuration(model="offline", mode=mode)
    driven = drive(Agent(), call("My name is Ada."), configuration=configuration)
    assert driven.outcome.output == "Nice to meet you, Ada."
    assert driven.outcome.message_count == 2
    assert driven.outcome.usage == {
        "requests": 1,
        "tool_calls": 0,
        "input_tokens": 5,
        "output_tokens": 7,
    }


@pytest.mark.parametrize("mode", MODES)
def test_the_runtime_is_told_before_the_first_tool_begins(mode: Mode) -> None:
    told: list[int] = []
    agent = Agent(TestModel())

    @agent.tool_plain
    def act() -> str:
        told.append(cast("RecordingPort", current_port.get()).effects)
        return "done"

    driven = drive(agent, call("x"), configuration=Configuration(mode=mode))
    assert told == [1]
    assert driven.port.effects == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_function_that_takes_the_output_is_an_effect_and_an_answer_is_none(mode: Mode) -> None:
    configuration = Configuration(mode=mode)

    def file(text: str) -> str:
        return text

    filing = drive(Agent(TestModel(), output_type=file), call("x"), configuration=configuration)
    assert filing.port.effects == 1
    for agent in (Agent(TestModel()), Agent(TestModel(), output_type=Report)):
        assert drive(agent, call("x"), configuration=configuration).port.effects == 0


@pytest.mark.parametrize("mode", MODES)
def test_anyio_is_told_that_asyncio_runs_in_the_agents_thread_alone(mode: Mode) -> None:
    said: list[str | None] = []

    async def respond(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        said.append(sniffio.thread_local.name)
        other = threading.Thread(target=lambda: said.append(sniffio.thread_local.name))
        other.start()
        other.join()
        return ModelResponse(parts=[TextPart("ok")])

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        await respond(messages, info)
        yield "ok"

    agent = Agent(FunctionModel(respond, stream_function=stream))
    drive(agent, call("x"), configuration=Configuration(mode=mode))
    assert [*said, sniffio.thread_local.name] == ["asyncio", None, None]


def test_a_streamed_answer_comes_in_pieces_the_first_included() -> None:
    driven = drive(Agent(), call("My name is Ada.", stream=True))
    assert driven.port.texts == ["Nice", " to", " meet", " you,", " Ada."]


@pytest.mark.parametrize("mode", ["run", "run_sync"])
def test_a_mode_that_cannot_stream_gives_one_chunk(mode: Mode) -> None:
    configuration = Configuration(model="offline", mode=mode)
    driven = drive(Agent(), call("My name is Ada.", stream=True), configuration=configuration)
    assert driven.port.texts == ["Nice to meet you, Ada."]


def test_a_call_that_wants_no_stream_gets_no_chunks() -> None:
    assert drive(Agent(), call("My name is Ada.")).port.chunks == []


def _adding() -> Agent[Any, str]:
    agent: Agent[Any, str] = Agent()

    @agent.tool_plain
    async def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    return agent


def test_tool_calls_and_their_results_are_events() -> None:
    driven = drive(_adding(), call("add 2 and 3", stream=True))
    called, returned = driven.port.events
    assert (called["type"], called["name"], called["arguments"]) == (
        "tool_call",
        "add",
        {"a": 2, "b": 3},
    )
    assert (returned["type"], returned["ok"], returned["content"]) == ("tool_result", True, 5)
    assert returned["tool_call_id"] == called["tool_call_id"]
    assert driven.outcome.output == "add returned: 5"


def test_text_before_a_tool_call_does_not_end_the_run() -> None:
    async def stream(
        messages: list[ModelMessage], _: AgentInfo
    ) -> AsyncIterator[str | DeltaToolCalls]:
        if len(messages) == 1:
            yield "thinking aloud "
            yield {1: DeltaToolCall(name="add", json_args='{"a": 1, "b": 2}')}
        else:
            yield "three"

    agent = _adding()
    agent.model = FunctionModel(stream_function=stream)
    driven = drive(agent, call("go", stream=True), configuration=Configuration())
    assert driven.outcome.output == "three"
    assert driven.port.texts == ["thinking aloud ", "three"]


def test_history_goes_in_as_segments_and_comes_out_as_new_messages() -> None:
    agent: Agent[Any, str] = Agent()
    first = drive(agent, call("My name is Ada.")).outcome
    second = drive(agent, call("My dog is Rex.", history=[first.new_messages])).outcome
    third = drive(
        agent, call("What is my name?", history=[first.new_messages, second.new_messages])
    ).outcome
    assert third.output == "Your name is Ada."
    assert third.message_count == 2
    written = json.loads(cast("bytes", third.new_messages))
    assert [message["kind"] for message in written] == ["request", "response"]


def test_history_that_is_none_is_the_callers_fault() -> None:
    fault = failing(Agent(), call("x", history=[b'[{"role": "user"}]']))
    assert (fault.origin, fault.code) == ("caller", "invalid_input")
    assert "message history" in fault.message


def _recording() -> tuple[Agent[Any, str], list[tuple[list[ModelMessage], AgentInfo]]]:
    seen: list[tuple[list[ModelMessage], AgentInfo]] = []

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append((list(messages), info))
        return ModelResponse(parts=[TextPart("ok")])

    agent = Agent(
        FunctionModel(respond),
        instructions="own instructions",
        model_settings={"temperature": 0.1, "max_tokens": 5},
    )
    return agent, seen


def _instructions(messages: list[ModelMessage]) -> str | None:
    last = messages[-1]
    return last.instructions if isinstance(last, ModelRequest) else None


def test_configured_instructions_and_settings_stand_instead_of_the_entrys() -> None:
    agent, seen = _recording()
    configuration = Configuration(instructions="configured", model_settings={"temperature": 0.5})
    drive(agent, call("x"), configuration=configuration)
    messages, info = seen[0]
    assert _instructions(messages) == "configured"
    assert info.model_settings == {"temperature": 0.5, "max_tokens": 5, "max_retries": 0}


def test_a_calls_instructions_and_settings_stand_instead_of_both() -> None:
    agent, seen = _recording()
    configuration = Configuration(instructions="configured", model_settings={"temperature": 0.5})
    asked = call("x", instructions="called", settings={"temperature": 0.9, "max_retries": 2})
    drive(agent, asked, configuration=configuration)
    messages, info = seen[0]
    assert _instructions(messages) == "called"
    assert info.model_settings == {"temperature": 0.9, "max_tokens": 5, "max_retries": 2}


def test_retries_that_the_author_asked_for_are_kept() -> None:
    agent, seen = _recording()
    agent.model_settings = {"max_retries": 4}
    drive(agent, call("x"), configuration=Configuration())
    assert seen[0][1].model_settings == {"max_retries": 4}


def test_the_configured_model_stands_instead_of_the_entrys() -> None:
    agent, seen = _recording()
    driven = drive(agent, call("My name is Ada."), configuration=OFFLINE)
    assert driven.outcome.output == "Nice to meet you, Ada."
    assert seen == []


def test_a_calls_model_stands_instead_of_the_configured_one() -> None:
    driven = drive(Agent(), call("hello", model="test"))
    assert driven.outcome.output == "success (no tool calls)"


def test_a_model_that_does_not_exist_is_the_callers_fault() -> None:
    fault = failing(Agent(), call("hello", model="opnai:gpt-5"))
    assert (fault.origin, fault.code) == ("caller", "invalid_input")
    assert "opnai:gpt-5" in fault.message


def test_an_agent_without_any_model_says_how_to_name_one() -> None:
    fault = failing(Agent(), call("hello"), configuration=Configuration(agent="solo"))
    assert "solo has no model" in fault.message
    assert "[agent.solo]" in fault.message


def test_json_input_is_given_as_text() -> None:
    driven = drive(Agent(), call({"task": "sum"}))
    assert '{"task": "sum"}' in driven.outcome.output


def test_no_input_is_the_callers_fault() -> None:
    assert failing(Agent(), call(None)).code == "invalid_input"


def test_structured_output_is_plain_json() -> None:
    driven = drive(Agent(output_type=Report), call("a data breach"))
    assert driven.outcome.output == {"title": "A data breach", "risk": "high"}


def test_the_manifest_tells_what_the_agent_is() -> None:
    agent = Agent(output_type=Report, description="judges")

    @agent.tool_plain
    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    manifest = program_of(agent).manifest
    assert (manifest.kind, manifest.mode, manifest.streams) == ("pydantic_ai", "run", False)
    assert (manifest.output_name, manifest.output_fields) == ("Report", ["title", "risk"])
    assert (manifest.model, manifest.description) == ("offline", "judges")
    assert manifest.tools == [{"name": "look_up", "description": "Look a word up."}]


def test_the_manifest_names_each_of_several_outputs() -> None:
    manifest = program_of(Agent(output_type=[Report, int])).manifest
    assert (manifest.output_name, manifest.mode) == ("Report | integer", "run")


@pytest.mark.parametrize(
    ("output_type", "name"),
    [(list[int], "list[int]"), (list[Report], "list[Report]"), (int, "int"), (str, None)],
)
def test_the_manifest_names_an_output_as_its_author_does(output_type: Any, name: str) -> None:
    assert program_of(Agent(output_type=output_type)).manifest.output_name == name


def test_text_streams_unless_the_model_cannot() -> None:
    assert program_of(Agent(output_type=[Report, str])).manifest.mode == "run_stream"
    assert program_of(Agent()).manifest.mode == "run_stream"
    whole = FunctionModel(lambda _, __: ModelResponse(parts=[TextPart("ok")]))
    assert program_of(Agent(whole), Configuration()).manifest.mode == "run"
    assert program_of(Agent(TestModel()), Configuration()).manifest.mode == "run_stream"


def test_what_is_no_agent_is_left_to_others() -> None:
    assert adapter.load_agent(str.upper, OFFLINE) is None
    assert adapter.load_agent(42, OFFLINE) is None


@dataclass
class _Entered:
    opened: int = 0
    closed: int = 0


@pytest.mark.parametrize("mode", MODES)
def test_the_agent_is_entered_once_per_incarnation(mode: Mode) -> None:
    entered = _Entered()

    class Counting(TestModel):
        async def __aenter__(self) -> Any:
            entered.opened += 1
            return self

        async def __aexit__(self, *_: object) -> None:
            entered.closed += 1

    agent = Agent(Counting())
    program = program_of(agent, Configuration(mode=mode))
    drive_program(program, call("a"), call("b"))
    assert (entered.opened, entered.closed) == (1, 1)


def test_many_runs_share_a_loop() -> None:
    async def main() -> list[Any]:
        program: Any = program_of(Agent())
        await program.open()
        runs = [program.run(call(f"say {n}", run=n), RecordingPort()) for n in range(20)]
        outcomes = await asyncio.gather(*runs)
        await program.close()
        return [outcome.output for outcome in outcomes]

    assert asyncio.run(main()) == [str(n) for n in range(20)]


def test_usage_limits_come_from_the_configuration_and_the_call_may_tighten_them() -> None:
    configuration = Configuration(model="offline", usage_limits={"output_tokens": 3})
    fault = failing(Agent(), call("My name is Ada."), configuration=configuration)
    assert (fault.origin, fault.code) == ("runtime", "limit_exceeded")
    assert fault.details == {"limit": "output_tokens", "value": 3}
    assert fault.usage is not None
    assert fault.usage["output_tokens"] > 3

    looser = call("My name is Ada.", limits={"output_tokens_limit": 99})
    assert failing(Agent(), looser, configuration=configuration).code == "limit_exceeded"
    tighter = call("My name is Ada.", limits={"requests": 0})
    fault = failing(Agent(), tighter, configuration=configuration)
    assert fault.details == {"limit": "requests", "value": 0}


def test_an_unknown_limit_is_the_fault_of_who_gave_it() -> None:
    fault = failing(Agent(), call("x", limits={"tokens": 1}))
    assert (fault.origin, fault.code) == ("caller", "invalid_input")
    with pytest.raises(Fault, match="no usage limit tokens"):
        program_of(Agent(), Configuration(model="offline", usage_limits={"tokens": 1}))


def test_a_models_answer_by_context() -> None:
    said = asyncio.run(adapter.model_call(OFFLINE, "My name is Ada."))
    assert said == "Nice to meet you, Ada."
    with pytest.raises(Fault, match="model"):
        asyncio.run(adapter.model_call(Configuration(), "x"))
