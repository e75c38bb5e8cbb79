"""Whether a Python value is of JSON's data model, which is all that a frame may carry.

MessagePack would also pack bytes, NaN and keys that are no strings, and the runtime would have to
kill the agent for them. This module refuses to know frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any, Final, cast

__all__ = ["DEPTH_MAX", "NotJson", "check_json"]

DEPTH_MAX: Final = 500
"""Levels of arrays and maps in one value: msgpack packs no deeper than 511, the frame's own
included."""

_INT_MIN: Final = -(1 << 63)
_INT_MAX: Final = (1 << 64) - 1
_PLAIN: Final[frozenset[type]] = frozenset({str, bool, type(None)})


class NotJson(ValueError):
    """A value that no frame can carry; the message says where and why."""


def check_json(value: Any, what: str = "the output") -> None:
    """Raise `NotJson` unless a frame can carry `value`."""
    if type(value) in _PLAIN:
        return
    _check(value, what, DEPTH_MAX)


def _check(value: Any, where: str, levels: int) -> None:
    """Exact types first; a subclass of one (an enum of strings) packs as what it derives from."""
    if value is None or isinstance(value, (str, bool)):
        return
    if isinstance(value, int):
        if not _INT_MIN <= value <= _INT_MAX:
            raise NotJson(f"{where} is an integer of more than 64 bits")
    elif isinstance(value, float):
        if not isfinite(value):
            raise NotJson(f"{where} is {value}, which JSON does not have")
    elif isinstance(value, dict):
        _check_map(cast("dict[Any, Any]", value), where, levels - 1)
    elif isinstance(value, (list, tuple)):
        _check_list(cast("list[Any]", value), where, levels - 1)
    else:
        raise NotJson(f"{where} is {_kind(value)}, which is no JSON: {_hint(value)}")


def _check_list(values: list[Any] | tuple[Any, ...], where: str, levels: int) -> None:
    if levels < 0:
        raise NotJson(f"{where} is nested more than {DEPTH_MAX} levels deep")
    if _all_plain(values):
        return
    for index, value in enumerate(values):
        if type(value) not in _PLAIN:
            _check(value, f"{where}[{index}]", levels)


def _check_map(values: dict[Any, Any], where: str, levels: int) -> None:
    if levels < 0:
        raise NotJson(f"{where} is nested more than {DEPTH_MAX} levels deep")
    for key in values:
        if not isinstance(key, str):
            raise NotJson(f"{where} has the key {key!r}; keys must be strings")
    if _all_plain(values.values()):
        return
    for key, value in values.items():
        if type(value) not in _PLAIN:
            _check(value, f"{where}.{key}", levels)


def _all_plain(values: Iterable[Any]) -> bool:
    """Most lists and maps are flat; this asks at the speed of C."""
    return set(map(type, values)) <= _PLAIN


def _kind(value: Any) -> str:
    name = type(value).__qualname__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _hint(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "decode it, or encode it as base64"
    if isinstance(value, (set, frozenset)):
        return "make it a list"
    if hasattr(value, "isoformat"):
        return "call its isoformat()"
    return "return str, int, float, bool, None, a list or a dict of such"
