"""What Synapse adds to a run of pydantic-ai: `synapse bench` and the bare run, in turn.

Mode `run` beside `agent.run`, then mode `run_stream` beside `agent.run_stream_events`.

    python3 benches/overhead.py [--synapse target/release/synapse] [--calls N] [--pin CPU]
                                [--rounds R]

Prints the medians of both and their difference, in microseconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIG = str(HERE / "supervision.toml")


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--synapse", default=str(HERE.parent / "target" / "release" / "synapse"))
    parser.add_argument("--calls", default="500")
    parser.add_argument("--pin", default="0")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    python = json.loads(output(arguments.synapse, "sync", "--config", CONFIG, "--json"))["python"]
    pinned = ("--calls", arguments.calls, "--pin", arguments.pin)
    for agent, method, *flags in (("offline", "run"), ("offline_stream", "run_stream", "--stream")):
        through: list[float] = []
        bare: list[float] = []
        for _ in range(arguments.rounds):
            bare.append(float(output(python, str(HERE / "bare.py"), *pinned, *flags)))
            bench = output(arguments.synapse, "bench", "--config", CONFIG, agent, *pinned, "--json")
            through.append(json.loads(bench)["p50_us"]["agent"])
        one, other = statistics.median(through), statistics.median(bare)
        print(f"{method}: through Synapse {one:.0f} us, bare {other:.0f} us", end="")
        print(f", difference {one - other:+.0f} us")


if __name__ == "__main__":
    main()
