"""An agent as a program: its runs by `run`, `run_stream_events` or `run_sync`, as its mode says.

Knows how pydantic-ai runs agents and what a run port offers; nothing of pipes or of processes.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from typing import Any, Final, Literal

from pydantic_ai import AgentRunResult, CancellationToken
from pydantic_ai.models import Model
from pydantic_ai.usage import RunUsage

from ..program import (
    BlockingRunPort,
    Call,
    Configuration,
    Fault,
    Json,
    Kind,
    Manifest,
    Outcome,
    Program,
    RunPort,
    RunView,
)
from .async_library import asyncio_said
from .declaration import current_port, unwrapped
from .deps import Deps
from .describe import manifest_of, mode_of
from .effects import TELLING_EFFECTS, may_have_effects
from .endings import Endings
from .events import Publisher, drain, plain
from .faults import fault_of
from .history import read, usage_map, write
from .limits import limits_of, tightened
from .models import AnyAgent, Models, layered_settings
from .owner import Owner

__all__ = ["program_of"]

_AS_IT_IS: Final = nullcontext()
"""Around a run whose agent keeps its own instructions."""


def program_of(agent: AnyAgent, configuration: Configuration, *, kind: Kind) -> Program:
    """The program that runs an agent in the mode of its configuration."""
    execution = _Execution(agent, configuration, kind)
    return _Blocking(execution) if execution.manifest.mode == "run_sync" else _Suspending(execution)


class _Execution:
    """What all modes share: a call's arguments going in, an outcome or a fault coming out."""

    def __init__(self, agent: AnyAgent, configuration: Configuration, kind: Kind) -> None:
        self.agent = agent
        if agent.name is None:
            # Else pydantic-ai looks for a variable of that object on the stack, at every run.
            agent.name = configuration.agent
        self.configuration = configuration
        self.models = Models(configuration)
        self.model = _configured_model(agent, configuration, self.models)
        self.deps = Deps(agent.deps_type, configuration, _factory(configuration))
        self._limits = limits_of(configuration.usage_limits, "agent")
        self._standing: dict[str, Any] = {}
        # A declared agent has the configuration's instructions already; only a call overrides them.
        self._instructions = configuration.instructions if kind == "pydantic_ai" else None
        model = self.model or agent.model
        self._effects = may_have_effects(agent)
        mode = mode_of(agent, model, configuration)
        self.manifest = manifest_of(
            agent, configuration, kind=kind, mode=mode, model=model, deps=self.deps
        )

    async def open(self, stack: AsyncExitStack) -> None:
        """Enter what lives as long as the incarnation: clients, MCP servers, kept deps."""
        stack.enter_context(asyncio_said())
        if self.model is not None:
            await stack.enter_async_context(self.model)
        await stack.enter_async_context(self.agent)
        await self.deps.open(stack)
        self._standing = self._layered(self.model, None, None)

    def arguments(self, call: Call, run: RunView, usage: RunUsage) -> dict[str, Any]:
        """The keyword arguments of a run, all but its deps."""
        left = run.remaining()
        if left is not None and left <= 0:
            raise Fault("runtime", "deadline_exceeded", "the deadline passed before the run began")
        token = CancellationToken()
        run.on_cancel(lambda _: token.cancel())
        arguments = self._arguments_of(call)
        arguments["usage"] = usage
        arguments["cancellation_token"] = token
        if left is not None:
            arguments["timeout"] = left
        if call.history:
            arguments["message_history"] = read(call.history)
        return arguments

    def _arguments_of(self, call: Call) -> dict[str, Any]:
        """What the configuration says, with what the call says laid over it."""
        if call.model is None and call.settings is None and call.limits is None:
            return self._standing.copy()
        model = self.models.named(call.model) if call.model else self.model
        return self._layered(model, call.settings, call.limits)

    def _layered(
        self, model: Any, settings: dict[str, Json] | None, limits: dict[str, Json] | None
    ) -> dict[str, Any]:
        """The keyword arguments of `run` that are the same for every call that says the same."""
        return {
            "model": model,
            "model_settings": layered_settings(
                self.agent, model or self.agent.model, self.configuration.model_settings, settings
            ),
            "usage_limits": tightened(self._limits, limits_of(limits, "caller")),
            # A capability costs a run a twentieth, so that those without tools have none.
            **({"capabilities": TELLING_EFFECTS} if self._effects else {}),
        }

    def overriding(self, call: Call) -> AbstractContextManager[None]:
        """Instructions of a call or of the configuration stand instead of the agent's own."""
        instructions = call.instructions if call.instructions is not None else self._instructions
        if instructions is None:
            return _AS_IT_IS
        return self.agent.override(instructions=instructions)

    def outcome(self, result: AgentRunResult[Any], call: Call, usage: RunUsage) -> Outcome:
        """What a finished run sends back: its messages too, where it belongs to a conversation."""
        output = plain(unwrapped(result.output, self.configuration))
        if call.history is None:
            return Outcome(output, None, 0, usage_map(usage))
        written = write(result.new_messages())
        return Outcome(output, written.data, written.messages, usage_map(usage))

    def fault(self, error: Exception, call: Call, run: RunView, usage: RunUsage) -> Fault:
        """What a failed run sends back."""
        # A model that could not be made is one that its name alone tells of.
        model = self.models.kept(call.model) if call.model else self.model or self.agent.model
        provider = model.system if isinstance(model, Model) else None
        return fault_of(error, run, self.configuration, usage, provider)


