"""The sans-I/O parts: decoder, session, credit, chunks, JSON; every cut of every stream."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgpack import packb

from synapse_agent.chunk import fit_event, split_text
from synapse_agent.credit import NO_CREDIT, StreamCredit
from synapse_agent.decoder import Decoder
from synapse_agent.direction import FROM_RUNTIME
from synapse_agent.frame import CHUNK_BYTES_MAX, Call, Cancel, Credit, Ping, Stop, Violation, encode
from synapse_agent.json_value import NotJson, check_json
from synapse_agent.program import Manifest, Outcome
from synapse_agent.run import Run
from synapse_agent.session import Session
from synapse_agent.testing import call as a_call
from wire import call, frame, welcome

MANIFEST = Manifest(kind="function", mode="run")


def greeted() -> Session[Run]:
    session = Session(Run)
    [first] = Decoder(FROM_RUNTIME).feed(welcome("m:a"))
    assert session.receive(first) is None
    return session


def serving() -> Session[Run]:
    session = greeted()
    session.ready(MANIFEST, 1)
    return session


def conversation() -> bytes:
    """One stream of frames of every size, one of them beyond a read."""
    prompts = ["", "x" * 100, "é" * 40_000, "y" * 200_000, {"a": [1, None, True, 1.5]}]
    calls = b"".join(call(run, prompt) for run, prompt in enumerate(prompts, 1))
    return (
        calls + frame(7, 0, 9) + frame(5, 1, 3) + frame(8, 0, 1000) + call(9, "x", history=[b"[]"])
    )


def test_bytes_cut_anywhere_decode_to_the_same_frames() -> None:
    data = conversation()
    whole = Decoder(FROM_RUNTIME).feed(data)
    assert len(whole) == 9
    chance = random.Random(1)
    for _ in range(200):
        decoder, found, at = Decoder(FROM_RUNTIME), list[Any](), 0
        while at < len(data):
            size = chance.choice([1, 3, 7, 64, 4096, 65536, 300_000])
            found += decoder.feed(data[at : at + size])
            at += size
        assert found == whole
        assert not decoder.torn


def test_large_body_may_be_read_into_its_target() -> None:
    data = call(1, "x" * 200_000)
    decoder = Decoder(FROM_RUNTIME)
    assert decoder.feed(data[:1000]) == []
    rest = data[1000:]
    while (target := decoder.target) is not None:
        part = rest[:65536]
        target[: len(part)] = part
        rest = rest[len(part) :]
        found = decoder.filled(len(part))
        if found:
            assert found[0].input == "x" * 200_000
    assert not rest


def test_garbage_is_a_violation_and_nothing_else() -> None:
    chance = random.Random(2)
    for _ in range(3000):
        body = chance.randbytes(chance.randrange(60))
        decoder = Decoder(FROM_RUNTIME)
        try:
            decoder.feed(len(body).to_bytes(4) + body)
        except Violation as violation:
            assert violation.name in ("malformed", "unknown_kind", "bad_field")


def test_length_beyond_the_limit_allocates_nothing() -> None:
    decoder = Decoder(FROM_RUNTIME)
    with pytest.raises(Violation, match="frame_too_long"):
        decoder.feed((16 * 1024 * 1024 + 1).to_bytes(4))


def test_session_refuses_what_comes_too_early_or_twice() -> None:
    with pytest.raises(Violation, match="before welcome"):
        Session(Run).receive(Ping(7, 0, 1))
    with pytest.raises(Violation, match="before ready"):
        greeted().receive(a_call("x"))
    [again] = Decoder(FROM_RUNTIME).feed(welcome("m:a"))
    with pytest.raises(Violation, match="`welcome` is not expected after ready"):
        serving().receive(again)
    session = serving()
    session.receive(a_call("x"))
    with pytest.raises(Violation, match="run 1, which is open"):
        session.receive(a_call("x"))


def test_session_refuses_calls_after_stop_and_drains() -> None:
    session = serving()
    session.receive(a_call("x"))
    session.receive(Stop(8, 0, 100))
    refused = session.receive(a_call("y", run=2))
    assert (refused.code, refused.run) == ("agent_stopped", 2)
    assert not session.drained
    assert session.finished(session.waiting.popleft(), Outcome("done"))[:3] == (71, 1, "done")
    assert session.drained


def test_stop_before_ready_is_obeyed_after_it() -> None:
    session = greeted()
    session.receive(Stop(8, 0, 100))
    session.ready(MANIFEST, 1)
    assert session.drained


def test_frames_for_a_run_that_has_just_ended_are_passed_over() -> None:
    session = serving()
    assert session.receive(Credit(5, 7, 1)) is None
    assert session.receive(Cancel(6, 7, "cancelled")) is None


def test_cancel_reaches_callbacks_in_either_order_once() -> None:
    run = Run()
    run.begin(a_call("x"))
    seen: list[str] = []
    run.on_cancel(seen.append)
    run.cancel("caller_gone")
    run.cancel("shutdown")
    run.on_cancel(seen.append)
    assert seen == ["caller_gone", "caller_gone"]
    assert run.cancel_reason == "caller_gone"


def test_cancelled_run_ends_as_cancelled_with_what_it_brought() -> None:
    session = serving()
    session.receive(a_call("x"))
    run = session.waiting.popleft()
    session.receive(Cancel(6, 1, "deadline_exceeded"))
    end = session.finished(run, Outcome("x", b"[1]", 1, {"requests": 1}))
    assert end[3:5] == ("cancelled", "the run was cancelled")
    assert end[6:] == ({"reason": "deadline_exceeded"}, b"[1]", 1, {"requests": 1})


def test_credit_is_spent_by_chunks_and_granted_in_lots() -> None:
    credit = StreamCredit(2)
    assert [credit.take() for _ in range(3)] == [0, 1, NO_CREDIT]
    credit.grant(1)
    assert [credit.take(), credit.take()] == [2, NO_CREDIT]
    credit.give_back()
    assert credit.take() == 2


@pytest.mark.parametrize("text", ["", "a" * 65536, "a" * 65537, "é" * 40_000, "a𝄞" * 30_000])
def test_text_is_split_between_characters(text: str) -> None:
    pieces = list(split_text(text))
    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= 65536 for piece in pieces)


def test_event_too_long_for_a_chunk_is_cut() -> None:
    event = {"type": "tool_result", "name": "t", "ok": True, "content": "x" * 100_000}
    cut = fit_event(event)
    assert (cut["type"], cut["ok"], cut["truncated"]) == ("tool_result", True, True)
    assert len(encode((70, 1, 0, cut))) < 65536
    assert fit_event({"type": "a"}) == {"type": "a"}
    wide = fit_event({**{f"field {number}": number for number in range(30_000)}, "type": "a"})
    assert len(packb(wide)) <= CHUNK_BYTES_MAX
    assert (wide["type"], wide["truncated"], wide["field 0"]) == ("a", True, 0)
    assert fit_event({"type": "a", "k" * 100_000: 1}) == {"type": "a", "truncated": True}


@pytest.mark.parametrize("value", [None, True, "x", 1, 1.5, [], {}, [[1], {"a": (1, 2)}], {"": []}])
def test_json_passes(value: Any) -> None:
    check_json(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"", "the output is a bytes"),
        ([1, [object()]], r"the output\[1\]\[0\] is an object"),
        ({"a": {"b": float("inf")}}, r"the output\.a\.b is inf"),
        ({"a": [1.0, float("nan"), "x"]}, r"the output\.a\[1\] is nan"),
        ({1: 2}, "the output has the key 1"),
    ],
)
def test_what_is_no_json_is_named_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(NotJson, match=message):
        check_json(value)


def test_call_decodes_to_a_typed_frame() -> None:
    [decoded] = Decoder(FROM_RUNTIME).feed(call(3, {"a": 1}, deps=[1], trace={"t": "x"}))
    assert isinstance(decoded, Call)
    assert (decoded.run, decoded.input, decoded.deps, decoded.trace) == (
        3,
        {"a": 1},
        [1],
        {"t": "x"},
    )
