"""What hibernated agents cost the node, and how long the call takes that wakes one.

    python3 benches/hibernating.py [--synapse target/release/synapse] [--agents N] [--wakes N]

Resident memory is the node's own, beside that of a node without agents: with agents that were never
called, and again when each has been called and has given its process back. Wake-ups are the times
that any thread of the node was given a processor while nobody called. A wake is one call, from the
request on the control socket to its answer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HIBERNATE_AFTER = "200ms"
CALLERS = 4
QUIET_S = 10
# How long a thread that has nothing to do waits before it ends, and a little more.
THREADS_IDLE_S = 11
PATIENCE_S = 60
PYTHON = f"[python]\npath = [{json.dumps(str(HERE))}]\n"
SUBJECTS = {
    "a function": 'entry = "agents.subjects:echo_sync"',
    "pydantic-ai": 'model = "offline"\ninstructions = "Answer in one sentence."',
    "pydantic-ai and OpenAI's provider": 'entry = "agents.provider:agent"',
}


def supervision(agents: dict[str, str]) -> str:
    tables = [
        f'[agent.{name}]\n{lines}\nstart = "on_demand"\nhibernate_after = "{HIBERNATE_AFTER}"\n'
        for name, lines in agents.items()
    ]
    return f"{PYTHON}[supervisor.root]\nchildren = {json.dumps(list(agents))}\n" + "\n".join(tables)


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self.path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Node:
    """A node that is up."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".synapse" / "control.sock"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        connection = Connection(self.path)
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"content-type": "application/json"})
        answer = connection.getresponse()
        value = json.load(answer)
        connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(value)
        return value

    def call(self, agent: str) -> float:
        """Seconds that a call took."""
        begun = time.perf_counter()
        self.ask("POST", f"/v1/agents/{agent}/runs", {"prompt": "hello"})
        return time.perf_counter() - begun

    def until_hibernated(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            agents = self.ask("GET", "/v1/status")["agents"]
            awake = [agent["name"] for agent in agents if agent["state"] != "hibernated"]
            if not awake:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"not hibernated: {awake[:10]}")
            time.sleep(0.05)

    def process(self) -> Path:
        return Path("/proc") / str(self.ask("GET", "/v1/status")["pid"])

    def resident_mb(self) -> float:
        return field(self.process() / "status", "VmRSS:") / 1024

    def switches(self) -> dict[str, int]:
        """How often each of its threads was given a processor so far."""
        names = ("voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:")
        tasks = (self.process() / "task").iterdir()
        return {task.name: sum(field(task / "status", name) for name in names) for task in tasks}

    def wake_ups_per_s(self) -> float:
        """Of the threads that are there all the time."""
        time.sleep(THREADS_IDLE_S)
        # To ask is to wake, too: that is counted, and little.
        before = self.switches()
        time.sleep(QUIET_S)
        after = self.switches()
        spent = [after[task] - count for task, count in before.items() if task in after]
        return sum(spent) / QUIET_S


def field(file: Path, name: str) -> int:
    lines = file.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


@contextmanager
def node(synapse: str, agents: dict[str, str]) -> Iterator[Node]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "supervision.toml"
        config.write_text(supervision(agents))
        up = subprocess.Popen(
            (synapse, "up", "--no-console", "--config", str(config)), stdout=subprocess.DEVNULL
        )
        try:
            ready = (synapse, "status", "--wait", "--json", "--config", str(config))
            subprocess.run(ready, check=True, stdout=subprocess.DEVNULL)
            yield Node(folder)
        finally:
            up.terminate()
            up.wait()


def cost(synapse: str, count: int) -> None:
    with node(synapse, {}) as empty:
        floor = empty.resident_mb()
        print(f"an empty node: {floor:.1f} MB, {empty.wake_ups_per_s():.1f} wake-ups/s")
    names = [f"agent{number}" for number in range(count)]
    with node(synapse, dict.fromkeys(names, SUBJECTS["a function"])) as full:
        print(f"{count} agents, never called: + {full.resident_mb() - floor:.1f} MB")
        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(full.call, names))
        full.until_hibernated()
        more = full.resident_mb() - floor
        print(f"{count} agents, each called once and hibernated again: + {more:.1f} MB")
        print(f"while nobody calls: {full.wake_ups_per_s():.1f} wake-ups/s")


def wakes(synapse: str, rounds: int) -> None:
    agents = {f"subject{number}": lines for number, lines in enumerate(SUBJECTS.values())}
    with node(synapse, agents) as small:
        for name, what in zip(agents, SUBJECTS, strict=True):
            # The zygote may still be warming up.
            small.call(name)
            took: list[float] = []
            for _ in range(rounds):
                small.until_hibernated()
                took.append(small.call(name) * 1000)
            took.sort()
            p99 = took[int(len(took) * 0.99)]
            print(f"wake of {what}: p50 {statistics.median(took):.1f} ms, p99 {p99:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--synapse", default=str(HERE.parent / "target" / "release" / "synapse"))
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--wakes", type=int, default=50)
    arguments = parser.parse_args()
    cost(arguments.synapse, arguments.agents)
    wakes(arguments.synapse, arguments.wakes)


if __name__ == "__main__":
    main()
