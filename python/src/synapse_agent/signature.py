"""How a plain function wants its input: which parameter gets what of a call.

A context and deps go where they are asked for; a single parameter gets the input whole; several get
the members of an object. This module refuses to know frames and runs.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, Literal, cast

from .context import Context
from .program import Fault, Json
from .schema import Mismatch, build, schema_of

__all__ = ["Signature"]

Shape = Literal["nothing", "whole", "members"]
_EMPTY: Any = inspect.Parameter.empty


class Signature:
    """The parameters of one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Read the signature once, when the function is loaded."""
        signature = inspect.signature(function)
        hints = _hints(function)
        self._inputs: list[inspect.Parameter] = []
        self._members: inspect.Parameter | None = None
        self._order: list[inspect.Parameter] = []
        self.context: str | None = None
        self.deps: str | None = None
        self.returns: Any = hints.get("return", signature.return_annotation)
        for parameter in signature.parameters.values():
            annotation = hints.get(parameter.name, parameter.annotation)
            self._place(parameter.replace(annotation=annotation))

    @property
    def shape(self) -> Shape:
        """What the inputs are made of."""
        if self._members is not None or len(self._inputs) > 1:
            return "members"
        return "whole" if self._inputs else "nothing"

    @property
    def takes_text_alone(self) -> bool:
        """Whether the function is called with a string and nothing else: `def f(prompt: str)`."""
        alone = self.shape == "whole" and self.context is None and self.deps is None
        if not alone or self._inputs[0].kind is inspect.Parameter.KEYWORD_ONLY:
            return False
        return self._inputs[0].annotation in (str, _EMPTY, Any)

    @property
    def takes_any_value(self) -> bool:
        """Whether the single input is not annotated."""
        return self.shape == "whole" and self._inputs[0].annotation in (_EMPTY, Any)

    def schema(self) -> dict[str, Json] | None:
        """The JSON Schema of the input, None where any will do."""
        match self.shape:
            case "nothing":
                return None
            case "whole":
                return _schema(self._inputs[0])
            case "members":
                return self._members_schema()

    def deps_schema(self) -> dict[str, Json] | None:
        """The JSON Schema of the deps parameter."""
        return None if self.deps is None else _schema(self._by_name(self.deps))

    def bind(self, value: Json, context: Context | None) -> tuple[list[Any], dict[str, Any]]:
        """The arguments for an input; raises `Fault` where it does not fit."""
        try:
            given = self._given(value)
            if self.deps is not None and context is not None:
                given[self.deps] = context.deps
        except Mismatch as mismatch:
            raise Fault("caller", "schema_violation", str(mismatch)) from None
        if self.context is not None:
            given[self.context] = context
        args: list[Any] = []
        for parameter in self._order:
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY and parameter.name in given:
                args.append(given.pop(parameter.name))
        return args, given

    def build_deps(self, value: Json) -> Any:
        """The deps parameter's value of the call's JSON."""
        if self.deps is None or value is None:
            return value
        annotation = self._by_name(self.deps).annotation
        try:
            return value if annotation is _EMPTY else build(annotation, value, "deps")
        except Mismatch as mismatch:
            raise Fault("caller", "schema_violation", str(mismatch)) from None

    def _place(self, parameter: inspect.Parameter) -> None:
        """Decide what a parameter is for."""
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            self._members = parameter
            return
        self._order.append(parameter)
        if self.context is None and _is_context(parameter):
            self.context = parameter.name
        elif parameter.name == "deps":
            self.deps = parameter.name
        else:
            self._inputs.append(parameter)

    def _given(self, value: Json) -> dict[str, Any]:
        match self.shape:
            case "nothing":
                return {}
            case "whole":
                return self._given_whole(value)
            case "members":
                return self._given_members(value)

    def _given_whole(self, value: Json) -> dict[str, Any]:
        """The input itself, or its member of the parameter's name where the input is no match."""
        parameter = self._inputs[0]
        if parameter.annotation is _EMPTY:
            return {parameter.name: value}
        try:
            return {parameter.name: build(parameter.annotation, value)}
        except Mismatch:
            if type(value) is not dict or list(cast("dict[str, Any]", value)) != [parameter.name]:
                raise
            return self._given_members(value)

    def _given_members(self, value: Json) -> dict[str, Any]:
        """The members of an object; a bare text is the first parameter's where that suffices."""
        if type(value) is str and self._text_suffices():
            return {self._inputs[0].name: self._of_text(value)}
        if type(value) is not dict:
            names = ", ".join(parameter.name for parameter in self._inputs) or "any members"
            raise Mismatch(f"input must be an object with {names}")
        members = cast("dict[str, Any]", value)
        self._refuse_unknown(members)
        given: dict[str, Any] = {}
        for parameter in self._inputs:
            if parameter.name in members:
                given[parameter.name] = build_for(parameter, members[parameter.name])
            elif parameter.default is _EMPTY:
                raise Mismatch(f"input lacks {parameter.name!r}")
        if self._members is not None:
            rest = {name: one for name, one in members.items() if name not in given}
            given.update(rest)
        return given

    def _of_text(self, text: str) -> Any:
        """The first parameter's argument of a text, which its caller may have meant as JSON."""
        try:
            return build_for(self._inputs[0], text)
        except Mismatch as mismatch:
            raise Mismatch(f"{mismatch} (a prompt is text; `--input` gives JSON)") from None

    def _text_suffices(self) -> bool:
        if not self._inputs:
            return False
        others = self._inputs[1:]
        return all(parameter.default is not _EMPTY for parameter in others)

    def _refuse_unknown(self, members: dict[str, Any]) -> None:
        if self._members is not None:
            reserved = {self.context, self.deps} & members.keys()
            if reserved:
                raise Mismatch(f"input has {reserved.pop()!r}, which is not the caller's to give")
            return
        names = [parameter.name for parameter in self._inputs]
        for name in members:
            if name not in names:
                raise Mismatch(f"input has {name!r}; known are {', '.join(names)}")

    def _members_schema(self) -> dict[str, Json]:
        required = [one.name for one in self._inputs if one.default is _EMPTY]
        schema: dict[str, Json] = {
            "type": "object",
            "properties": {one.name: _schema(one) or {} for one in self._inputs},
            "additionalProperties": self._members is not None,
        }
        if required:
            schema["required"] = required
        if self._text_suffices():
            first = self._inputs[0]
            if first.annotation in (str, _EMPTY):
                return {"anyOf": [{"type": "string"}, schema]}
        return schema

    def _by_name(self, name: str) -> inspect.Parameter:
        return next(parameter for parameter in self._order if parameter.name == name)


def build_for(parameter: inspect.Parameter, value: Json) -> Any:
    """A parameter's argument of its JSON."""
    if parameter.annotation is _EMPTY:
        return value
    return build(parameter.annotation, value, f"input.{parameter.name}")


def _is_context(parameter: inspect.Parameter) -> bool:
    """Annotated with `Context`, or named `ctx` or `context` and not annotated otherwise."""
    annotation = parameter.annotation
    if isinstance(annotation, type):
        return issubclass(annotation, Context)
    if isinstance(annotation, str):  # a forward reference that could not be resolved
        return annotation.rpartition(".")[2] == "Context"
    return annotation is _EMPTY and parameter.name in ("ctx", "context")


def _schema(parameter: inspect.Parameter) -> dict[str, Json] | None:
    if parameter.annotation is _EMPTY:
        return None
    return schema_of(parameter.annotation)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations as objects; those that cannot be resolved are left as they are."""
    target = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    try:
        return typing.get_type_hints(target, include_extras=False)
    except (NameError, TypeError, AttributeError):
        return {}
