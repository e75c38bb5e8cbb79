"""Plain functions that the worker tests run in real processes."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import logging
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

from synapse_agent.context import Context
from synapse_agent.frame import encode
from synapse_agent.gate_selector import LOOK_S
from synapse_agent.stdio import claimed

LEFT: list[str] = []
SHARED: contextvars.ContextVar[str] = contextvars.ContextVar("shared", default="clean")


def echo(prompt: str) -> str:
    return prompt


async def echo_async(prompt: str) -> str:
    return prompt


async def echo_later(prompt: str) -> str:
    await asyncio.sleep(0.001)
    return prompt


def modules(prompt: str) -> list[str]:
    return [name for name in prompt.split() if name in sys.modules]


def count(n: int) -> Generator[str]:
    for index in range(n):
        yield f"{index} "


async def count_async(n: int) -> AsyncGenerator[str]:
    for index in range(n):
        yield f"{index} "


def says(ctx: Context, prompt: str) -> None:
    ctx.emit("one ")
    ctx.emit({"type": "thinking", "text": prompt})
    ctx.emit("two")


async def says_async(ctx: Context, prompt: str) -> None:
    await ctx.emit("one ")
    await ctx.emit({"type": "thinking", "text": prompt})
    await ctx.emit("two")


async def emits_for_ever_async(ctx: Context, prompt: str) -> None:
    while True:
        await ctx.emit("x")


def until_cancelled(ctx: Context, prompt: str) -> str:
    deadline = time.monotonic() + 20
    while not ctx.cancelled and time.monotonic() < deadline:
        time.sleep(0.001)
    return "saw it" if ctx.cancelled else "never"


def _fails(_reason: str) -> None:
    raise RuntimeError("the callback's own mistake")


def fails_on_cancel(ctx: Context, prompt: str) -> str:
    ctx._view.on_cancel(_fails)  # pyright: ignore[reportPrivateUsage]
    ctx.log("info", "begun")
    until_cancelled(ctx, prompt)
    time.sleep(float(prompt))  # the sentinel still reads
    return prompt


async def fails_on_cancel_async(ctx: Context, prompt: str) -> str:
    ctx._view.on_cancel(_fails)  # pyright: ignore[reportPrivateUsage]
    ctx.log("info", "begun")
    while not ctx.cancelled:  # noqa: ASYNC110 - what would set an event is what fails
        await asyncio.sleep(0.001)
    return prompt


def emits_too_much(ctx: Context, prompt: str) -> str | None:
    for _ in range(17):
        ctx.emit("x" * 1024 * 1024)
    return "returned" if prompt == "returns" else None


async def emits_too_much_async(ctx: Context, prompt: str) -> str | None:
    for _ in range(17):
        await ctx.emit("x" * 1024 * 1024)
    return "returned" if prompt == "returns" else None


def emits_for_ever(ctx: Context, prompt: str) -> None:
    try:
        while True:
            ctx.emit(prompt)
    finally:
        ctx.log("info", "let go")


async def sleeps(prompt: str) -> str:
    try:
        await asyncio.sleep(3600)
    finally:
        LEFT.append(prompt)
    return prompt


async def left(prompt: str) -> list[str]:
    return LEFT


async def blocks(prompt: str) -> str:
    time.sleep(float(prompt))  # noqa: ASYNC251 - that is what is tested
    return prompt


def busy(prompt: str) -> str:
    time.sleep(float(prompt))
    return prompt


def spins(prompt: str) -> str:
    end = time.monotonic() + float(prompt)
    while time.monotonic() < end:
        pass
    return prompt


def raises(prompt: str) -> str:
    raise ValueError(prompt)


class Unusual(BaseException):
    """What `except Exception` lets pass."""


class Mute(Exception):
    """Cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raises_unusually(prompt: str) -> str:
    raise {
        "cancelled": asyncio.CancelledError(),
        "mute": Mute(),
        "stop": StopIteration(),
        "surrogate": ValueError("\ud800"),
    }.get(prompt, Unusual(prompt))


async def raises_unusually_async(prompt: str) -> str:
    if prompt == "group":
        raise BaseExceptionGroup("both", [Unusual("one"), asyncio.CancelledError()])
    await asyncio.sleep(0)
    return raises_unusually(prompt)


