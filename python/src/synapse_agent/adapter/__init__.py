"""The pydantic-ai adapter: everything in this package that knows pydantic-ai is below this folder.

Importing the folder is free; pydantic-ai comes in with the first agent or model that needs it. The
adapter refuses to know frames, pipes and workers: it makes programs, and is given run ports.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from ..program import Configuration, Fault, Json, Program

__all__ = [
    "declared",
    "import_ahead",
    "load_agent",
    "loading",
    "model_call",
    "model_call_blocking",
    "rehearse",
    "start_fault",
    "warm_up",
]


@contextmanager
def loading(configuration: Configuration) -> Generator[None]:
    """Around the import of an entry's module: where the configuration names a model, an agent that
    names another one need not have that one's key or package.
    """
    if configuration.model is None or configuration.entry is None:
        yield
        return
    _prepare()
    from .models import deferred_model_check

    with deferred_model_check():
        yield


def load_agent(target: object, configuration: Configuration) -> Program | None:
    """The program of a pydantic-ai agent; None where `target` is none."""
    if "pydantic_ai" not in sys.modules:
        return None
    _prepare()
    from .describe import is_agent

    if not is_agent(target):
        return None
    from .agent import program_of

    return program_of(cast("Any", target), configuration, kind="pydantic_ai")


def declared(configuration: Configuration) -> Program:
    """The program of an agent that the configuration alone declares."""
    _prepare()
    from .agent import program_of
    from .declaration import agent_of

    return program_of(agent_of(configuration), configuration, kind="declared")


def import_ahead() -> None:
    """Import what `declared` makes an agent of."""
    _prepare()
    from . import agent, declaration

    del agent, declaration


async def model_call(
    configuration: Configuration,
    prompt: str,
    model: str | None = None,
    instructions: str | None = None,
) -> str:
    """One request to a model, without tools or history."""
    _prepare()
    from .ask import ask

    return await ask(configuration, prompt, model, instructions)


def model_call_blocking(
    configuration: Configuration,
    prompt: str,
    model: str | None = None,
    instructions: str | None = None,
) -> str:
    """The same for code that blocks."""
    _prepare()
    from .ask import ask_blocking

    return ask_blocking(configuration, prompt, model, instructions)


def start_fault(error: BaseException, configuration: Configuration) -> Fault | None:
    """What an error of an entry's import means, where the adapter can say it in one clear line."""
    from .credentials import missing_variable
    from .packages import missing_package, unsuitable_pydantic_ai

    unusable = unsuitable_pydantic_ai(error) or missing_package(error)
    if unusable is not None:
        return Fault("agent", "start_failed", unusable)
    explained = missing_variable(error, configuration)
    if explained is None:
        return None
    details: dict[str, Json] = {"variable": explained.variable}
    return Fault("agent", "start_failed", explained.message, details=details)


def warm_up() -> None:
    """Import pydantic-ai and make first runs, where agents are going to be forked from here.

    An environment without a pydantic-ai that will do has agents that say so themselves.
    """
    from .packages import unsuitable_pydantic_ai

    if unsuitable_pydantic_ai() is None:
        _prepare()
        from .warming import warm_up

        warm_up()


def rehearse() -> None:
    """Make one more run, in a fork that has nothing else to do yet."""
    if "pydantic_ai" in sys.modules:
        from .warming import rehearse

        rehearse()


def _prepare() -> None:
    from .packages import require_pydantic_ai

    require_pydantic_ai()
    # An agent's standard error is its log; pydantic-ai's first-run banner has no place in it.
    os.environ.setdefault("PYDANTIC_AI_NO_BANNER", "1")
