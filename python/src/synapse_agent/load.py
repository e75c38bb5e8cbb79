"""From `module:attribute` to a program: an agent, a factory of one, or a plain function.

Whether something is a pydantic-ai agent is asked of its class's module, so that pydantic-ai is
imported by agents that use it and by no others. This module refuses to know how any of them runs.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .function import function_program
from .program import Configuration, Fault, Program
from .user_source import import_fresh

__all__ = ["import_ahead", "load", "resolve"]


def load(configuration: Configuration) -> Program:
    """Import and build what the configuration names; exceptions of the user's code pass."""
    _import_from(configuration.path)
    if configuration.entry is None:
        from .adapter import declared

        return declared(configuration)
    with _loading(configuration):
        return _program_of(resolve(configuration.entry), configuration)


def import_ahead(configuration: Configuration) -> list[str]:
    """Only import what is to be loaded later; the folders that it may come from."""
    folders = _import_from(configuration.path)
    with _loading(configuration):
        for entry in (configuration.entry, configuration.deps):
            if entry is not None:
                _module(entry.partition(":")[0])
    if configuration.entry is None:
        from .adapter import import_ahead as import_adapter

        import_adapter()
    return folders


def _import_from(path: Iterable[str]) -> list[str]:
    """Import from these folders, too; what they are called in full."""
    folders = [os.path.abspath(folder) for folder in path]
    # At the end: an agent's folder must not hide the standard library's modules.
    sys.path.extend(folder for folder in folders if folder not in sys.path)
    import_fresh(folders)
    return folders


def _loading(configuration: Configuration) -> AbstractContextManager[object]:
    """Where TOML names a model, the entry's own need not have its key: the adapter sees to it."""
    if configuration.model is not None:
        try:
            from .adapter import loading
        except ImportError:
            return nullcontext()
        return loading(configuration)
    return nullcontext()


def resolve(entry: str) -> Any:
    """The object that `module:attribute` names; the attribute may have dots."""
    module_name, colon, attribute = entry.partition(":")
    if not (module_name and colon and attribute):
        raise _failed(f"entry {entry!r} is not of the form module:attribute")
    target: Any = _module(module_name)
    for name in attribute.split("."):
        if not hasattr(target, name):
            raise _failed(_no_attribute(target, name))
        target = getattr(target, name)
    return target


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only where the entry itself is missing; a module that it imports is its own mistake.
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise
        folders = ", ".join(path for path in sys.path[-2:] if path)
        message = f"no module named {error.name!r} (the last folders searched: {folders})"
        raise _failed(message) from None


def _no_attribute(owner: Any, name: str) -> str:
    import difflib

    where = getattr(owner, "__file__", None) or getattr(owner, "__name__", repr(owner))
    where = os.path.relpath(where) if os.path.isabs(str(where)) else where
    near = difflib.get_close_matches(name, dir(owner), 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{where} has no {name!r}{hint}"


def _program_of(target: Any, configuration: Configuration) -> Program:
    program = _agent_program(target, configuration)
    if program is not None:
        return program
    if _is_factory(target):
        made = target()
        if inspect.iscoroutine(made):
            made.close()
            raise _failed(f"the factory {configuration.entry} is asynchronous; make it a plain def")
        program = _agent_program(made, configuration)
        if program is not None:
            return program
        if not callable(made):
            raise _failed(_not_a_program(made, f"{configuration.entry}() returned"))
        target = made
    if not callable(target):
        raise _failed(_not_a_program(target, f"{configuration.entry} is"))
    return function_program(target, configuration, _factory(configuration))


def _agent_program(target: Any, configuration: Configuration) -> Program | None:
    """The adapter's program, where the object's class comes from pydantic-ai."""
    bases = type(target).__mro__
    if not any(base.__module__.partition(".")[0] == "pydantic_ai" for base in bases):
        return None
    from .adapter import load_agent

    return load_agent(target, configuration)


def _is_factory(target: Any) -> bool:
    """Whether it can be called with nothing and is no agent of one text with a default."""
    if inspect.isclass(target):
        return True
    if not callable(target):
        return False
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return False
    if any(parameter.default is parameter.empty for parameter in parameters.values()):
        return False
    if not parameters:
        return not inspect.isgeneratorfunction(target) and not inspect.isasyncgenfunction(target)
    return _returns_agent(target)


def _returns_agent(function: Callable[..., Any]) -> bool:
    annotation = getattr(function, "__annotations__", {}).get("return")
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return name.rpartition(".")[2].partition("[")[0] == "Agent"


def _factory(configuration: Configuration) -> Callable[..., Any] | None:
    if configuration.deps is None:
        return None
    factory = resolve(configuration.deps)
    if not callable(factory):
        raise _failed(f"deps = {configuration.deps!r} is not callable")
    return factory


def _not_a_program(target: Any, who: str) -> str:
    kind = type(target).__qualname__
    return f"{who} a {kind}: an entry is a pydantic-ai Agent, a factory of one, or a function"


def _failed(message: str) -> Fault:
    return Fault("agent", "start_failed", message)
