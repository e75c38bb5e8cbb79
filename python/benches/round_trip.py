"""What the worker costs: round trips, calls in flight and streams, beside the floor of one run.

The floor is a blocking Python that unpacks and packs the same bytes and does nothing else. The
driver sends bytes that were encoded before and only looks at lengths, so that it costs both alike.

    python benches/round_trip.py [--pin 0] [--calls 20000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "src"), str(Path(__file__).parents[1] / "tests")]

from wire import call, frame, welcome  # noqa: E402

HERE = Path(__file__).parent
FLOOR = """
import os, msgpack
from struct import Struct
length = Struct(">I")
unpackb, pack = msgpack.unpackb, msgpack.Packer().pack
rest = b""
while True:
    data = os.read(0, 65536)
    if not data: break
    if rest: data = rest + data
    view, at, out = memoryview(data), 0, []
    while len(data) - at >= 4:
        size = length.unpack_from(data, at)[0]
        if at + 4 + size > len(data): break
        call = unpackb(view[at + 4 : at + 4 + size])
        body = pack([71, call[1], call[2], None, 0, None])
        out.append(length.pack(len(body)) + body)
        at += 4 + size
    rest = data[at:]
    os.write(1, b"".join(out))
"""


class Peer:
    """A process that is spoken to in raw bytes."""

    def __init__(self, entry: str | None, **configuration: object) -> None:
        floor = [sys.executable, "-c", FLOOR]
        worker = [sys.executable, "-P", "-m", "synapse_agent"]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
        self.process = subprocess.Popen(
            floor if entry is None else worker,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            bufsize=0,
        )
        assert self.process.stdin and self.process.stdout
        self.write_to = self.process.stdin.fileno()
        self.read_from = self.process.stdout.fileno()
        self.rest = b""
        if entry is not None:
            self.take(1)
            self.write(welcome(entry, path=[str(HERE)], **configuration))
            self.take(1)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.write_to, view) :]

    def take(self, count: int) -> None:
        """Read until `count` frames have come."""
        while True:
            at, have = 0, self.rest
            while count and len(have) - at >= 4:
                end = at + 4 + int.from_bytes(have[at : at + 4])
                if len(have) < end:
                    break
                at = end
                count -= 1
            self.rest = have[at:]
            if not count:
                return
            self.rest += os.read(self.read_from, 1 << 20)

    def cpu_us(self) -> float:
        """Processor time used so far; unlike wall time, a neighbour cannot add to it."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def latency(peer: Peer, size: int, calls: int) -> tuple[float, float]:
    """p50 and p99 of one call at a time, in microseconds."""
    times: list[float] = []
    for run in range(1, calls + 1):
        data = call(run, "x" * size)
        begin = time.perf_counter()
        peer.write(data)
        peer.take(1) if size < 65536 else take_large(peer)
        times.append((time.perf_counter() - begin) * 1e6)
    times = sorted(times[len(times) // 10 :])
    return statistics.median(times), times[int(len(times) * 0.99)]


def take_large(peer: Peer) -> None:
    """Read one frame without copying it again and again."""
    have = bytearray(os.read(peer.read_from, 1 << 20))
    end = 4 + int.from_bytes(have[:4])
    body = memoryview(bytearray(end))
    at = len(have)
    body[:at] = have
    while at < end:
        at += os.readv(peer.read_from, [body[at:]])


def throughput(peer: Peer, in_flight: int, calls: int, prefetched: bool) -> float:
    """Calls per second with so many in flight; windows are kept full in batches of a half."""
    half = in_flight // 2
    batches = [
        b"".join(call(1 + at + n, "x" * 100, prefetched=prefetched) for n in range(half))
        for at in range(0, calls, half)
    ]
    answers = half * (2 if prefetched else 1)
    begin = time.perf_counter()
    peer.write(batches[0])
    for batch in batches[1:]:
        peer.write(batch)
        peer.take(answers)
    peer.take(answers)
    return calls / (time.perf_counter() - begin)


def stream(peer: Peer, chunks: int) -> tuple[float, float]:
    """Chunks per second of one stream, and microseconds to the first."""
    begin = time.perf_counter()
    peer.write(call(1 << 40, chunks, stream=True, credit=512))
    peer.take(1)
    first = (time.perf_counter() - begin) * 1e6
    done, granted = 1, 512
    while done < chunks:
        if granted - done <= 256 and granted < chunks:
            peer.write(frame(5, 1 << 40, 256))
            granted += 256
        count = min(64, chunks - done)
        peer.take(count)
        done += count
    peer.take(1)
    return chunks / (time.perf_counter() - begin), first


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pin", type=int)
    arguments.add_argument("--calls", type=int, default=20000)
    given = arguments.parse_args()
    if given.pin is not None:
        os.sched_setaffinity(0, {given.pin})
    kinds: dict[str, tuple[str | None, dict[str, object]]] = {
        "warm-up": (None, {}),
        "floor": (None, {}),
        "sync": ("echoes:sync", {}),
        "async": ("echoes:suspending", {"concurrency": 64}),
        "async, suspends": ("echoes:suspends", {"concurrency": 64}),
    }
    for name, (entry, configuration) in kinds.items():
        peer = Peer(entry, **configuration)
        before = peer.cpu_us()
        p50, p99 = latency(peer, 100, given.calls)
        alone = (peer.cpu_us() - before) / given.calls
        large, _ = latency(peer, 1_000_000, 200)
        peer.close()
        peer = Peer(entry, **configuration)
        before = peer.cpu_us()
        rate = throughput(peer, 64, given.calls * 5, entry == "echoes:sync")
        together = (peer.cpu_us() - before) / given.calls / 5
        peer.close()
        print(f"{name:16} p50 {p50:7.1f} us  p99 {p99:7.1f}  1 MB {large:7.0f}", end="")
        print(f"  {rate:9.0f} calls/s  cpu {alone:5.1f} us a call alone, {together:5.1f} of 64")
    for entry in ("echoes:pieces", "echoes:pieces_async", "echoes:emits", "echoes:emits_async"):
        peer = Peer(entry, concurrency=1)
        before = peer.cpu_us()
        rate, first = stream(peer, 100_000)
        cpu = (peer.cpu_us() - before) / 100_000
        peer.close()
        print(f"{entry:20} {rate:9.0f} chunks/s, first after {first:.0f} us, cpu {cpu:.1f} us each")


if __name__ == "__main__":
    main()
