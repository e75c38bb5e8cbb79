"""The frames of protocol version 1: typed tuples whose elements are the elements on the wire.

A frame is a named tuple in wire order, so encoding packs the tuple and decoding names the array's
elements. This module refuses to know how a body is checked (`direction`), where one ends
in a stream of bytes (`decoder`), and which frame may come when (`session`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from struct import Struct
from typing import Any, Final, Literal, NamedTuple, cast

from msgpack import Packer

__all__ = [
    "CHUNK_BYTES_MAX",
    "FRAME_BYTES_MAX",
    "HEADER_BYTES",
    "PROTOCOL_VERSIONS",
    "STREAM_CREDIT_INITIAL",
    "VALUES_MAX",
    "Call",
    "Cancel",
    "CancelReason",
    "Chunk",
    "Credit",
    "Effect",
    "FaultFrame",
    "Frame",
    "FrameTooLong",
    "Hello",
    "Json",
    "Log",
    "OutputCheck",
    "OutputVerdict",
    "Ping",
    "Pong",
    "Ready",
    "Result",
    "Started",
    "Stop",
    "ToolCall",
    "ToolResult",
    "Violation",
    "Welcome",
    "check_large",
    "encode",
    "header",
]

PROTOCOL_VERSIONS: Final = (1,)

HEADER_BYTES: Final = 4

FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
"""Largest body of a frame, in bytes: what one message may make the other side hold in memory."""

VALUES_MAX: Final = 1024 * 1024
"""Array elements and map entries in one frame; a body of fewer bytes cannot have more."""

_SCALARS: Final[frozenset[type]] = frozenset({str, bytes, bool, int, float, type(None)})

CHUNK_BYTES_MAX: Final = 64 * 1024
"""Largest text of one chunk, in bytes of UTF-8: what one credit may make a reader hold."""

STREAM_CREDIT_INITIAL: Final = 64
"""Chunks that a call grants before the first credit frame."""

Json = Any
"""A value of JSON's data model; a deeper type would make every program cast."""

CancelReason = Literal["cancelled", "caller_gone", "deadline_exceeded", "shutdown"]


class Violation(Exception):
    """The other side broke the protocol; `name` is the violation's name in docs/protocol.md."""

    def __init__(self, name: str, detail: str) -> None:
        """Keep the name apart, for the vectors and for the exit line."""
        super().__init__(f"{name}: {detail}")
        self.name = name


class Welcome(NamedTuple):
    """The version that was chosen, and who the agent is."""

    kind: int
    run: int
    version: int
    versions: list[int]
    node: str
    agent: str
    incarnation: int
    configuration: dict[str, Json]
    tools: list[dict[str, Json]]
    limits: dict[str, int]


class Call(NamedTuple):
    """A run that the runtime asks for."""

    kind: int
    run: int
    input: Json
    stream: bool = False
    prefetched: bool = False
    credit: int = STREAM_CREDIT_INITIAL
    deadline_ms: int | None = None
    deps: Json = None
    history: list[bytes] | None = None
    model: str | None = None
    settings: dict[str, Json] | None = None
    instructions: str | None = None
    limits: dict[str, Json] | None = None
    trace: dict[str, Json] | None = None


class ToolResult(NamedTuple):
    """What a tool of the runtime answered."""

    kind: int
    run: int
    call: int
    status: Literal["ok", "retry", "fail", "abort"]
    value: Json = None
    message: str | None = None


class OutputVerdict(NamedTuple):
    """Whether an output fits the agent's schema."""

    kind: int
    run: int
    check: int
    ok: bool
    message: str | None = None


class Credit(NamedTuple):
    """More chunks may come."""

    kind: int
    run: int
    chunks: int


class Cancel(NamedTuple):
    """The run shall end."""

    kind: int
    run: int
    reason: CancelReason


class Ping(NamedTuple):
    """Asks for the lag of the code that runs agents."""

    kind: int
    run: int
    nonce: int


