"""Every error told apart by whose it is; a real provider class against a stub of its server."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, ToolFailed
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider

from driving import drive, failing
from stub_openai import StubOpenAI
from synapse_agent import adapter
from synapse_agent.adapter import packages
from synapse_agent.adapter.credentials import missing_variable
from synapse_agent.load import load
from synapse_agent.program import Configuration, Fault
from synapse_agent.testing import call

OWN = Configuration(agent="helper")
"""A configuration that leaves the agent's own model alone."""


@pytest.fixture
def stub() -> Iterator[StubOpenAI]:
    with StubOpenAI() as running:
        yield running


def _model(stub: StubOpenAI) -> OpenAIChatModel:
    return OpenAIChatModel(
        "stub-model", provider=OpenAIProvider(base_url=stub.base_url, api_key="stub-key")
    )


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (404, False), (429, True), (500, True), (503, True)],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_of_the_provider(
    stub: StubOpenAI, status: int, retryable: bool, stream: bool
) -> None:
    asked = call(f"err:{status}", stream=stream)
    fault = failing(Agent(_model(stub)), asked, configuration=OWN)
    assert (fault.origin, fault.code, fault.retryable) == ("model", "model_error", retryable)
    assert fault.details is not None
    assert (fault.details["status"], fault.details["model"]) == (status, "stub-model")
    assert fault.details["provider"] == "openai"
    assert fault.message.startswith(f"model stub-model answered {status}: ")
    assert len(stub.requests) == 1, "the provider's own retries hide a failing model"


def test_a_rate_limit_says_when_to_try_again(stub: StubOpenAI) -> None:
    fault = failing(Agent(_model(stub)), call("err:429"), configuration=OWN)
    assert fault.details is not None
    assert fault.details["retry_after_s"] == 7.0
    assert "retry after 7 s" in fault.message


def test_a_connection_that_is_refused_is_worth_a_retry() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/v1"
        model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
        fault = failing(Agent(model), call("x"), configuration=OWN)
    assert (fault.origin, fault.code, fault.retryable) == ("model", "model_error", True)


def test_a_stream_that_breaks_off_is_worth_a_retry(stub: StubOpenAI) -> None:
    driven = drive(Agent(_model(stub)), call("cut chunks:9", stream=True), configuration=OWN)
    assert driven.port.texts
    assert (driven.fault.code, driven.fault.retryable) == ("model_error", True)


def test_a_stream_that_ends_early_is_worth_a_retry_where_the_model_gives_reasons(
    stub: StubOpenAI,
) -> None:
    driven = drive(
        Agent(_model(stub)),
        call("chunks:3", stream=True),
        call("unended chunks:9", stream=True),
        configuration=OWN,
    )
    fault = driven.fault
    assert driven.port.texts == ["w0 ", "w1 "]
    assert (fault.origin, fault.code, fault.retryable) == ("model", "model_error", True)
    assert fault.details == {"model": "stub-model", "provider": "openai"}
    assert fault.usage is not None


def test_a_model_that_never_gives_a_reason_is_not_asked_for_one(stub: StubOpenAI) -> None:
    calls = [call("unreasoned chunks:3", stream=True)] * 2
    assert drive(Agent(_model(stub)), *calls, configuration=OWN).outcome.output == "w0 w1 w2"


def test_a_stream_that_ends_early_fails_the_first_time_where_its_author_says_so(
    stub: StubOpenAI,
) -> None:
    model = OpenAIChatModel(
        "strict",
        provider=OpenAIProvider(base_url=stub.base_url, api_key="k"),
        profile=OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True),
    )
    fault = failing(Agent(model), call("unended chunks:9", stream=True), configuration=OWN)
    assert (fault.origin, fault.code, fault.retryable) == ("model", "model_error", True)


def test_a_slow_provider_is_timed_out_by_the_settings(stub: StubOpenAI) -> None:
    asked = call("slow:5", settings={"request_timeout": 0.1})
    fault = failing(Agent(_model(stub)), asked, configuration=OWN)
    assert (fault.code, fault.retryable) == ("model_error", True)


