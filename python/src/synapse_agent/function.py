"""Plain functions as programs: `def`, `async def`, generator and async generator.

What a generator yields is the stream, and its text joined the output. A `def` runs on the main
thread by itself, or, where the agent's concurrency is above 1, in a pool of threads. This module
refuses to know frames, the pipe and pydantic-ai.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any, Literal, cast

from .context import AsyncContext, BlockingContext, Context
from .deps import open_deps, open_deps_blocking
from .frame import Call, Json
from .program import (
    BlockingRunPort,
    Configuration,
    Fault,
    Manifest,
    Mode,
    Outcome,
    Program,
    RunPort,
)
from .said import Said
from .schema import dump, schema_of
from .signature import Signature

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["BlockingFunction", "SuspendingFunction", "ThreadedFunction", "function_program"]

Factory = Callable[..., Any]


def function_program(
    function: Callable[..., Any], configuration: Configuration, factory: Factory | None
) -> Program:
    """The program of a plain function; `factory` makes its deps."""
    target = _routine(function)
    if inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target):
        return SuspendingFunction(function, configuration, factory)
    if configuration.concurrency > 1:
        return ThreadedFunction(function, configuration, factory)
    return BlockingFunction(function, configuration, factory)


def _routine(function: Callable[..., Any]) -> Callable[..., Any]:
    """What is really called: an instance's `__call__`, a partial's function."""
    inner = getattr(function, "func", None)
    if callable(inner) and not inspect.isroutine(function):
        return _routine(inner)
    return function if inspect.isroutine(function) else type(function).__call__


class _Function:
    """What all of them share: the signature, the deps' factory, the manifest."""

    def __init__(
        self, function: Callable[..., Any], configuration: Configuration, factory: Factory | None
    ) -> None:
        """Read the signature; nothing of the user's runs yet."""
        self._function = function
        self._configuration = configuration
        self._factory = factory
        self._per_run = configuration.deps_scope == "run"
        self._shared: Any = None
        self._signature = Signature(function)
        target = _routine(function)
        self._yields = inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)
        self.manifest = self._manifest(target)

    def _manifest(self, target: Callable[..., Any]) -> Manifest:
        signature, configuration = self._signature, self._configuration
        mode: Mode = "run_sync"
        sync = not (inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target))
        if not sync:
            mode = "run_stream" if self._yields else "run"
        returns = None if self._yields else schema_of(signature.returns)
        name, fields = _output(returns)
        description = configuration.description or inspect.getdoc(self._function)
        return Manifest(
            kind="function",
            mode=mode,
            streams=self._yields or signature.context is not None,
            sync=sync,
            concurrency=configuration.concurrency,
            input_schema=signature.schema(),
            output_schema=configuration.output_schema or returns,
            output_name=name,
            output_fields=fields,
            deps_schema=signature.deps_schema(),
            takes_deps=self._takes_deps,
            description=description.strip().partition("\n\n")[0] if description else None,
            model=configuration.model,
        )

    @property
    def _takes_deps(self) -> bool:
        signature = self._signature
        return signature.deps is not None or signature.context is not None or bool(self._factory)

    def _given_deps(self, call: Call) -> Any:
        """The deps of a call without a factory."""
        if call.deps is None:
            return None
        if not self._takes_deps:
            raise Fault("caller", "invalid_input", "this agent takes no deps")
        return self._signature.build_deps(call.deps)

    def _arguments(self, call: Call, context: Context) -> tuple[list[Any], dict[str, Any]]:
        return self._signature.bind(call.input, context)


def _output(schema: dict[str, Json] | None) -> tuple[str | None, list[str] | None]:
    """The name and fields of an output that is an object with fields."""
    if not schema or schema.get("type") != "object" or "properties" not in schema:
        return None, None
    return schema.get("title"), list(schema["properties"])


