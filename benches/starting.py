"""How long fifty agents that start at once take, against the processor time that they need.

    python3 benches/starting.py [--synapse target/release/synapse] [--rounds R]

Each round starts a node with benches/starting.toml and reads its events: from the first process to
the node being up. The processor time is that of the agents' processes when they are ready, shared
among the processors; what others do on the machine meanwhile makes the ratio larger.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CONFIG = str(HERE / "starting.toml")
WAIT = "120s"


def lines(*command: str) -> list[dict[str, Any]]:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def processor_s(pid: int) -> float:
    """User and system time of a process (fields 14 and 15 of its stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def at(events: list[dict[str, Any]], kind: str) -> datetime:
    return next(datetime.fromisoformat(it["at"]) for it in events if it["kind"] == kind)


def measure(synapse: str) -> tuple[float, float, int]:
    """Seconds until all were ready, processor seconds of all, and how many there were."""
    with tempfile.TemporaryDirectory() as folder:
        place = ("--config", CONFIG, "--data-dir", folder)
        up = subprocess.Popen((synapse, "up", "--no-console", *place), stdout=subprocess.DEVNULL)
        try:
            [status] = lines(synapse, "status", "--wait", "--timeout", WAIT, "--json", *place)
            events = lines(synapse, "events", "--tail", "1000", "--json", *place)
            pids = [it["pid"] for agent in status["agents"] for it in agent["replicas"]]
            spent = sum(map(processor_s, pids))
        finally:
            up.terminate()
            up.wait()
    took = at(events, "node_started") - at(events, "agent_starting")
    return took.total_seconds(), spent, len(pids)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--synapse", default=str(HERE.parent / "target" / "release" / "synapse"))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    subprocess.run((arguments.synapse, "sync", "--config", CONFIG), check=True)
    cores = len(os.sched_getaffinity(0))
    ratios: list[float] = []
    for _ in range(arguments.rounds):
        took, spent, count = measure(arguments.synapse)
        ratios.append(took / (spent / cores))
        print(
            f"{count} agents ready in {took:.2f} s; they need {spent:.2f} s of processor, "
            f"on {cores} cores {spent / cores:.2f} s: {ratios[-1]:.2f} times that"
        )
    print(f"median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