def test_an_answer_that_is_none_is_the_models_fault(stub: StubOpenAI) -> None:
    fault = failing(Agent(_model(stub)), call("junk"), configuration=Configuration(mode="run"))
    assert (fault.origin, fault.code) == ("model", "output_invalid")


def test_when_every_model_fails_the_last_is_told(stub: StubOpenAI) -> None:
    agent = Agent(FallbackModel(_model(stub), _model(stub)))
    fault = failing(agent, call("err:503"), configuration=Configuration(mode="run"))
    assert (fault.code, fault.retryable) == ("model_error", True)
    assert fault.message.count("answered 503") == 2


def test_streams_tools_and_usage_work_with_a_real_provider_class(stub: StubOpenAI) -> None:
    agent = Agent(_model(stub))

    @agent.tool_plain
    async def double(number: int) -> int:
        return number * 2

    driven = drive(agent, call("use the tool", stream=True), configuration=OWN)
    assert driven.outcome.output == "the tool said 6"
    assert [event["type"] for event in driven.port.events] == ["tool_call", "tool_result"]
    assert "".join(driven.port.texts) == "the tool said 6"
    assert driven.outcome.usage is not None
    assert driven.outcome.usage["input_tokens"] == 22
    assert driven.outcome.usage["requests"] == 2


def test_structured_output_works_with_a_real_provider_class(stub: StubOpenAI) -> None:
    class Answer(BaseModel):
        title: str
        count: int

    driven = drive(Agent(_model(stub), output_type=Answer), call("x"), configuration=OWN)
    assert driven.outcome.output == {"title": "stub", "count": 3}


def _with_tool(error: Exception) -> Agent[Any, str]:
    agent: Agent[Any, str] = Agent()

    @agent.tool_plain
    def explode() -> str:
        raise error

    return agent


def test_a_tool_of_the_agents_own_code_that_raises() -> None:
    fault = failing(_with_tool(ZeroDivisionError("by zero")), call("explode"))
    assert (fault.origin, fault.code) == ("agent", "agent_error")
    assert fault.message == "tool explode failed: ZeroDivisionError: by zero"
    assert fault.details is not None
    assert (fault.details["tool"], fault.details["exception"]) == ("explode", "ZeroDivisionError")
    assert "raise error" in fault.details["traceback"]
    assert "pydantic_ai" not in fault.details["traceback"]


def test_a_tool_that_tells_the_model_does_not_end_the_run() -> None:
    assert drive(_with_tool(ModelRetry("later")), call("explode")).outcome
    assert drive(_with_tool(ToolFailed("never")), call("explode")).outcome


def test_an_output_that_never_fits_is_the_models_fault() -> None:
    agent = Agent()

    @agent.output_validator
    def refuse(_: str) -> str:
        raise ModelRetry("shorter, please")

    fault = failing(agent, call("x"))
    assert (fault.origin, fault.code) == ("model", "output_invalid")
    assert "shorter, please" in fault.message


def test_a_missing_key_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    fault = failing(Agent(), call("x", model="openai:gpt-5"), configuration=OWN)
    assert (fault.origin, fault.code) == ("model", "model_error")
    assert "OPENAI_API_KEY is not set" in fault.message


def test_a_key_that_was_not_passed_is_told_from_one_that_is_unset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    withheld = Configuration(agent="helper", model="openai:gpt-5", withheld=("OPENAI_API_KEY",))
    with pytest.raises(Fault) as raised:
        adapter.load_agent(Agent(), withheld)
    assert raised.value.code == "start_failed"
    assert 'add env_pass = ["OPENAI_API_KEY"] to [agent.helper]' in raised.value.message


def test_a_model_that_the_author_left_unchecked_is_checked_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(Fault, match="OPENAI_API_KEY is not set") as raised:
        adapter.load_agent(Agent("openai:gpt-5", defer_model_check=True), OWN)
    assert raised.value.code == "start_failed"
    driven = drive(Agent("offline", defer_model_check=True), call("say hi"), configuration=OWN)
    assert driven.outcome.output == "hi"