class Stop(NamedTuple):
    """Finish what runs, take nothing new, exit."""

    kind: int
    run: int
    deadline_ms: int


class Hello(NamedTuple):
    """The first frame of an agent."""

    kind: int
    run: int
    versions: list[int]
    sdk: str
    python: str
    pid: int
    sources: dict[str, int] | None = None


class Ready(NamedTuple):
    """The program is loaded."""

    kind: int
    run: int
    manifest: dict[str, Json]


class Started(NamedTuple):
    """A prefetched call begins to execute."""

    kind: int
    run: int


class ToolCall(NamedTuple):
    """Asks the runtime to run one of its tools."""

    kind: int
    run: int
    call: int
    name: str
    arguments: dict[str, Json]


class OutputCheck(NamedTuple):
    """Asks whether an output fits the agent's schema."""

    kind: int
    run: int
    check: int
    output: Json


class Chunk(NamedTuple):
    """A piece of a stream: text, or an event."""

    kind: int
    run: int
    seq: int
    data: str | dict[str, Json]


class Result(NamedTuple):
    """The good end of a run."""

    kind: int
    run: int
    output: Json
    new_messages: bytes | None = None
    message_count: int = 0
    usage: dict[str, Json] | None = None


class FaultFrame(NamedTuple):
    """The bad end of a run; of run 0: the agent cannot start."""

    kind: int
    run: int
    origin: str
    code: str
    message: str
    retryable: bool = False
    details: dict[str, Json] | None = None
    new_messages: bytes | None = None
    message_count: int = 0
    usage: dict[str, Json] | None = None


class Effect(NamedTuple):
    """A tool begins, and what it does cannot be taken back."""

    kind: int
    run: int


class Pong(NamedTuple):
    """Answers a ping."""

    kind: int
    run: int
    nonce: int
    lag_us: int
    resident_bytes: int


class Log(NamedTuple):
    """A line for the agent's log; `dropped` counts those before it that the rate limit ate."""

    kind: int
    run: int
    level: str
    logger: str
    message: str
    fields: dict[str, Json] | None = None
    dropped: int = 0


Frame = (
    Welcome
    | Call
    | ToolResult
    | OutputVerdict
    | Credit
    | Cancel
    | Ping
    | Stop
    | Hello
    | Ready
    | Started
    | ToolCall
    | OutputCheck
    | Chunk
    | Result
    | FaultFrame
    | Pong
    | Log
    | Effect
)


class FrameTooLong(ValueError):
    """A frame that no reader would take, for its bytes or its values; none of it was written."""


def check_large(frame: tuple[Any, ...], length: int) -> None:
    """Raise `FrameTooLong` of a frame of more than `VALUES_MAX` bytes where it passes a limit."""
    if length > FRAME_BYTES_MAX:
        raise FrameTooLong(f"{length} bytes, at most {FRAME_BYTES_MAX} are allowed")
    count, left = 0, [one for one in frame if type(one) not in _SCALARS]
    while left and count <= VALUES_MAX:
        one = left.pop()
        if isinstance(one, dict):
            one = cast("dict[str, Json]", one).values()
        elif not isinstance(one, (list, tuple)):
            continue
        members = cast("Collection[Json]", one)
        count += len(members)
        left += [member for member in members if type(member) not in _SCALARS]
    if count > VALUES_MAX:
        raise FrameTooLong(f"more than {VALUES_MAX} values, which are allowed")


_header = Struct(">I")
header: Final[Callable[[int], bytes]] = _header.pack
"""The length before a body."""


def encode(frame: Frame | tuple[Any, ...]) -> bytes:
    """A frame with its length. From any thread; a worker's hot path has a packer of its own."""
    body: bytes = Packer().pack(frame)
    if len(body) > VALUES_MAX:
        check_large(frame, len(body))
    return header(len(body)) + body
