"""Agents without code: model, instructions and an output schema that the runtime checks."""

from __future__ import annotations

from typing import Any

import pytest

from driving import drive_program
from synapse_agent import adapter
from synapse_agent.program import Configuration, Fault, Mode, Verdict
from synapse_agent.testing import RecordingPort, call

SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Report",
    "properties": {"title": {"type": "string"}, "score": {"type": "integer", "minimum": 1}},
    "required": ["title", "score"],
}


def _declared(schema: dict[str, Any] | None = None, **named: Any) -> Any:
    return adapter.declared(Configuration(model="offline", output_schema=schema, **named))


def test_a_model_and_instructions_are_enough() -> None:
    program = _declared(instructions="Be kind.", description="kind")
    assert (program.manifest.kind, program.manifest.mode) == ("declared", "run_stream")
    assert program.manifest.description == "kind"
    driven = drive_program(program, call("My name is Ada.", stream=True))
    assert driven.outcome.output == "Nice to meet you, Ada."
    assert len(driven.port.texts) == 5
    assert b"Be kind." in (driven.outcome.new_messages or b"")


def test_no_model_is_a_fault_of_the_start() -> None:
    with pytest.raises(Fault, match="no entry and no model"):
        adapter.declared(Configuration())


@pytest.mark.parametrize("mode", ["run", "run_stream", "run_sync"])
def test_every_output_is_shown_to_the_runtime(mode: Mode) -> None:
    driven = drive_program(_declared(SCHEMA, mode=mode), call("A breach, 4"))
    assert driven.outcome.output == {"title": "A breach, 4", "score": 4}
    assert driven.port.checked == [driven.outcome.output]


def test_a_refused_output_is_another_try_for_the_model() -> None:
    port = RecordingPort(verdicts=[Verdict(False, "score: must be 5"), Verdict(True)])
    driven = drive_program(_declared(SCHEMA), call("A breach, 4"), port=port)
    assert [output["score"] for output in port.checked] == [4, 5]
    assert driven.outcome.output["score"] == 5
    assert b"score: must be 5" in (driven.outcome.new_messages or b"")


def test_outputs_that_never_fit_are_the_models_fault() -> None:
    port = RecordingPort(verdicts=[Verdict(False, "score: must be 9")] * 9)
    fault = drive_program(_declared(SCHEMA), call("A breach"), port=port).fault
    assert (fault.origin, fault.code) == ("model", "output_invalid")
    assert "score: must be 9" in fault.message
    assert len(port.checked) == 3


def test_the_manifest_has_the_schema() -> None:
    manifest = _declared(SCHEMA).manifest
    assert manifest.output_schema == SCHEMA
    assert (manifest.output_name, manifest.output_fields) == ("Report", ["title", "score"])


@pytest.mark.parametrize(
    ("schema", "output"),
    [
        (
            {"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}},
            [7],
        ),
        ({"enum": ["low", "high"]}, "high"),
    ],
)
def test_a_schema_of_something_else_than_an_object(schema: dict[str, Any], output: Any) -> None:
    driven = drive_program(_declared(schema), call("a high number: 7"))
    assert driven.outcome.output == output
    assert driven.port.checked == [output]


def test_a_schema_that_no_model_can_be_given() -> None:
    recursive = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/node"}},
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
    }
    with pytest.raises(Fault, match="suits no model"):
        _declared(recursive)
