"""Dependencies: JSON built into a type, or made by a factory and closed at the end of its scope."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, RunContext
from typing_extensions import TypedDict

from driving import drive, drive_program, failing, program_of
from synapse_agent.program import Configuration, Mode
from synapse_agent.testing import call

MODES: list[Mode] = ["run", "run_stream", "run_sync"]


@dataclass
class Address:
    city: str


@dataclass
class Customer:
    number: int
    address: Address
    name: str = "nobody"


class Model(BaseModel):
    number: int


class Typed(TypedDict):
    number: int


class Connection:
    """What JSON cannot carry."""

    def __init__(self, log: list[str], given: object = None) -> None:
        self.log = log
        self.given = given


@dataclass
class Pool:
    connection: Connection


def _showing(deps_type: Any) -> Agent[Any, str]:
    agent: Agent[Any, str] = Agent(deps_type=deps_type)

    @agent.tool
    def show(context: RunContext[Any]) -> str:
        return repr(context.deps)

    return agent


@pytest.mark.parametrize(
    ("deps_type", "given", "shown"),
    [
        (
            Customer,
            {"number": 3, "address": {"city": "Oslo"}},
            "Customer(number=3, address=Address(city='Oslo'), name='nobody')",
        ),
        (Model, {"number": 3}, "Model(number=3)"),
        (Typed, {"number": 3}, "{'number': 3}"),
        (str, "plain", "'plain'"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_json_is_built_into_the_type(deps_type: Any, given: Any, shown: str, mode: Mode) -> None:
    configuration = Configuration(model="offline", mode=mode)
    driven = drive(_showing(deps_type), call("show", deps=given), configuration=configuration)
    assert shown in driven.outcome.output


def test_json_that_does_not_fit_says_where() -> None:
    given = {"number": "x", "address": {"city": 5}}
    fault = failing(_showing(Customer), call("show", deps=given))
    assert (fault.origin, fault.code) == ("caller", "schema_violation")
    assert "number: Input should be a valid integer" in fault.message
    assert "address.city: " in fault.message


def test_deps_for_an_agent_without_any() -> None:
    fault = failing(Agent(), call("x", deps={"a": 1}))
    assert (fault.origin, fault.code) == ("caller", "invalid_input")
    assert "takes no deps" in fault.message


def test_missing_deps_name_the_fields() -> None:
    fault = failing(_showing(Customer), call("show"))
    assert fault.code == "invalid_input"
    assert "Customer with number, address" in fault.message
    assert """--deps '{"number": "…", "address": "…"}'""" in fault.message


def test_a_type_with_defaults_needs_none() -> None:
    @dataclass
    class Options:
        depth: int = 2

    assert "depth=2" in drive(_showing(Options), call("show")).outcome.output


def test_a_type_that_json_cannot_fill_points_to_a_factory() -> None:
    fault = failing(_showing(Pool), call("show"))
    assert (fault.origin, fault.code) == ("agent", "agent_error")
    assert 'deps = "module:factory"' in fault.message


def test_the_manifest_has_the_schema() -> None:
    manifest = program_of(_showing(Model)).manifest
    assert manifest.takes_deps
    assert manifest.deps_schema is not None
    assert manifest.deps_schema["required"] == ["number"]
    assert not program_of(_showing(Pool)).manifest.takes_deps


LOG: list[str] = []


def plain() -> Connection:
    LOG.append("open")
    return Connection(LOG)


def given(value: object) -> Connection:
    LOG.append("open")
    return Connection(LOG, value)


async def coroutine(value: object) -> Connection:
    LOG.append("open")
    return Connection(LOG, value)


@contextmanager
def context(value: object) -> Generator[Connection]:
    LOG.append("open")
    yield Connection(LOG, value)
    LOG.append("close")


@asynccontextmanager
async def async_context(value: object) -> AsyncGenerator[Connection]:
    LOG.append("open")
    yield Connection(LOG, value)
    LOG.append("close")


def generator_context(value: object) -> Generator[Connection]:
    LOG.append("open")
    yield Connection(LOG, value)
    LOG.append("close")


async def async_generator_context(value: object) -> AsyncGenerator[Connection]:
    LOG.append("open")
    yield Connection(LOG, value)
    LOG.append("close")


def failing_factory(value: Any) -> Connection:
    return value["connection"]


FACTORIES = [
    given,
    coroutine,
    context,
    async_context,
    generator_context,
    async_generator_context,
]


@pytest.fixture
def factories(monkeypatch: pytest.MonkeyPatch) -> None:
    LOG.clear()
    module = ModuleType("deps_factories")
    for factory in (plain, failing_factory, *FACTORIES):
        setattr(module, factory.__name__, factory)
    monkeypatch.setitem(sys.modules, "deps_factories", module)


def _configured(factory: str, scope: Literal["incarnation", "run"], mode: Mode) -> Configuration:
    return Configuration(
        model="offline", mode=mode, deps=f"deps_factories:{factory}", deps_scope=scope
    )


def _logging() -> Agent[Any, str]:
    agent: Agent[Any, str] = Agent(deps_type=Connection)

    @agent.tool
    def show(context: RunContext[Connection]) -> str:
        context.deps.log.append("use")
        return str(context.deps.given)

    return agent


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize("factory", [factory.__name__ for factory in FACTORIES])
@pytest.mark.parametrize("mode", MODES)
def test_a_factory_gets_the_calls_json_for_every_run(factory: str, mode: Mode) -> None:
    configuration = _configured(factory, "run", mode)
    asked = [call("show", deps={"k": 1}), call("show", deps={"k": 2})]
    driven = drive_program(program_of(_logging(), configuration), *asked)
    assert driven.outcome.output == "show returned: {'k': 2}"
    once = ["open", "use", "close"] if "context" in factory else ["open", "use"]
    assert once * 2 == LOG


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize("factory", ["plain", "context", "async_context"])
@pytest.mark.parametrize("mode", MODES)
def test_deps_of_an_incarnation_are_opened_once(factory: str, mode: Mode) -> None:
    configuration = _configured(factory, "incarnation", mode)
    drive_program(program_of(_logging(), configuration), call("show"), call("show"))
    closed = ["close"] if "context" in factory else []
    assert ["open", "use", "use", *closed] == LOG


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize("mode", MODES)
def test_a_factory_that_fails_is_named(mode: Mode) -> None:
    configuration = _configured("failing_factory", "run", mode)
    fault = failing(_logging(), call("show"), configuration=configuration)
    assert (fault.origin, fault.code) == ("agent", "agent_error")
    assert fault.message == (
        f"the deps factory {__name__}:failing_factory (given None: deps come with a call, "
        "by --deps) failed: TypeError: 'NoneType' object is not subscriptable"
    )


@pytest.mark.usefixtures("factories")
def test_deps_with_a_call_where_they_are_made_once() -> None:
    configuration = _configured("plain", "incarnation", "run")
    fault = failing(_logging(), call("show", deps={"k": 1}), configuration=configuration)
    assert (fault.origin, fault.code) == ("caller", "invalid_input")
    assert "once per incarnation" in fault.message