class BlockingFunction(_Function):
    """A `def`, or a generator, on the main thread."""

    blocking: Literal[True] = True

    def __init__(
        self, function: Callable[..., Any], configuration: Configuration, factory: Factory | None
    ) -> None:
        """A function of one text is called without any detour."""
        super().__init__(function, configuration, factory)
        self._stack = ExitStack()
        if self._signature.takes_text_alone and not self._yields and factory is None:
            self._any = self._signature.takes_any_value
            self.run = self._run_text

    def open(self) -> None:
        """Make the deps that live as long as the incarnation."""
        if self._factory is not None and not self._per_run:
            self._shared = open_deps_blocking(self._factory, None, self._stack)

    def close(self) -> None:
        """Close them."""
        self._stack.close()

    def _run_text(self, call: Call, run: BlockingRunPort) -> Outcome | str:
        value = call[2]
        if call[3] or call[7] is not None or (type(value) is not str and not self._any):
            return self._run(call, run)
        output = self._function(value)
        return output if type(output) is str else Outcome(dump(output))

    def run(self, call: Call, run: BlockingRunPort) -> Outcome | str:
        """Execute one call."""
        return self._run(call, run)

    def _run(self, call: Call, run: BlockingRunPort) -> Outcome:
        with ExitStack() as stack:
            deps = self._deps(call, stack)
            context = BlockingContext(run, self._configuration, deps)
            return run_blocking(self._function, self._arguments(call, context), context, run)

    def _deps(self, call: Call, stack: ExitStack) -> Any:
        if self._factory is None:
            return self._given_deps(call)
        return (
            open_deps_blocking(self._factory, call.deps, stack) if self._per_run else self._shared
        )


class SuspendingFunction(_Function):
    """An `async def`, or an async generator, on the loop."""

    blocking: Literal[False] = False

    def __init__(
        self, function: Callable[..., Any], configuration: Configuration, factory: Factory | None
    ) -> None:
        """A function of one text is awaited without any detour."""
        super().__init__(function, configuration, factory)
        self._stack = AsyncExitStack()
        alone = self._signature.takes_text_alone and not self._yields and factory is None
        self._alone = alone
        self._any = alone and self._signature.takes_any_value

    async def open(self) -> None:
        """Make the deps that live as long as the incarnation."""
        if self._factory is not None and not self._per_run:
            self._shared = await open_deps(self._factory, None, self._stack)

    async def close(self) -> None:
        """Close them."""
        await self._stack.aclose()

    async def run(self, call: Call, run: RunPort) -> Outcome | str:
        """Execute one call."""
        value = call[2]
        if self._alone and not call[3] and call[7] is None and (type(value) is str or self._any):
            output = await self._function(value)
            return output if type(output) is str else Outcome(dump(output))
        return await self._run(call, run)

    async def _run(self, call: Call, run: RunPort) -> Outcome:
        async with AsyncExitStack() as stack:
            deps = await self._deps(call, stack)
            context = AsyncContext(run, self._configuration, deps)
            args, kwargs = self._arguments(call, context)
            if self._yields:
                return await _drain(self._function(*args, **kwargs), run)
            output = await self._function(*args, **kwargs)
            if output is None and context.said.begun:
                return Outcome(context.said.text())
            output = dump(output)
            if call.stream and not context.said.begun:
                await run.emit_text(as_text(output))
            return Outcome(output)

    async def _deps(self, call: Call, stack: AsyncExitStack) -> Any:
        if self._factory is None:
            return self._given_deps(call)
        if not self._per_run:
            return self._shared
        return await open_deps(self._factory, call.deps, stack)


