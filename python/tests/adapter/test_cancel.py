"""Cancel and deadline: a run ends at once, and what was said until then is kept."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any, cast

import pytest
from pydantic_ai import Agent, RunContext

from driving import drive, failing, program_of
from stub_openai import StubOpenAI
from synapse_agent.program import CancelReason, Configuration, Fault
from synapse_agent.testing import RecordingBlockingPort, RecordingPort, call

PROMPT = "tell me a long story"
ENDED_WITHIN_S = 1.0
"""Seconds in which a cancelled run ends: a millisecond, and the rest for a busy machine."""


class CancellingPort(RecordingPort):
    """Cancels its run when it has seen so many pieces of text."""

    def __init__(self, after: int, reason: CancelReason = "cancelled") -> None:
        super().__init__()
        self._after = after
        self._reason: CancelReason = reason
        self.cancelled_at = 0.0

    async def emit_text(self, text: str) -> None:
        await super().emit_text(text)
        if len(self.texts) == self._after:
            self.cancelled_at = time.monotonic()
            self.cancel(self._reason)


def _cancelled(agent: Agent[Any, Any], prompt: str, port: CancellingPort, **named: Any) -> Fault:
    driven = drive(agent, call(prompt, stream=True), port=port, **named)
    assert time.monotonic() - port.cancelled_at < ENDED_WITHIN_S
    return driven.fault


def test_a_cancelled_stream_keeps_the_partial_answer() -> None:
    port = CancellingPort(after=8)
    fault = _cancelled(Agent(), PROMPT, port)
    assert (fault.origin, fault.code, fault.message_count) == ("caller", "cancelled", 2)
    request, response = json.loads(cast("bytes", fault.new_messages))
    assert request["parts"][0]["content"] == PROMPT
    assert response["parts"][0]["content"].startswith("".join(port.texts[:-1]))
    assert response["state"] == "interrupted"
    assert fault.usage is not None
    assert fault.usage["output_tokens"] >= 7


def test_the_next_turn_sees_the_partial_answer() -> None:
    fault = _cancelled(Agent(), "My name is Ada. Tell me a long story.", CancellingPort(after=8))
    later = drive(Agent(), call("What is my name?", history=[fault.new_messages]))
    assert later.outcome.output == "Your name is Ada."


def test_a_cancelled_tool_call_can_be_talked_on_from() -> None:
    port = RecordingPort()
    agent = Agent()

    @agent.tool_plain
    async def wait() -> str:
        port.cancel("caller_gone")
        await asyncio.Event().wait()
        return "never"

    fault = drive(agent, call("please wait"), port=port).fault
    assert fault.code == "cancelled"
    later = drive(agent, call("say still here", history=[fault.new_messages]))
    assert later.outcome.output == "still here"


def test_a_run_that_was_cancelled_before_it_began_ends_too() -> None:
    port = RecordingPort()
    port.cancel()
    assert drive(Agent(), call(PROMPT), port=port).fault.code == "cancelled"


def test_a_cancel_from_another_thread_ends_a_blocking_run() -> None:
    program: Any = program_of(Agent(), Configuration(model="offline", mode="run_sync"))
    port = RecordingBlockingPort()
    program.open()
    timer = threading.Timer(0.05, port.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Fault) as raised:
        program.run(call(PROMPT), port)
    timer.join()
    program.close()
    assert raised.value.code == "cancelled"
    assert time.monotonic() - began < ENDED_WITHIN_S + 0.05


@pytest.mark.parametrize("mode", ["run", "run_stream", "run_sync"])
def test_the_deadline_ends_a_run(mode: Any) -> None:
    program: Any = program_of(Agent(), Configuration(model="offline", mode=mode))
    if program.blocking:
        program.open()
        with pytest.raises(Fault) as raised:
            program.run(call(PROMPT), _Expiring(0.05))
        program.close()
        assert raised.value.code == "deadline_exceeded"
        return
    fault = drive(
        Agent(),
        call(PROMPT, stream=True),
        port=_ExpiringSuspending(0.05),
        configuration=Configuration(model="offline", mode=mode),
    ).fault
    assert (fault.origin, fault.code) == ("runtime", "deadline_exceeded")
    assert fault.new_messages is not None


def test_a_deadline_that_has_passed_starts_nothing() -> None:
    fault = drive(Agent(), call(PROMPT), port=RecordingPort(remaining=0.0)).fault
    assert (fault.code, fault.new_messages) == ("deadline_exceeded", None)


def test_a_cancel_for_the_deadline_is_told_as_the_deadline() -> None:
    fault = _cancelled(Agent(), PROMPT, CancellingPort(after=3, reason="deadline_exceeded"))
    assert fault.code == "deadline_exceeded"


def test_an_agent_that_cancels_itself_is_not_cancelled_by_its_caller() -> None:
    agent: Agent[Any, str] = Agent()

    @agent.tool
    async def give_up(context: RunContext[Any]) -> None:
        context.cancel()

    fault = failing(agent, call("give up"))
    assert (fault.origin, fault.code) == ("agent", "agent_error")


def test_a_cancel_in_mid_stream_closes_the_providers_connection() -> None:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    with StubOpenAI() as stub:
        provider = OpenAIProvider(base_url=stub.base_url, api_key="stub-key")
        agent = Agent(OpenAIChatModel("stub", provider=provider))
        fault = _cancelled(agent, "endless", CancellingPort(after=5), configuration=Configuration())
        assert fault.code == "cancelled"
        assert b"w0 w1 w2" in cast("bytes", fault.new_messages)
        assert stub.disconnected.wait(5), "the server still has its reader"


class _Clock:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())


class _Expiring(RecordingBlockingPort):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._clock = _Clock(seconds)

    def remaining(self) -> float:
        return self._clock.left()


class _ExpiringSuspending(RecordingPort):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._clock = _Clock(seconds)

    def remaining(self) -> float:
        return self._clock.left()
