"""The frames of protocol version 1: typed tuples whose elements are the elements on the wire.

A frame is a named tuple in wire order, so encoding is packing the tuple and decoding is naming the
array's elements. This module refuses to know which frame may come when (`session`), and who reads
or writes the pipe (`worker_sync`, `worker_async`).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

__all__ = ["FRAME_BYTES_MAX", "Call", "CancelReason", "Json"]

FRAME_BYTES_MAX = 16 * 1024 * 1024
"""Largest body of a frame, in bytes: what one message may make the other side hold in memory."""

Json = Any
"""A value of JSON's data model; deeper types would make every program cast."""

CancelReason = Literal["cancelled", "caller_gone", "deadline_exceeded", "shutdown"]


class Call(NamedTuple):
    """A run that the runtime asks for."""

    kind: int
    run: int
    input: Json
    stream: bool = False
    prefetched: bool = False
    credit: int = 64
    deadline_ms: int | None = None
    deps: Json = None
    history: list[bytes] | None = None
    model: str | None = None
    settings: dict[str, Json] | None = None
    instructions: str | None = None
    limits: dict[str, Json] | None = None
    trace: dict[str, Json] | None = None