def returns(prompt: str) -> Any:
    return {
        "bytes": b"x",
        "set": {1},
        "nan": {"a": [1.0, float("nan")]},
        "key": {1: "x"},
        "huge": 1 << 70,
        "surrogate": "\ud800",
        "large": "x" * (17 << 20),
        "many": [[None] * 1024] * 1024,
        "deep": nested(600),
    }[prompt]


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@dataclass
class Report:
    title: str
    risk: Literal["low", "high"] = "low"


def add(a: int, b: int = 1) -> int:
    return a + b


def report(title: str, *, words: int = 1) -> Report:
    return Report(title * words, "high")


def takes_report(report: Report) -> str:
    return f"{report.title}: {report.risk}"


def any_members(**members: Any) -> dict[str, Any]:
    return members


def needs_deps(prompt: str, deps: Report) -> str:
    return f"{prompt} {deps.title} {deps.risk}"


def given_deps(ctx: Context, prompt: str) -> str:
    return f"{prompt} {ctx.deps!r}"


@contextmanager
def pool(value: Any) -> Generator[str]:
    LEFT.append("opened")
    yield f"pool of {value}"
    sys.stderr.write("pool closed\n")


@asynccontextmanager
async def pool_async() -> AsyncGenerator[str]:
    yield "async pool"
    sys.stderr.write("async pool closed\n")


async def given_deps_async(ctx: Context, prompt: str) -> str:
    return f"{prompt} {ctx.deps}"


def remaining(ctx: Context, prompt: str) -> float | None:
    return ctx.remaining


def logs(ctx: Context, prompt: str) -> str:
    ctx.log("warning", "from the context", number=1, odd={1, 2})
    logging.getLogger("mine").error("from logging %s", prompt)
    return prompt


def logs_oddly(ctx: Context, prompt: str) -> str:
    ctx.log(cast("Any", "loudly"), cast("Any", 5))
    ctx.log("info", "half \ud800", **{"half \ud800": 1, "long": "x" * (17 << 20)})
    ctx.log("info", "many", **{f"field {number}": "y" * 20_000 for number in range(2_000)})
    logging.getLogger("half \ud800").critical("from logging")
    return prompt


async def logs_async(prompt: str) -> str:
    async def child() -> None:
        logging.getLogger("mine").error("from a child task")

    await asyncio.create_task(child())
    return prompt


def thread_names(prompt: str) -> str:
    barrier.wait(10)
    return threading.current_thread().name


barrier = threading.Barrier(3)


async def taints(prompt: str) -> str:
    seen = SHARED.get()
    SHARED.set("tainted")
    return seen


async def in_a_task(prompt: str) -> bool:
    async with asyncio.timeout(5):
        current = asyncio.current_task()
        await asyncio.sleep(0)
        return current is not None and not current.done()


async def shows_its_task(prompt: str) -> str:
    if prompt == "suspends":
        await asyncio.sleep(0)
    return str(asyncio.current_task())


async def cancelled_when_new(prompt: str) -> str:
    """Runs 1 and 2 end in one turn of the loop. The next begins 3 and 4, and ends with a cancel of
    4 in the pipe, which is read before any task takes its first step.
    """
    if prompt == "waits":
        await let_go.wait()
    elif prompt == "lets go":
        let_go.set()
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(say_to_itself, encode((6, 4, "cancelled")))
    else:
        await asyncio.sleep(0.01)
    return prompt


let_go = asyncio.Event()


def say_to_itself(data: bytes) -> None:
    with open(f"/proc/self/fd/{claimed().read}", "wb", buffering=0) as pipe:
        pipe.write(data)
    time.sleep(2 * LOOK_S)  # else the loop, which has work, would not look at the pipe yet


async def cancels_itself(prompt: str) -> str:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)
    return prompt


def goodbye(prompt: str) -> str:
    atexit.register(sys.stderr.write, "atexit ran\n")
    return prompt


def unwinds(prompt: str) -> str:
    try:
        sys.stderr.write("begun\n")
        time.sleep(60)
    finally:
        sys.stderr.write("finally ran\n")
    return prompt


async def unwinds_async(prompt: str) -> str:
    try:
        sys.stderr.write("begun\n")
        await asyncio.sleep(60)
    finally:
        sys.stderr.write("finally ran\n")
    return prompt


class Greeter:
    """An object that is called."""

    def __call__(self, prompt: str) -> str:
        return f"hello {prompt}"


greeter = Greeter()
nothing = 5


def make_greeter() -> Greeter:
    return Greeter()
