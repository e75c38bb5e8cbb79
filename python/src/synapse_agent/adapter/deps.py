"""The dependencies of a run: JSON built into the agent's `deps_type`, or what a factory makes.

Knows types and factories; nothing of agents' runs or of frames.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, cast

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from ..deps import open_deps
from ..program import Configuration, Fault, Json

__all__ = ["Deps"]

_NONE_TYPES = (object, type(None), None)
"""What an agent's `deps_type` is when its author named none (`object` today, `NoneType` before)."""


class Deps:
    """How one agent's runs come by their dependencies."""

    def __init__(
        self, deps_type: Any, configuration: Configuration, factory: Callable[..., Any] | None
    ) -> None:
        """Look at the type once; `factory` is what `deps = "module:factory"` named."""
        self._agent = configuration.agent
        self._named = configuration.deps
        self._factory = None if factory is None else _as_context(factory)
        self._kept_open = configuration.deps_scope == "incarnation"
        self._made: Any = None
        self._type: Any = deps_type
        self._wanted = deps_type not in _NONE_TYPES
        self._adapter = _adapter(deps_type) if self._wanted and factory is None else None
        self.schema = _schema(self._adapter)

    @property
    def takes(self) -> bool:
        """Whether a call may bring deps."""
        return self._adapter is not None or self.per_run

    async def open(self, stack: AsyncExitStack) -> None:
        """Make what lives as long as the incarnation."""
        if self._factory is not None and self._kept_open:
            self._made = await open_deps(self._factory, None, stack)

    @property
    def per_run(self) -> bool:
        """Whether each run's dependencies are made, and closed, by the factory."""
        return self._factory is not None and not self._kept_open

    @asynccontextmanager
    async def made(self, given: Json) -> AsyncGenerator[Any]:
        """What the factory makes for one run, closed at its end."""
        factory = cast("Callable[..., Any]", self._factory)
        async with AsyncExitStack() as stack:
            yield await open_deps(factory, given, stack)

    def at_hand(self, given: Json) -> Any:
        """The dependencies of a run that need no factory: built from JSON, or kept open."""
        if self._factory is None:
            return self._built(given)
        if given is not None:
            raise _caller(
                f"{self._agent} makes its deps once per incarnation ({self._named}) "
                "and takes none with a call"
            )
        return self._made

    def _built(self, given: Json) -> Any:
        if not self._wanted:
            if given is not None:
                raise _caller(f"{self._agent} takes no deps: its agent has no deps_type")
            return None
        if self._adapter is None:
            raise self._unfillable()
        return self._defaults() if given is None else self._validated(given)

    def _validated(self, given: Json) -> Any:
        adapter = cast("TypeAdapter[Any]", self._adapter)
        try:
            return adapter.validate_json(json.dumps(given))
        except ValidationError as error:
            wrong = [
                f"{_place(one['loc'])}: {one['msg']}" for one in error.errors(include_url=False)
            ]
            message = (
                f"the deps of {self._agent} do not fit {_type_name(self._type)}: {'; '.join(wrong)}"
            )
            details: dict[str, Json] = {"errors": cast("Json", wrong), "schema": self.schema}
            raise Fault("caller", "schema_violation", message, details=details) from error

    def _defaults(self) -> Any:
        """What a call without deps gets: a type's own defaults, or None where it allows that."""
        adapter = cast("TypeAdapter[Any]", self._adapter)
        for empty in ("{}", "null"):
            try:
                return adapter.validate_json(empty)
            except ValidationError:
                continue
        fields = cast("list[str]", (self.schema or {}).get("required", []))
        needs = (
            f"{_type_name(self._type)} with {', '.join(fields)}"
            if fields
            else _type_name(self._type)
        )
        example = json.dumps(dict.fromkeys(fields, "…"), ensure_ascii=False)
        raise _caller(
            f"{self._agent} needs deps: {needs}; give them with the call, as "
            f"`synapse call {self._agent} … --deps '{example}'`",
            {"fields": cast("Json", fields), "schema": self.schema},
        )

    def _unfillable(self) -> Fault:
        return Fault(
            "agent",
            "agent_error",
            f"JSON cannot fill the deps_type {_type_name(self._type)} of {self._agent}: "
            f'name what makes it by deps = "module:factory" in [agent.{self._agent}]',
            details={"deps_type": _type_name(self._type)},
        )


def _as_context(factory: Callable[..., Any]) -> Callable[..., Any]:
    """A generator that yields once is a context manager without its decorator."""
    if inspect.isasyncgenfunction(factory):
        return asynccontextmanager(factory)
    if inspect.isgeneratorfunction(factory):
        return contextmanager(factory)
    return factory


def _caller(message: str, details: dict[str, Json] | None = None) -> Fault:
    return Fault("caller", "invalid_input", message, details=details)


def _adapter(deps_type: Any) -> TypeAdapter[Any] | None:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(deps_type)
        adapter.json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError, NameError):
        return None
    return adapter


def _schema(adapter: TypeAdapter[Any] | None) -> dict[str, Json] | None:
    return None if adapter is None else adapter.json_schema()


def _type_name(deps_type: Any) -> str:
    return getattr(deps_type, "__name__", None) or str(deps_type)


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in location) or "value"