def test_an_entry_that_builds_its_provider_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(Exception, match="OPENAI_API_KEY") as raised:
        Agent("openai:gpt-5")
    fault = adapter.start_fault(raised.value, OWN)
    assert fault is not None
    assert (fault.code, fault.details) == ("start_failed", {"variable": "OPENAI_API_KEY"})
    assert "\n" not in fault.message


def test_an_entry_needs_no_key_for_a_model_that_another_replaces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    configuration = Configuration(entry="module:agent", model="offline")
    with adapter.loading(configuration):
        agent = Agent("openai:gpt-5")
        other = Agent("anthropic:claude-sonnet-4-5")
    driven = drive(agent, call("My name is Ada."), configuration=configuration)
    assert driven.outcome.output == "Nice to meet you, Ada."
    assert drive(other, call("say hi"), configuration=configuration).outcome.output == "hi"


@pytest.fixture
def no_anthropic(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without the provider's package; the words are pydantic-ai's own."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "anthropic" or name.endswith(".anthropic"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "anthropic", None)


@pytest.mark.usefixtures("no_anthropic")
def test_a_missing_package_of_a_provider_says_what_to_write_where() -> None:
    configuration = replace(OWN, model="anthropic:claude-sonnet-4-5")
    with pytest.raises(Fault) as raised:
        adapter.load_agent(Agent(), configuration)
    assert raised.value.code == "start_failed"
    assert raised.value.message == (
        "model anthropic:claude-sonnet-4-5: the package anthropic is not in the Python "
        "environment: write pydantic-ai-slim[anthropic] into requirements.txt and add "
        'requirements = "requirements.txt" to [python] '
        "(or install it into the environment that [python] names by venv)"
    )
    with pytest.raises(ImportError) as at_import:
        Agent("anthropic:claude-sonnet-4-5")
    fault = adapter.start_fault(at_import.value, OWN)
    assert fault is not None
    assert "write pydantic-ai-slim[anthropic] into requirements.txt" in fault.message


def test_an_environment_without_pydantic_ai_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        return None

    def no_version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", no_version)
    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    # A process asks once; what it hears here is only for here.
    monkeypatch.setattr(packages, "installed_version", packages.installed_version.__wrapped__)
    error = ModuleNotFoundError("No module named 'pydantic_ai'", name="pydantic_ai")
    fault = adapter.start_fault(error, OWN)
    assert fault is not None
    assert fault.message.startswith(
        "this Python environment has no pydantic-ai; 2.60 or newer is needed: "
    )
    with pytest.raises(Fault, match="has no pydantic-ai"):
        adapter.load_agent(Agent(), OWN)


@pytest.mark.parametrize(
    ("error", "variable"),
    [
        (KeyError("MY_API_KEY"), "MY_API_KEY"),
        (KeyError("colour"), None),
        (RuntimeError("Set the `A_B_TOKEN` environment variable"), "A_B_TOKEN"),
        (RuntimeError("the FOO_BAR constant is wrong"), None),
        (ValueError("nothing"), None),
    ],
)
def test_which_errors_are_about_a_missing_variable(error: Exception, variable: str | None) -> None:
    missing = missing_variable(error, OWN)
    assert (missing.variable if missing else None) == variable


def test_a_variable_of_the_agents_own_is_passed_by_name() -> None:
    missing = missing_variable(KeyError("MY_LLM_KEY"), OWN)
    assert missing is not None
    assert 'add env_pass = ["MY_LLM_KEY"] to [agent.helper]' in missing.message


def test_a_missing_key_of_the_configured_model_is_told_while_the_entry_loads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "keyless.py").write_text("from pydantic_ai import Agent\nagent = Agent()\n")
    configuration = replace(OWN, entry="keyless:agent", model="openai:gpt-5")
    with pytest.raises(Fault, match="OPENAI_API_KEY is not set") as raised:
        load(configuration)
    assert raised.value.code == "start_failed"
