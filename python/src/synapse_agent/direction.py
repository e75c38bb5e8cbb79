"""The frames of each direction: how a body becomes a frame, and what makes it a violation.

This module refuses to know which frame may come when (`session`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeGuard, cast

from msgpack import unpackb

from .frame import (
    Call,
    Cancel,
    Chunk,
    Credit,
    Effect,
    FaultFrame,
    Hello,
    Log,
    OutputCheck,
    OutputVerdict,
    Ping,
    Pong,
    Ready,
    Result,
    Started,
    Stop,
    ToolCall,
    ToolResult,
    Violation,
    Welcome,
)
from .json_value import NotJson, check_json

__all__ = ["FROM_AGENT", "FROM_RUNTIME", "Direction"]


_name = cast("Callable[[type[Any], Iterable[Any]], Any]", tuple.__new__)  # pyright: ignore[reportUnknownMemberType]
"""Makes a named tuple of its elements at half the price of `_make`; the arity has been checked."""


class _Shape(NamedTuple):
    """How a frame's elements after kind and run are checked: the exact types that each may have."""

    frame: type[Any]
    name: str
    fields: tuple[frozenset[type] | None, ...]
    required: int
    of_a_run: bool


_NIL: Final[frozenset[type]] = frozenset({type(None)})
_INT: Final[frozenset[type]] = frozenset({int})
_STR: Final[frozenset[type]] = frozenset({str})
_BOOL: Final[frozenset[type]] = frozenset({bool})
_MAP: Final[frozenset[type]] = frozenset({dict})
_LIST: Final[frozenset[type]] = frozenset({list})
_BIN: Final[frozenset[type]] = frozenset({bytes})
_ANY: Final = None

_WORDS: Final[dict[tuple[str, str], frozenset[str]]] = {
    ("cancel", "reason"): frozenset({"cancelled", "caller_gone", "deadline_exceeded", "shutdown"}),
    ("tool_result", "status"): frozenset({"ok", "retry", "fail", "abort"}),
    ("log", "level"): frozenset({"debug", "info", "warning", "error"}),
}
"""Closed sets of words."""

_CALL: Final = 2
_PLAIN_CALL_ARITY: Final = 7
"""Elements of a call of an input and a deadline: what follows is nil, so it is not written."""


def _shape(
    frame: type[Any],
    name: str,
    *fields: frozenset[type] | None,
    of_a_run: bool = True,
    required: int | None = None,
) -> _Shape:
    """A shape; the nullable fields at its end may be missing."""
    if required is None:
        required = len(fields)
        while required and (fields[required - 1] or frozenset()) >= _NIL:
            required -= 1
    return _Shape(frame, name, fields, required, of_a_run)


class Direction:
    """The frames of one direction, by kind."""

    __slots__ = ("shapes", "takes_calls")

    def __init__(self, shapes: dict[int, _Shape]) -> None:
        """Know the shapes."""
        self.shapes = shapes
        self.takes_calls = _CALL in shapes

    def decode(self, body: bytes | bytearray | memoryview) -> Any:
        """A frame from a whole body (what follows the length); raises `Violation`."""
        elements: Any
        try:
            elements = unpackb(body)
        except ValueError as error:
            raise Violation("malformed", str(error) or type(error).__name__) from None
        # A call with a text and a deadline, as nearly all frames are: looked at in one expression,
        # at a fifth of the price of looking at each field by its shape.
        if elements.__class__ is list and len(elements) == _PLAIN_CALL_ARITY and self.takes_calls:
            kind, run, text, stream, prefetched, credit, deadline = elements
            if (
                kind == _CALL
                and type(text) is str
                and type(kind) is type(run) is type(credit) is type(deadline) is int
                and type(stream) is type(prefetched) is bool
                and run >= 0 <= credit
                and deadline >= 0
            ):
                return _name(Call, (
                    kind, run, text, stream, prefetched, credit, deadline,
                    None, None, None, None, None, None, None,
                ))  # fmt: skip
        return self._checked(elements)

    def _checked(self, elements: Any) -> Any:
        """The frame of these elements, each of which is looked at."""
        if not _is_list(elements) or len(elements) < 2:
            raise Violation("malformed", "not an array of a kind, a run and fields")
        for head in elements[:2]:
            if type(head) is not int or head < 0:
                raise Violation("malformed", "the kind or the run is no unsigned integer")
        shape = self.shapes.get(elements[0])
        if shape is None:
            raise Violation("unknown_kind", f"unknown kind of frame {elements[0]}")
        known = _check_fields(shape, elements)
        return _name(shape.frame, known)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return type(value) is list


