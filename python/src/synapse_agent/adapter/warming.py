"""Warming up a process that agents will be forked from: imports, and first runs of each kind.

A first run imports and builds much that later ones find: it is made here once, with a model that
needs no network and with a provider whose HTTP client has none. Nothing of it is left open. This
module refuses to know who is forked.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel, Field
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

from ..program import Call, CancelReason, Configuration, Json, LogLevel, ToolAnswer, Verdict
from .agent import program_of
from .declaration import agent_of
from .offline import OfflineModel

__all__ = ["warm_up"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_OF_CODE = Configuration(entry="zygote:agent")

_OBJECT: dict[str, Json] = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
}


def warm_up() -> None:
    """Make runs of each kind."""
    _complete(_first_runs())


def rehearse() -> None:
    """Make the shortest run."""
    _complete(_run_once())


def _complete(work: Coroutine[Any, Any, None]) -> None:
    """On a loop that is gone afterwards, without a thread."""
    loop = asyncio.SelectorEventLoop()
    loop.set_default_executor(_Here())
    try:
        loop.run_until_complete(work)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


class _Here(ThreadPoolExecutor):
    """Runs what is meant for a thread on the spot: OpenAI's client looks at the platform in one."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Run it, and have the result at hand."""
        done: Future[_T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


async def _first_runs() -> None:
    declared = Configuration(model="offline", instructions="Answer.")
    structured = Configuration(model="offline", instructions="Answer.", output_schema=_OBJECT)
    for configuration in (declared, structured):
        await _run(agent_of(configuration), configuration)
    await _run(Agent(OfflineModel(), tools=[lookup]), _OF_CODE)
    await _run(Agent(TestModel(), output_type=Answer, tools=[lookup]), _OF_CODE)
    if importlib.util.find_spec("openai") is not None:
        await _run_openai()


async def _run_once() -> None:
    program = program_of(Agent(OfflineModel(), instructions="Answer."), _OF_CODE, kind="declared")
    if program.blocking is True:
        return
    await program.open()
    await program.run(Call(2, 1, "x"), _Nobody())
    await program.close()


class Answer(BaseModel):
    """An output as authors write them."""

    word: str
    number: int = Field(default=1, ge=0)
    more: list[str] | None = None


async def lookup(word: str) -> str:
    """Look a word up."""
    return word


async def _run(agent: Agent[Any, Any], configuration: Configuration) -> None:
    program = program_of(agent, configuration, kind="declared")
    if program.blocking is True:
        return
    await program.open()
    try:
        for stream in (False, True):
            call = Call(2, 1, 'lookup word="x"', stream=stream, history=[])
            await program.run(call, _Nobody())
    finally:
        await program.close()


async def _run_openai() -> None:
    """A chat with a server that is a function, plain and streamed."""
    import httpx2
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    def answer(request: httpx2.Request) -> httpx2.Response:
        if json.loads(request.content).get("stream"):
            return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=_SSE)
        return httpx2.Response(200, json=_chat("chat.completion", "message"))

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        provider = OpenAIProvider(
            base_url="http://localhost/v1", api_key="none", http_client=client
        )
        OpenAIResponsesModel("gpt-5", provider=provider)
        model = OpenAIChatModel("gpt-5", provider=provider)
        await _run(Agent(model), _OF_CODE)


def _chat(kind: str, part: str) -> dict[str, Any]:
    choice = {"index": 0, part: {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    head = {"id": "x", "object": kind, "created": 0, "model": "gpt-5"}
    return {**head, "choices": [choice], "usage": usage}


_SSE = f"data: {json.dumps(_chat('chat.completion.chunk', 'delta'))}\n\ndata: [DONE]\n\n".encode()


class _Nobody:
    """A run port that nobody listens at."""

    run = 1
    cancelled = False
    cancel_reason: CancelReason | None = None

    def remaining(self) -> float | None:
        return 60.0

    def on_cancel(self, callback: Callable[[CancelReason], object]) -> None:
        del callback

    def log(self, level: LogLevel, message: str, fields: dict[str, Json] | None = None) -> None:
        del level, message, fields

    async def emit_text(self, text: str) -> None:
        del text

    async def emit_event(self, event: dict[str, Json]) -> None:
        del event

    async def effect(self) -> None:
        pass

    async def check_output(self, output: Json) -> Verdict:
        del output
        return Verdict(True)

    async def call_tool(self, name: str, arguments: dict[str, Json]) -> ToolAnswer:
        del name, arguments
        return ToolAnswer("ok")
