"""The same run without Synapse: the offline agent of supervision.toml, called in this interpreter.

    ENVIRONMENT/bin/python benches/bare.py [--calls N] [--pin CPU] [--stream]

Prints the median of a run in microseconds. benches/overhead.py calls it in turn with
`synapse bench`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python" / "src"))

from pydantic_ai import Agent

from synapse_agent.adapter.offline import OfflineModel

PROMPT = "x" * 100


async def measure(calls: int, stream: bool) -> float:
    agent = Agent(OfflineModel(), instructions="Answer briefly.")
    times: list[float] = []
    for _ in range(calls):
        began = time.perf_counter()
        if stream:
            async with agent.run_stream_events(PROMPT) as events:
                async for _event in events:
                    pass
        else:
            await agent.run(PROMPT)
        times.append(time.perf_counter() - began)
    return statistics.median(times[calls // 10 :]) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--pin", type=int)
    parser.add_argument("--stream", action="store_true")
    arguments = parser.parse_args()
    if arguments.pin is not None:
        os.sched_setaffinity(0, {arguments.pin})
    print(f"{asyncio.run(measure(arguments.calls, arguments.stream)):.1f}")


if __name__ == "__main__":
    main()
