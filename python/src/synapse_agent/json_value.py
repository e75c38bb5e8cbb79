"""Whether a Python value is of JSON's data model, which is all that a frame may carry.

MessagePack would also pack bytes, NaN and keys that are no strings, and the runtime would have to
kill the agent for them. This module refuses to know frames.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import isfinite
from typing import Any, Final, cast

__all__ = ["DEPTH_MAX", "NotJson", "check_json"]

DEPTH_MAX: Final = 500
"""Levels of arrays and maps in one value: msgpack packs no deeper than 511, the frame's own
included."""

_PLAIN: Final[frozenset[type]] = frozenset({str, bool, int, type(None)})
"""Exact types that need no second look: MessagePack itself refuses integers beyond 64 bits."""

_Path = tuple[Any, Any] | None
"""Where a value is: the path of what it is in, and its key or index there."""


class NotJson(ValueError):
    """A value that no frame can carry; the message says where and why."""


def check_json(value: Any, what: str = "the output") -> None:
    """Raise `NotJson` unless a frame can carry `value`."""
    if type(value) in _PLAIN:
        return
    # A stack instead of recursion: Python's own limit is lower than the depth that is allowed.
    left: list[tuple[Any, _Path, int]] = [(value, None, DEPTH_MAX)]
    while left:
        one, path, levels = left.pop()
        if isinstance(one, dict):
            members = _map_members(cast("dict[Any, Any]", one), path, what)
        elif isinstance(one, (list, tuple)):
            items = cast("list[Any]", one)
            members = () if _all_plain(items) else enumerate(items)
        else:
            _check_scalar(one, path, what)
            continue
        if levels == 0:
            raise NotJson(f"{what} is nested more than {DEPTH_MAX} levels deep")
        for key, member in members:
            if type(member) not in _PLAIN:
                left.append((member, (path, key), levels - 1))


def _map_members(entries: dict[Any, Any], path: _Path, what: str) -> Iterable[tuple[Any, Any]]:
    """What must be looked at inside of a map."""
    if not set(map(type, entries)) <= {str}:
        for key in entries:
            if not isinstance(key, str):
                where = _where(path, what)
                raise NotJson(f"{where} has the key {key!r}; keys must be strings")
    return () if _all_plain(entries.values()) else entries.items()


def _all_plain(values: Collection[Any]) -> bool:
    """Most lists and maps are flat; this asks at the speed of C."""
    types = set(map(type, values)) - _PLAIN
    if types == {float}:
        return all(isfinite(value) for value in values if type(value) is float)
    return not types


def _check_scalar(value: Any, path: _Path, what: str) -> None:
    """A subclass of a type of JSON (an enum of strings) packs as what it derives from."""
    if value is None or isinstance(value, (str, int)):
        return
    where = _where(path, what)
    if not isinstance(value, float):
        raise NotJson(f"{where} is {_kind(value)}, which is no JSON: {_hint(value)}")
    if not isfinite(value):
        raise NotJson(f"{where} is {value}, which JSON does not have")


def _where(path: _Path, what: str) -> str:
    """A path as one reads it: `the output.items[3].price`."""
    steps: list[str] = []
    while path is not None:
        path, key = path
        steps.append(f"[{key}]" if isinstance(key, int) else f".{key}")
    return what + "".join(reversed(steps))


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