class ThreadedFunction(_Function):
    """A `def`, or a generator, of which several run at once: in a pool of threads."""

    blocking: Literal[False] = False

    def __init__(
        self, function: Callable[..., Any], configuration: Configuration, factory: Factory | None
    ) -> None:
        """The pool starts its threads as they are needed."""
        super().__init__(function, configuration, factory)
        self._stack = ExitStack()
        self._pool: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Make the pool, and the deps that live as long as the incarnation."""
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(self._configuration.concurrency, "synapse-run")
        if self._factory is not None and not self._per_run:
            self._shared = open_deps_blocking(self._factory, None, self._stack)

    async def close(self) -> None:
        """Close them; no run is left by now."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
        self._stack.close()

    async def run(self, call: Call, run: RunPort) -> Outcome:
        """Execute one call in a thread; a cancel cannot end it: the function sees it."""
        import asyncio
        import contextvars

        from .thread_port import ThreadPort

        loop = asyncio.get_running_loop()
        run.on_cancel(_leave_it_to_the_function)
        port = ThreadPort(run, loop)
        context = contextvars.copy_context()
        return await loop.run_in_executor(self._pool, lambda: context.run(self._run, call, port))

    def _run(self, call: Call, run: BlockingRunPort) -> Outcome:
        try:
            return self._run_here(call, run)
        except StopIteration as error:
            # No future takes it: the run would have no end. Coroutines do the same (PEP 479).
            raise RuntimeError("the function raised StopIteration") from error

    def _run_here(self, call: Call, run: BlockingRunPort) -> Outcome:
        with ExitStack() as stack:
            deps = self._shared
            if self._factory is None:
                deps = self._given_deps(call)
            elif self._per_run:
                deps = open_deps_blocking(self._factory, call.deps, stack)
            context = BlockingContext(run, self._configuration, deps)
            return run_blocking(self._function, self._arguments(call, context), context, run)


def _leave_it_to_the_function(_reason: str) -> None:
    """A thread cannot be stopped from outside."""


def run_blocking(
    function: Callable[..., Any],
    arguments: tuple[list[Any], dict[str, Any]],
    context: Context,
    run: BlockingRunPort,
) -> Outcome:
    """Call a `def` or drain a generator, on this thread."""
    args, kwargs = arguments
    output = function(*args, **kwargs)
    if inspect.isgenerator(output):
        return _drain_blocking(cast("Generator[Any, None, Any]", output), run)
    if output is None and context.said.begun:
        return Outcome(context.said.text())
    output = dump(output)
    if not context.said.begun:
        run.emit_text(as_text(output))
    return Outcome(output)


def _drain_blocking(generator: Generator[Any, None, Any], run: BlockingRunPort) -> Outcome:
    """Stream what is yielded; a returned value is the output, else the text joined is."""
    said = Said()
    emit_text = run.emit_text
    try:
        while True:
            piece = next(generator)
            if type(piece) is str:
                if not said.add(piece):
                    break
                emit_text(piece)
            else:
                run.emit_event(_event(piece))
            if run.cancelled:
                break
    except StopIteration as stop:
        if stop.value is not None:
            return Outcome(dump(stop.value))
    finally:
        generator.close()
    return Outcome(said.text())


async def _drain(generator: AsyncGenerator[Any, None], run: RunPort) -> Outcome:
    """Stream what is yielded; the text joined is the output."""
    said = Said()
    try:
        async for piece in generator:
            if type(piece) is str:
                if not said.add(piece):
                    break
                await run.emit_text(piece)
            else:
                await run.emit_event(_event(piece))
    finally:
        await generator.aclose()
    return Outcome(said.text())


def _event(piece: Any) -> dict[str, Json]:
    """A yielded event; anything else is the author's mistake."""
    kind = type(piece).__name__
    if isinstance(piece, dict):
        event = cast("dict[str, Json]", piece)
        if isinstance(event.get("type"), str):
            return event
        kind = "a dict without one"
    raise TypeError(f"a generator yields text, or events (dicts with a 'type'), not {kind}")


def as_text(output: Json) -> str:
    """An output as the one chunk of a stream that is no stream."""
    if isinstance(output, str):
        return output
    import json

    return json.dumps(output, ensure_ascii=False, default=str)
