"""Warming up: what every agent imports is imported once, before any of them is forked.

Then garbage is collected and the rest frozen, so that a collection in a child does not touch, and
with that copy, every page. This module refuses to know agents: it imports modules by name.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import signal
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

from .fitness import Unfit, unfitness

__all__ = ["Warmth", "warm_up"]

WORKER: Final = (
    "inspect",
    "synapse_agent",
    "synapse_agent.adapter.credentials",
    "synapse_agent.adapter.packages",
    "synapse_agent.deps",
    "synapse_agent.function",
    "synapse_agent.load",
    "synapse_agent.schema",
    "synapse_agent.signature",
    "synapse_agent.thread_port",
    "synapse_agent.worker_async",
    "synapse_agent.worker_sync",
)
"""What a plain function runs with."""


class Warmth(NamedTuple):
    """What came of it."""

    failures: list[str]
    """Of the modules to be preloaded, a line each."""
    rehearse: Callable[[], None]
    """What a fork may do ahead of its time: it copies the pages that an agent is going to touch."""


def warm_up(request: str, own: int) -> Warmth:
    """Import what the request names, a line each: a sort of agents, then modules.

    `own` is the socket that may be open. Raises `Unfit` where no fork is possible then.
    """
    sort, *modules = request.split("\n")
    for name in WORKER:
        importlib.import_module(name)
    _try_a_loop()
    rehearse = _try_a_loop
    if sort == "pydantic_ai":
        from .. import adapter

        adapter.warm_up()
        rehearse = adapter.rehearse
    _expect_fitness("its warming up", own)
    failures = [failure for name in modules if (failure := _preload(name, own))]
    _forget_folders()
    # What is left unwritten here, every fork would write.
    sys.stdout.flush()
    sys.stderr.flush()
    # Those in the middle of a birth are nobody's to wait for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    gc.disable()
    return Warmth(failures, rehearse)


def _preload(name: str, own: int) -> str | None:
    """Import one module of the user's list; what is wrong with it."""
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:
        return f"{name}: {type(error).__name__}: {error}".replace("\n", " ")
    _expect_fitness(f"preload of {name}", own)
    return None


def _expect_fitness(after: str, own: int) -> None:
    unfit = unfitness(own)
    if unfit is not None:
        raise Unfit(f"after {after}, {unfit}")


def _forget_folders() -> None:
    """The finders of packages' folders have done their work, and every fork would look through them
    for those of the user's.
    """
    for folder in sys.path_importer_cache.keys() - set(sys.path):
        del sys.path_importer_cache[folder]


def _try_a_loop() -> None:
    """The first loop of a process imports and caches things; none is left behind."""
    loop = asyncio.SelectorEventLoop()
    try:
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()
