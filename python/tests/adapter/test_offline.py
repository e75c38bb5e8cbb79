"""The offline model: it remembers, streams, calls tools and fills schemas, the same each time."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from pydantic_ai import Agent, ModelRetry, NativeOutput

from synapse_agent.adapter.offline import OfflineModel
from synapse_agent.adapter.offline.fill import Filler
from synapse_agent.adapter.offline.talk import answer


def _agent(**named: Any) -> Agent[Any, Any]:
    return Agent(OfflineModel(), **named)


def _ask(agent: Agent[Any, Any], prompt: str) -> Any:
    return asyncio.run(agent.run(prompt)).output


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (["My name is Ada."], "Nice to meet you, Ada."),
        (["My name is Ada.", "What is my name?"], "Your name is Ada."),
        (["My name is Ada.", "what's my name"], "Your name is Ada."),
        (["My name is Ada.", "I'm Grace.", "What is my name?"], "Your name is Grace."),
        (["What is my name?"], "You have not told me your name yet."),
        (["My favourite colour is blue.", "What is my favourite colour?"],
         "Your favourite colour is blue."),
        (["My cats are Tom and Jerry", "who are my cats?", "what are my cats?"],
         "Your cats are Tom and Jerry."),
        (["I live in Oslo.", "Where do I live?"], "You live in Oslo."),
        (["Remember that the door is open.", "What do you remember?"],
         "You told me: the door is open."),
        (["Call me Bob", "hello"], "Hello, Bob!"),
        (["count to 4"], "1 2 3 4"),
        (["say hi there"], "hi there"),
        (["Summarise: It rained. It poured. It stopped."], "In short: It rained. It poured."),
        (["Write one paragraph from whales sing"], "In short: whales sing."),
    ],
)  # fmt: skip
def test_remembers_what_it_was_told(turns: list[str], expected: str) -> None:
    assert answer(turns).text == expected


def test_a_long_story_is_long_and_paced() -> None:
    told = answer(["tell me a long story"])
    assert told.paced
    assert told.text.startswith("Once upon a time there was a")
    assert len(told.text.split()) > 500
    assert told == answer(["tell me a long story"])


def test_an_unknown_prompt_says_what_it_is_and_what_it_can() -> None:
    text = answer(["qwertz"], ["add"]).text
    assert 'I heard "qwertz"' in text
    assert "the offline model" in text
    assert "add" in text


def test_a_huge_prompt_is_quoted_in_bounds() -> None:
    assert len(answer(["my " * 500_000]).text) < 500


def test_remembers_through_the_message_history() -> None:
    agent = _agent()
    first = asyncio.run(agent.run("My name is Ada."))
    second = asyncio.run(agent.run("What is my name?", message_history=first.all_messages()))
    assert second.output == "Your name is Ada."
    assert second.usage.input_tokens > first.usage.input_tokens == 5


def _with_tools() -> Agent[Any, Any]:
    agent = _agent()

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        return a + b

    @agent.tool_plain
    def current_time() -> str:
        return "noon"

    return agent


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("add 2 and 3", "add returned: 5"),
        ("What is 4 plus 5?", "add returned: 9"),
        ("What time is it?", "current_time returned: noon"),
        ("My name is Tim.", "Nice to meet you, Tim."),
        ("tell me a short story about time", "Once upon a time"),
    ],
)
def test_calls_the_tool_that_a_prompt_is_about(prompt: str, expected: str) -> None:
    assert _ask(_with_tools(), prompt).startswith(expected)


def test_a_question_that_nobody_has_answered_is_one_for_a_tool() -> None:
    agent = _agent()

    @agent.tool_plain
    def customer_balance() -> str:
        return "123"

    assert _ask(agent, "What is my balance?") == "customer_balance returned: 123"


def test_calls_every_tool_that_is_named_in_order() -> None:
    said = _ask(_with_tools(), "use current_time, then add 1 and 1")
    assert said == "current_time returned: noon\nadd returned: 2"


def test_a_tool_that_asks_for_a_retry_is_reported_not_called_for_ever() -> None:
    agent = _agent()

    @agent.tool_plain
    def weather(city: str) -> str:
        raise ModelRetry(f"no such city: {city}")

    assert "weather refused" in _ask(agent, "the weather in Oslo")


class _Report(BaseModel):
    title: str
    risk: Literal["low", "medium", "high"]
    score: int = Field(ge=1, le=5)
    tags: list[str] = Field(min_length=2)


@pytest.mark.parametrize("output_type", [_Report, NativeOutput(_Report)])
def test_fills_an_output_from_the_prompt(output_type: Any) -> None:
    agent = _agent(output_type=output_type)
    report = _ask(agent, "A data breach at the bank, score 4")
    assert report == _ask(agent, "A data breach at the bank, score 4")
    assert (report.risk, report.score) == ("high", 4)
    assert report.title.startswith("A data breach")
    assert _ask(agent, "the risk is medium").risk == "medium"


def test_a_recursive_schema_ends() -> None:
    node = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/N"},
            {"type": "null"}]}}, "required": ["next"]}  # fmt: skip
    value = Filler("x").fill({"$ref": "#/$defs/N", "$defs": {"N": node}})
    depth = 0
    while value is not None:
        value, depth = value["next"], depth + 1
    assert depth < 10


def test_refused_outputs_differ_at_the_next_try() -> None:
    schema = {"enum": ["a", "b", "c"]}
    assert Filler("x", 0).fill(schema) != Filler("x", 1).fill(schema)


def test_streams_word_by_word() -> None:
    async def collect() -> list[str]:
        async with _agent().run_stream("count to 5") as result:
            return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]

    assert asyncio.run(collect()) == ["1", " 2", " 3", " 4", " 5"]
