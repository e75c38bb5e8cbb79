"""The pipe changes hands often: runs as long as a tick, pings, cancels, torn frames."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from synapse_agent.sentinel import LOOP_TICK_S, TICK_S
from wire import Agent, call, frame

HERE = Path(__file__).parent
RUNS = 300


@pytest.mark.parametrize(
    ("entry", "concurrency", "tick"),
    [
        ("busy", 1, TICK_S),
        ("spins", 1, TICK_S),
        ("blocks", 4, LOOP_TICK_S),
        ("busy", 4, LOOP_TICK_S),
    ],
)
def test_every_call_is_answered_once_while_the_pipe_changes_hands(
    entry: str, concurrency: int, tick: float
) -> None:
    chance = random.Random(concurrency)
    with Agent.started(HERE, f"programs:{entry}", concurrency=concurrency) as agent:
        sent, cancelled = 0, set[int]()
        for _ in range(RUNS // 10):
            for _ in range(10):
                sent += 1
                seconds = str(tick * chance.choice([0, 0.25, 1, 1.5, 3]))
                # A long prompt now and then, so that frames are torn between the two readers.
                padding = " " * chance.choice([0, 0, 0, 100_000])
                agent.send(call(sent, seconds + padding, prefetched=sent > concurrency))
                if chance.random() < 0.1:
                    cancelled.add(sent)
                    agent.send(frame(6, sent, "cancelled"))
            agent.expect_pong(sent)
        for run in range(1, sent + 1):
            answer = agent.answer(run)
            assert run in cancelled or not hasattr(answer, "code"), answer
        agent.send(frame(8, 0, 5000))
        assert agent.exit_code() == 0
