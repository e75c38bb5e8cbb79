"""What fits into one chunk: text is split, an event is cut down.

This module refuses to know credit and frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgpack import packb

from .frame import CHUNK_BYTES_MAX, Json

__all__ = ["CHUNK_CHARS_SAFE", "fit_event", "split_text"]

CHUNK_CHARS_SAFE: Final = CHUNK_BYTES_MAX // 4
"""Characters that fit into a chunk whatever they are: UTF-8 takes at most four bytes for one."""

_EVENT_TEXT_CHARS: Final = 4096
"""Characters that are left of each text of an event that is too long: enough to be recognised."""

_MAP_BYTES: Final = 5
"""What the length of a map takes at the most."""


def split_text(text: str) -> Iterator[str]:
    """Pieces of at most `CHUNK_BYTES_MAX` bytes, cut between characters."""
    if len(text) <= CHUNK_BYTES_MAX and text.isascii():
        yield text
        return
    data = text.encode()
    start = 0
    while start < len(data):
        stop = min(start + CHUNK_BYTES_MAX, len(data))
        while stop < len(data) and data[stop] & 0xC0 == 0x80:  # inside a character
            stop -= 1
        yield data[start:stop].decode()
        start = stop


def fit_event(event: dict[str, Json]) -> dict[str, Json]:
    """The event itself, or, where it is too long for a chunk, its short fields and cut texts, as
    many as fit.
    """
    if len(packb(event)) <= CHUNK_BYTES_MAX:
        return event
    kept: dict[str, Json] = {"type": None, "truncated": True}
    room = CHUNK_BYTES_MAX - len(packb(kept)) - _MAP_BYTES
    # The type first: without it nobody knows what the rest is.
    for key in sorted(event, key=lambda key: key != "type"):
        value = _cut(event[key])
        size = len(packb(key)) + len(packb(value))
        if size <= room and key != "truncated":
            kept[key] = value
            room -= size
    return kept


def _cut(value: Json) -> Json:
    if isinstance(value, str):
        return value if len(value) <= _EVENT_TEXT_CHARS else value[:_EVENT_TEXT_CHARS] + "…"
    return value if len(packb(value)) <= _EVENT_TEXT_CHARS else None
