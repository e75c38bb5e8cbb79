"""Dies by what its input says, and leaves a trace of every execution.

A prompt is `NAME DEED`; each execution appends a line to `NAME.runs`, so that a test can count what
was run. `answer` is a plain function, `told` a stream, `tooled` a pydantic-ai agent with a tool. To
be seen: what a caller is told of a run whose process died, and what is executed again.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

LOOK_EVERY_S = 0.005


def die() -> None:
    """End the process as nothing can be kept from doing."""
    os.kill(os.getpid(), signal.SIGKILL)


def begin(prompt: str) -> tuple[str, str, int]:
    """The parts of a prompt, and how often it has been executed by now."""
    name, _, deed = prompt.partition(" ")
    runs = Path(f"{name}.runs")
    with runs.open("a") as file:
        file.write(f"{os.environ['SYNAPSE_INCARNATION']}\n")
    return name, deed, len(runs.read_text().splitlines())


async def answer(prompt: str) -> str:
    """`dies`: always; `dies N`: the first N times; `dies together`: with `NAME.go`; else answer."""
    name, deed, times = begin(prompt)
    match deed.split():
        case ["dies"]:
            die()
        case ["dies", "together"]:
            while not Path(f"{name}.go").exists():
                await asyncio.sleep(LOOK_EVERY_S)
            die()
        case ["dies", count] if times <= int(count):
            die()
        case ["waits"]:
            while not Path(f"{name}.go").exists():
                await asyncio.sleep(LOOK_EVERY_S)
        case _:
            pass
    return f"{name} {times}"


async def told(prompt: str) -> AsyncIterator[str]:
    """Stream three words; `dies N` dies after the second, the first N times."""
    _, deed, times = begin(prompt)
    yield "one "
    yield "two "
    match deed.split():
        case ["dies", count] if times <= int(count):
            # What was said is in the pipe when the loop has had a turn.
            await asyncio.sleep(LOOK_EVERY_S)
            die()
        case _:
            yield f"three {times}"


def _deed(messages: list[ModelMessage]) -> tuple[str, bool]:
    """What the prompt asks for, and whether the tool has answered."""
    parts = [part for message in messages for part in message.parts]
    prompt = next(str(part.content) for part in parts if part.part_kind == "user-prompt")
    return prompt, any(part.part_kind == "tool-return" for part in parts)


def _respond(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    prompt, acted = _deed(messages)
    if prompt.endswith("before") or (acted and prompt.endswith("after")):
        die()
    if acted:
        return ModelResponse(parts=[TextPart("done")])
    return ModelResponse(parts=[ToolCallPart("act", {"prompt": prompt})])


async def _stream(
    messages: list[ModelMessage], info: AgentInfo
) -> AsyncIterator[str | DeltaToolCalls]:
    response = _respond(messages, info)
    for part in response.parts:
        if isinstance(part, ToolCallPart):
            yield {0: DeltaToolCall(part.tool_name, part.args_as_json_str())}
        elif isinstance(part, TextPart):
            yield part.content


tooled = Agent(FunctionModel(_respond, stream_function=_stream))


@tooled.tool_plain
def act(prompt: str) -> str:
    """Do what cannot be taken back; `within` dies in the middle of it."""
    begin(prompt)
    if prompt.endswith("within"):
        die()
    return "acted"