def _check_fields(shape: _Shape, elements: list[Any]) -> list[Any]:
    """The elements that the frame knows, missing nullable ones filled in."""
    if not shape.of_a_run and elements[1] != 0:
        raise Violation("bad_field", f"`run` of `{shape.name}` is not 0")
    arity = len(shape.fields) + 2
    if len(elements) < shape.required + 2:
        missing = shape.frame._fields[len(elements)]
        raise Violation("bad_field", f"`{missing}` of `{shape.name}` is missing")
    known = elements[:arity] + [None] * (arity - len(elements))
    for allowed, value, name in zip(shape.fields, known[2:], shape.frame._fields[2:], strict=True):
        if allowed is not None and type(value) not in allowed:
            raise Violation("bad_field", f"`{name}` of `{shape.name}` is of the wrong type")
        _check_value(shape, name, allowed, value)
    return known


def _check_value(shape: _Shape, name: str, allowed: frozenset[type] | None, value: Any) -> None:
    """What a field's type does not say: no negative numbers, known words, JSON all the way down."""
    words = _WORDS.get((shape.name, name))
    if words is not None and value not in words:
        raise Violation("bad_field", f"`{name}` of `{shape.name}` is none of {sorted(words)}")
    if allowed is None or allowed >= _MAP:
        try:
            check_json(value)
        except NotJson as error:
            raise Violation("bad_field", f"`{name}` of `{shape.name}`: {error}") from None
    elif type(value) is int and value < 0:
        raise Violation("bad_field", f"`{name}` of `{shape.name}` is out of range")


FROM_RUNTIME: Final = Direction(
    {
        1: _shape(
            Welcome, "welcome", _INT, _LIST, _STR, _STR, _INT, _MAP, _LIST, _MAP, of_a_run=False
        ),
        2: _shape(
            Call, "call", _ANY, _BOOL, _BOOL, _INT, _INT | _NIL, _ANY, _LIST | _NIL, _STR | _NIL,
            _MAP | _NIL, _STR | _NIL, _MAP | _NIL, _MAP | _NIL, required=4,
        ),
        3: _shape(ToolResult, "tool_result", _INT, _STR, _ANY, _STR | _NIL),
        4: _shape(OutputVerdict, "output_verdict", _INT, _BOOL, _STR | _NIL),
        5: _shape(Credit, "credit", _INT),
        6: _shape(Cancel, "cancel", _STR),
        7: _shape(Ping, "ping", _INT, of_a_run=False),
        8: _shape(Stop, "stop", _INT, of_a_run=False),
    }
)  # fmt: skip

FROM_AGENT: Final = Direction(
    {
        65: _shape(Hello, "hello", _LIST, _STR, _STR, _INT, _MAP | _NIL, of_a_run=False),
        66: _shape(Ready, "ready", _MAP, of_a_run=False),
        67: _shape(Started, "started"),
        68: _shape(ToolCall, "tool_call", _INT, _STR, _MAP),
        69: _shape(OutputCheck, "output_check", _INT, _ANY),
        70: _shape(Chunk, "chunk", _INT, _STR | _MAP),
        71: _shape(Result, "result", _ANY, _BIN | _NIL, _INT, _MAP | _NIL),
        72: _shape(
            FaultFrame, "fault", _STR, _STR, _STR, _BOOL, _MAP | _NIL, _BIN | _NIL, _INT,
            _MAP | _NIL,
        ),
        73: _shape(Pong, "pong", _INT, _INT, _INT, of_a_run=False),
        74: _shape(Log, "log", _STR, _STR, _STR, _MAP | _NIL, _INT),
        75: _shape(Effect, "effect"),
    }
)  # fmt: skip
