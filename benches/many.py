"""What many agents cost that do nothing, and what the runtime adds to many streams.

    python3 benches/many.py idle [--agents 200] [--seconds 20]
    python3 benches/many.py streams [--agents 60] [--streams 500] [--rate 50] [--seconds 20]

Each starts a node of its own with copies of one agent: `idle` of a pydantic-ai agent with OpenAI's
provider that has made a run, `streams` of a function that streams at a model's pace. The processor
time is the kernel's (/proc), of every process of the node; the memory is proportional (PSS). A
stream is read from the control socket, and a token's delay is from its making in the agent to its
arrival here, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import selectors
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WAIT = "300s"
READ_BYTES = 1 << 16
STAMP = re.compile(rb'"text":"(\d+) "')
"""The whole text of a chunk that `paced` made."""


class Node:
    """A node with copies of one agent."""

    def __init__(self, synapse: str, folder: str) -> None:
        self.synapse = synapse
        self.folder = folder

    def run(self, *arguments: str) -> str:
        command = (self.synapse, *arguments, "--config", f"{self.folder}/supervision.toml")
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("status", "--wait", "--timeout", WAIT, "--json"))


@contextmanager
def node_of(synapse: str, count: int, agent: str) -> Iterator[Node]:
    names = [f"a{number}" for number in range(count)]
    tree = f'[python]\npath = ["{HERE}"]\n[supervisor.root]\nchildren = {json.dumps(names)}\n'
    tables = "".join(f"[agent.{name}]\n{agent}\n" for name in names)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "supervision.toml").write_text(tree + tables)
        node = Node(synapse, folder)
        node.run("sync")
        up = subprocess.Popen(
            (synapse, "up", "--no-console"), cwd=folder, stdout=subprocess.DEVNULL
        )
        try:
            node.status()
            yield node
        finally:
            up.terminate()
            up.wait()


def family(root: int) -> list[int]:
    """A process and all its descendants."""
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def processor_s(pid: int) -> float:
    """User and system time of a process (fields 14 and 15 of its stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_mb(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    [kib] = re.findall(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(kib) * 1024 / 1e6


def idle(arguments: argparse.Namespace) -> None:
    with node_of(arguments.synapse, arguments.agents, 'entry = "agents.provider:agent"') as node:
        status = node.status()
        for agent in status["agents"]:
            node.run("call", agent["name"], "hello")
        everyone = family(status["guard_pid"])
        before = sum(map(processor_s, everyone))
        time.sleep(arguments.seconds)
        spent = sum(map(processor_s, everyone)) - before
        memory = sum(map(pss_mb, everyone))
        print(
            f"{arguments.agents} agents: {100 * spent / arguments.seconds:.2f} % of one core, "
            f"{memory:.0f} MB in all, of it the node {pss_mb(status['pid']):.1f} MB"
        )


def connect(node: Node, agent: str, prompt: str) -> socket.socket:
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(f"{node.folder}/.synapse/control.sock")
    body = json.dumps({"prompt": prompt, "stream": True})
    head = f"POST /v1/agents/{agent}/runs HTTP/1.0\r\ncontent-length: {len(body)}"
    stream.sendall(f"{head}\r\n\r\n{body}".encode())
    stream.setblocking(False)
    return stream


def streams(arguments: argparse.Namespace) -> None:
    each = -(-arguments.streams // arguments.agents)
    agent = f'entry = "agents.paced:paced"\nconcurrency = {each}'
    prompt = f"{arguments.rate} {arguments.seconds}"
    first: list[float] = []
    later: list[float] = []
    with node_of(arguments.synapse, arguments.agents, agent) as node:
        status = node.status()
        agents = [it["pid"] for it in status["agents"]]
        watched = (status["pid"], *agents)
        selector = selectors.DefaultSelector()
        before = {pid: processor_s(pid) for pid in watched}
        begin = time.monotonic()
        for number in range(arguments.streams):
            # Spread over a second, as people are.
            at = begin + number / arguments.streams
            while (left := at - time.monotonic()) > 0:
                read(selector, left, first, later)
            stream = connect(node, f"a{number % arguments.agents}", prompt)
            selector.register(stream, selectors.EVENT_READ, [first, b""])
            read(selector, 0.0, first, later)
        while selector.get_map():
            read(selector, 1.0, first, later)
        took = time.monotonic() - begin
        spent = {pid: processor_s(pid) - before[pid] for pid in watched}
    runtime, of_agents = spent[status["pid"]], sum(spent[pid] for pid in agents)
    expected = arguments.streams * int(arguments.rate * arguments.seconds)
    print(
        f"{arguments.streams} streams of {arguments.rate:g} tokens/s of {arguments.agents} agents, "
        f"{len(first) + len(later)} of {expected} tokens in {took:.1f} s\n"
        f"the runtime: {runtime / took:.2f} core, the agents {of_agents / took:.2f}\n"
        f"delay of the first token: {told(first)}\ndelay of the others: {told(later)}"
    )


def read(
    selector: selectors.BaseSelector, wait_s: float, first: list[float], later: list[float]
) -> None:
    for key, _ in selector.select(wait_s):
        stream = key.fileobj
        assert isinstance(stream, socket.socket)
        piece = stream.recv(READ_BYTES)
        now = time.monotonic_ns()
        if not piece:
            selector.unregister(stream)
            stream.close()
            continue
        # An event in two pieces is rare enough to be kept for the next piece as a whole.
        text = key.data[1] + piece
        for stamp in STAMP.findall(text):
            key.data[0].append((now - int(stamp)) / 1e6)
            key.data[0] = later
        key.data[1] = text[text.rfind(b"\n\n") + 2 :] if b"\n\n" in text else text


def told(delays: list[float]) -> str:
    ordered = sorted(delays)
    at = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))]  # noqa: E731
    return f"p50 {at(0.5):.2f} ms, p99 {at(0.99):.2f} ms, most {ordered[-1]:.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser()
    built = HERE.parent / "target" / "release" / "synapse"
    parser.add_argument("--synapse", type=os.path.abspath, default=str(built))
    verbs = parser.add_subparsers(required=True)
    of_idle = verbs.add_parser("idle")
    of_idle.set_defaults(measure=idle)
    of_idle.add_argument("--agents", type=int, default=200)
    of_idle.add_argument("--seconds", type=float, default=20)
    of_streams = verbs.add_parser("streams")
    of_streams.set_defaults(measure=streams)
    of_streams.add_argument("--agents", type=int, default=60)
    of_streams.add_argument("--streams", type=int, default=500)
    of_streams.add_argument("--rate", type=float, default=50)
    of_streams.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    arguments.measure(arguments)


if __name__ == "__main__":
    main()
