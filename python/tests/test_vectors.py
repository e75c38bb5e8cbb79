"""The frames that both languages share: `tests/vectors/*.json`, each decoded and encoded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from synapse_agent.decoder import Decoder
from synapse_agent.direction import FROM_AGENT, FROM_RUNTIME, Direction
from synapse_agent.frame import Violation, encode

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
DIRECTIONS = {"from_agent": FROM_AGENT, "from_runtime": FROM_RUNTIME}


def vectors(name: str) -> list[Any]:
    return json.loads((VECTORS / f"{name}.json").read_text())


def frames() -> list[Any]:
    return [
        pytest.param(direction, vector, id=vector["name"])
        for name, direction in DIRECTIONS.items()
        for vector in vectors(name)
    ]


def meaning(value: Any) -> Any:
    """A vector's field: `{"$bin": hex}` is bytes."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if list(fields) == ["$bin"]:
            return bytes.fromhex(fields["$bin"])
        return {key: meaning(one) for key, one in fields.items()}
    if isinstance(value, list):
        return [meaning(one) for one in cast("list[Any]", value)]
    return value


def without_nils(direction: Direction, frame: Any) -> tuple[Any, ...]:
    """The elements up to the last that is not a nullable nil, as a frame's writer may end it."""
    elements = tuple(frame)
    while elements[-1] is None and len(elements) > direction.shapes[frame.kind].required + 2:
        elements = elements[:-1]
    return elements


def kind_name(direction: Direction, frame: Any) -> str:
    return direction.shapes[frame.kind].name


@pytest.mark.parametrize(("direction", "vector"), frames())
def test_every_frame_decodes_to_its_meaning(direction: Direction, vector: Any) -> None:
    decoded = Decoder(direction).feed(bytes.fromhex(vector["frame"]))
    assert len(decoded) == 1
    assert kind_name(direction, decoded[0]) == vector["kind"]
    fields = meaning(vector["fields"])
    given = decoded[0]._asdict()
    given.pop("kind")
    if "run" not in fields:
        assert given.pop("run") == 0
    assert given == fields
    assert repr(given) == repr({name: fields[name] for name in given})  # 1 is not 1.0


@pytest.mark.parametrize(("direction", "vector"), frames())
def test_every_canonical_frame_encodes_to_its_bytes(direction: Direction, vector: Any) -> None:
    [decoded] = Decoder(direction).feed(bytes.fromhex(vector["frame"]))
    if vector["canonical"]:
        assert encode(without_nils(direction, decoded)).hex() == vector["frame"]
    else:
        assert Decoder(direction).feed(encode(decoded)) == [decoded]


@pytest.mark.parametrize(
    "vector", [pytest.param(one, id=one["name"]) for one in vectors("violations")]
)
def test_every_violation_is_named(vector: Any) -> None:
    decoder = Decoder(DIRECTIONS[vector["direction"]])
    with pytest.raises(Violation) as raised:
        decoder.feed(bytes.fromhex(vector["frame"]))
    assert raised.value.name == vector["violation"]


@pytest.mark.parametrize(("direction", "vector"), frames())
def test_a_prefix_is_incomplete_never_a_violation(direction: Direction, vector: Any) -> None:
    data = bytes.fromhex(vector["frame"])
    for cut in range(0, len(data), max(1, len(data) // 50)):
        decoder = Decoder(direction)
        assert decoder.feed(data[:cut]) == []
        assert decoder.torn == (cut > 0)