class _Suspending:
    """Modes `run` and `run_stream`: many runs at once on one loop."""

    blocking: Literal[False] = False

    def __init__(self, execution: _Execution) -> None:
        self._execution = execution
        self._streams = execution.manifest.streams
        self._endings = Endings()
        self._stack = AsyncExitStack()
        self.manifest: Manifest = execution.manifest

    async def open(self) -> None:
        """Enter what lives as long as the incarnation."""
        await self._execution.open(self._stack)

    async def close(self) -> None:
        """Leave it, in the task that entered it."""
        await self._stack.aclose()

    async def run(self, call: Call, run: RunPort) -> Outcome:
        """Execute one call by `agent.run`, with its events where it streams."""
        usage = RunUsage()
        current_port.set(run)
        try:
            arguments = self._execution.arguments(call, run, usage)
            if call.model is not None:
                await self._keep_open(call.model)
            with self._execution.overriding(call):
                if self._execution.deps.per_run:
                    async with self._execution.deps.made(call.deps) as deps:
                        result = await self._executed(call, run, arguments, deps)
                else:
                    deps = self._execution.deps.at_hand(call.deps)
                    result = await self._executed(call, run, arguments, deps)
            return self._execution.outcome(result, call, usage)
        except Exception as error:
            raise self._execution.fault(error, call, run, usage) from error

    async def _executed(
        self, call: Call, run: RunPort, arguments: dict[str, Any], deps: Any
    ) -> AgentRunResult[Any]:
        agent = self._execution.agent
        if self._streams:
            # What `run_stream_events` does, without its task and its queue: a third less an event.
            handler = Publisher(run).publish_all if call.stream else drain
            result = await agent.run(
                _prompt(call), deps=deps, event_stream_handler=handler, **arguments
            )
            self._endings.check(result.new_messages())
            return result
        result: AgentRunResult[Any] = await agent.run(_prompt(call), deps=deps, **arguments)
        if call.stream:
            await run.emit_text(_as_text(result.output))
        return result

    async def _keep_open(self, name: str) -> None:
        """Keep the client of a model that a call named: the next is likely to name it again."""
        if self._execution.models.opens(name):
            await self._stack.enter_async_context(self._execution.models.named(name))


class _Blocking:
    """Mode `run_sync`: literally that, on the thread that calls, one run at a time."""

    blocking: Literal[True] = True

    def __init__(self, execution: _Execution) -> None:
        self._execution = execution
        self.manifest: Manifest = execution.manifest
        self._loop: asyncio.AbstractEventLoop | None = None
        self._owner = Owner(execution.open)

    def open(self) -> None:
        """Enter what lives as long as the incarnation, on the loop that `run_sync` will find."""
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._owner.open())

    def close(self) -> None:
        """Leave it again."""
        if self._loop is not None:
            self._loop.run_until_complete(self._owner.close())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            self._loop.close()

    def run(self, call: Call, run: BlockingRunPort) -> Outcome:
        """Execute one call by `agent.run_sync`."""
        usage = RunUsage()
        current_port.set(run)
        try:
            arguments = self._execution.arguments(call, run, usage)
            with self._execution.overriding(call):
                result = self._executed(call, arguments)
            if call.stream:
                run.emit_text(_as_text(result.output))
            return self._execution.outcome(result, call, usage)
        except Exception as error:
            raise self._execution.fault(error, call, run, usage) from error

    def _executed(self, call: Call, arguments: dict[str, Any]) -> AgentRunResult[Any]:
        agent, deps = self._execution.agent, self._execution.deps
        if not deps.per_run or self._loop is None:
            return agent.run_sync(_prompt(call), deps=deps.at_hand(call.deps), **arguments)
        made: list[Any] = []

        async def enter(stack: AsyncExitStack) -> None:
            made.append(await stack.enter_async_context(deps.made(call.deps)))

        owner = Owner(enter)
        self._loop.run_until_complete(owner.open())
        try:
            return agent.run_sync(_prompt(call), deps=made[0], **arguments)
        finally:
            self._loop.run_until_complete(owner.close())


def _prompt(call: Call) -> str:
    if isinstance(call.input, str):
        return call.input
    if call.input is None:
        raise Fault(
            "caller",
            "invalid_input",
            "a prompt is missing: this agent answers text, or JSON as text",
        )
    return json.dumps(call.input, ensure_ascii=False)


def _as_text(output: object) -> str:
    value: Json = plain(output)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _configured_model(agent: AnyAgent, configuration: Configuration, models: Models) -> Any:
    """The configuration's model, also set on the agent, which opens its model when entered."""
    if configuration.model is not None:
        model = _starting_model(configuration.model, models)
        _set_model(agent, model)
        return model
    own = agent.model
    if isinstance(own, str) and not agent.root_capability.has_resolve_model_id:
        # Named but not checked by its author: made once here, so that a missing key shows at once.
        _set_model(agent, _starting_model(own, models))
    return None


def _starting_model(name: str, models: Models) -> Any:
    try:
        return models.named(name)
    except Fault as fault:
        raise Fault("agent", "start_failed", fault.message, details=fault.details) from fault


def _set_model(agent: AnyAgent, model: Any) -> None:
    # A wrapper of an agent has no model to set; its runs are told the model one by one.
    settable: Any = type(agent).model
    if getattr(settable, "fset", None) is not None:
        agent.model = model


def _factory(configuration: Configuration) -> Any:
    if configuration.deps is None:
        return None
    from ..load import resolve

    return resolve(configuration.deps)
