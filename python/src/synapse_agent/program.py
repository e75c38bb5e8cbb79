"""The border between a worker and what it executes: programs, what they get and return.

A worker (`worker_sync`, `worker_async`) owns the pipe and calls a program; a program (`function`,
or the pydantic-ai adapter) owns the user's code and talks through a run port. This module refuses
to know frames beyond `Call`, pipes, asyncio and pydantic-ai.

What the adapter exports (`synapse_agent.adapter`, imported only when it is needed):
    load_agent(target: object, configuration: Configuration) -> Program | None
        None when `target` is no agent (nor a factory's product that is one).
    declared(configuration: Configuration) -> Program
        The agent that TOML alone declares (model, instructions, output_schema); no entry.
    async model_call(configuration, prompt, model=None, instructions=None) -> str
    model_call_blocking(configuration, prompt, model=None, instructions=None) -> str
        One request to a model: what `Context.model` does.
    loading(configuration)
        A context manager to import the entry's module in: where the configuration names a model,
        the entry's own need not have its key or package. Costs nothing where it names none.
    start_fault(error, configuration) -> Fault | None
        What an error of that import means (a missing key or package); None: as it is.
It uses `load.resolve("module:attr") -> Any` for `deps = "module:factory"`; errors are raised as
they are. A `Fault` that loading or `open` raises is a start fault as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple, Protocol

from .frame import Call, CancelReason, Json

__all__ = [
    "BlockingProgram",
    "BlockingRunPort",
    "Call",
    "CancelReason",
    "Configuration",
    "Fault",
    "Json",
    "LogLevel",
    "Manifest",
    "Mode",
    "Origin",
    "Outcome",
    "Program",
    "RunPort",
    "RunView",
    "SuspendingProgram",
    "ToolAnswer",
    "ToolDefinition",
    "Verdict",
]

Mode = Literal["run", "run_stream", "run_sync"]
Kind = Literal["pydantic_ai", "function", "declared"]
Origin = Literal["agent", "model", "tool", "caller", "runtime"]
LogLevel = Literal["debug", "info", "warning", "error"]
DepsScope = Literal["incarnation", "run"]


class ToolDefinition(NamedTuple):
    """A tool that lives in the runtime and may be called through the run port."""

    name: str
    description: str | None
    parameters: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `welcome` said about this agent; the runtime has checked every key."""

    agent: str = "agent"
    incarnation: int = 1
    entry: str | None = None
    path: tuple[str, ...] = ()
    mode: Mode | None = None
    concurrency: int = 1
    prefetch: int = 0
    model: str | None = None
    model_settings: dict[str, Json] | None = None
    instructions: str | None = None
    output_schema: dict[str, Json] | None = None
    description: str | None = None
    deps: str | None = None
    deps_scope: DepsScope = "run"
    usage_limits: dict[str, Json] | None = None
    cancel_grace_ms: int = 10_000
    withheld: tuple[str, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a loaded program is and takes; the map of the `ready` frame."""

    kind: Kind
    mode: Mode
    streams: bool = False
    sync: bool = False
    concurrency: int = 1
    input_schema: dict[str, Json] | None = None
    output_schema: dict[str, Json] | None = None
    output_name: str | None = None
    output_fields: list[str] | None = None
    deps_schema: dict[str, Json] | None = None
    takes_deps: bool = False
    description: str | None = None
    model: str | None = None
    tools: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    tells_effects: bool = False

    def to_wire(self, loaded_ms: int) -> dict[str, Json]:
        """The map that the `ready` frame carries."""
        wire: dict[str, Json] = {one.name: getattr(self, one.name) for one in fields(self)}
        wire["loaded_ms"] = loaded_ms
        return wire


class Outcome(NamedTuple):
    """What a run returned. `output` must be of JSON's data model; the worker checks it."""

    output: Json
    new_messages: bytes | None = None
    message_count: int = 0
    usage: dict[str, Json] | None = None


class Fault(Exception):
    """A run's failure as data; raised by a program, sent by the worker."""

    def __init__(
        self,
        origin: Origin,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        details: dict[str, Json] | None = None,
        new_messages: bytes | None = None,
        message_count: int = 0,
        usage: dict[str, Json] | None = None,
    ) -> None:
        """Name whose fault it is, by the catalogue of the protocol."""
        super().__init__(message)
        self.origin: Origin = origin
        self.code = code
        self.message = message
        self.retryable = retryable
        self.details = details
        self.new_messages = new_messages
        self.message_count = message_count
        self.usage = usage


class Verdict(NamedTuple):
    """The runtime's judgement of an output; `message` tells the model what to mend."""

    ok: bool
    message: str | None = None


class ToolAnswer(NamedTuple):
    """What the runtime's tool said; `retry` and `fail` go to the model, `abort` ends the run."""

    status: Literal["ok", "retry", "fail", "abort"]
    value: Json = None
    message: str | None = None


class RunView(Protocol):
    """What every program may ask of its run, from any thread."""

    @property
    def run(self) -> int:
        """The run's id, as in the frames."""
        ...

    @property
    def cancelled(self) -> bool:
        """Whether the runtime has asked for the end of this run."""
        ...

    @property
    def cancel_reason(self) -> CancelReason | None:
        """Why, once `cancelled` is true."""
        ...

    def remaining(self) -> float | None:
        """Seconds to the deadline, never below zero; None where there is none.

        Only told, never enforced here: the runtime sends `cancel` when it passes.
        """
        ...

    def on_cancel(self, callback: Callable[[CancelReason], object]) -> None:
        """Call back once on cancel, from any thread; at once if that has happened.

        A suspending run with a callback is ended by it (a `CancellationToken`) and must then raise
        `Fault("caller", "cancelled", …)` itself; one without is ended by `Task.cancel`.
        """
        ...

    def log(self, level: LogLevel, message: str, fields: dict[str, Json] | None = None) -> None:
        """Write a line into the agent's log, under this run."""
        ...


class RunPort(RunView, Protocol):
    """The port of a suspending program."""

    async def emit_text(self, text: str) -> None:
        """Stream text; waits for credit, but returns at once when the run is (or gets) cancelled.

        Empty text and runs that want no stream cost nothing.
        """
        ...

    async def emit_event(self, event: dict[str, Json]) -> None:
        """Stream an event (`tool_call`, `tool_result`, `thinking`); waits for credit."""
        ...

    async def effect(self) -> None:
        """Say that a tool begins, which a second execution of the run would do twice.

        On return the runtime will hear of it, even where the process dies at once.
        """
        ...

    async def check_output(self, output: Json) -> Verdict:
        """Ask the runtime whether an output fits the agent's schema."""
        ...

    async def call_tool(self, name: str, arguments: dict[str, Json]) -> ToolAnswer:
        """Have the runtime run one of its tools. Many may be open at once."""
        ...


class BlockingRunPort(RunView, Protocol):
    """The port of a blocking program: the same, each call waiting by reading the pipe itself.

    Only the thread that `run` was called on may use these. A wait that a cancel ends raises
    `Fault("caller", "cancelled", …)`.
    """

    def emit_text(self, text: str) -> None:
        """Stream text; waits for credit."""
        ...

    def emit_event(self, event: dict[str, Json]) -> None:
        """Stream an event; waits for credit."""
        ...

    def effect(self) -> None:
        """Say that a tool begins."""
        ...

    def check_output(self, output: Json) -> Verdict:
        """Ask the runtime whether an output fits the agent's schema."""
        ...

    def call_tool(self, name: str, arguments: dict[str, Json]) -> ToolAnswer:
        """Have the runtime run one of its tools."""
        ...


class SuspendingProgram(Protocol):
    """A program whose runs share one event loop that lives as long as the process."""

    manifest: Manifest
    blocking: Literal[False]

    async def open(self) -> None:
        """Enter what lives as long as the incarnation. Called once, before `ready`."""
        ...

    async def close(self) -> None:
        """Leave it again, in the same task as `open`."""
        ...

    async def run(self, call: Call, run: RunPort) -> Outcome | str:
        """Execute one call; a text is an outcome of nothing else.

        Raises `Fault`; any other exception becomes `agent_error`.
        """
        ...


class BlockingProgram(Protocol):
    """A program whose runs block the main thread, one at a time; asyncio is not imported for it."""

    manifest: Manifest
    blocking: Literal[True]

    def open(self) -> None:
        """Enter what lives as long as the incarnation. Called once, before `ready`."""
        ...

    def close(self) -> None:
        """Leave it again."""
        ...

    def run(self, call: Call, run: BlockingRunPort) -> Outcome | str:
        """Execute one call; a text is an outcome of nothing else.

        Raises `Fault`; any other exception becomes `agent_error`.
        """
        ...


Program = SuspendingProgram | BlockingProgram
Loader = Callable[[Any, Configuration], Program | None]
