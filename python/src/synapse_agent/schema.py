"""Annotations and JSON: the schema of an annotation, and a value built to fit it.

Simple types only: str, int, float, bool, None, list, dict, Literal, unions, TypedDict, dataclasses,
enums of JSON values, and by their own methods pydantic models (pydantic itself is never imported
here). What it does not know it lets pass: a plain function then gets the JSON as it came. This
module refuses to know functions and frames.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from typing import Any, Literal, Union, cast

__all__ = ["Mismatch", "build", "dump", "schema_of"]

_SIMPLE: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    list: "array",
    dict: "object",
}


class Mismatch(ValueError):
    """A value that does not fit its annotation; the message says where."""


def schema_of(annotation: Any) -> dict[str, Any] | None:
    """The JSON Schema of an annotation, `{}` for anything, None where it is not known."""
    if annotation is Any:
        return {}
    if annotation is None:
        return {"type": "null"}
    origin = typing.get_origin(annotation)
    if origin is not None:
        return _generic_schema(origin, typing.get_args(annotation))
    if annotation in _SIMPLE:
        return {"type": _SIMPLE[annotation]}
    if not isinstance(annotation, type):
        return None
    return _class_schema(annotation)


def _class_schema(cls: Any) -> dict[str, Any] | None:
    own = getattr(cls, "model_json_schema", None)
    if callable(own):
        return cast("dict[str, Any]", own())
    if issubclass(cls, enum.Enum):
        return {"enum": [member.value for member in cls]}
    if typing.is_typeddict(cls):
        required: frozenset[str] = getattr(cls, "__required_keys__", frozenset[str]())
        return _object(_hints(cls), required, cls.__name__)
    if _is_dataclass(cls):
        hints = _hints(cls)
        inits = [field for field in dataclasses.fields(cls) if field.init]
        required = frozenset(field.name for field in inits if _needed(field))
        return _object({field.name: hints[field.name] for field in inits}, required, cls.__name__)
    return None


def _object(hints: dict[str, Any], required: frozenset[str], title: str) -> dict[str, Any]:
    properties = {name: schema_of(hint) or {} for name, hint in hints.items()}
    schema: dict[str, Any] = {"type": "object", "title": title, "properties": properties}
    names = [name for name in hints if name in required]
    return {**schema, "required": names} if names else schema


def _generic_schema(origin: Any, args: tuple[Any, ...]) -> dict[str, Any] | None:
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, types.UnionType):
        return _union_schema([schema_of(arg) for arg in args])
    if origin is typing.Annotated:
        return schema_of(args[0])
    if origin in (typing.Required, typing.NotRequired):
        return schema_of(args[0])
    if origin is list:
        return {"type": "array", "items": schema_of(args[0]) or {}}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(args[1]) or {}}
    return None


def _union_schema(options: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    known = [option for option in options if option is not None]
    return {"anyOf": known} if len(known) == len(options) else None


def build(annotation: Any, value: Any, where: str = "input") -> Any:
    """The value that a parameter so annotated wants, made of JSON; raises `Mismatch`."""
    if annotation is Any:
        return value
    origin = typing.get_origin(annotation)
    if origin is not None:
        return _build_generic(annotation, origin, typing.get_args(annotation), value, where)
    if annotation in _SIMPLE or annotation is None:
        return _build_simple(annotation, value, where)
    return _build_class(annotation, value, where) if isinstance(annotation, type) else value


def _build_simple(annotation: Any, value: Any, where: str) -> Any:
    wanted = type(None) if annotation is None else annotation
    if type(value) is wanted:
        return value
    if wanted is float and type(value) is int:
        return float(value)
    raise Mismatch(f"{where} must be {_word(_SIMPLE[wanted])}, not {_found(value)}")


def _build_class(cls: Any, value: Any, where: str) -> Any:
    own = getattr(cls, "model_validate", None)
    if callable(own):
        try:
            return own(value)
        except ValueError as error:
            raise Mismatch(f"{where}: {error}") from error
    if issubclass(cls, enum.Enum):
        try:
            return cls(value)
        except ValueError:
            allowed = ", ".join(repr(member.value) for member in cls)
            raise Mismatch(f"{where} must be one of {allowed}") from None
    if typing.is_typeddict(cls):
        required: frozenset[str] = getattr(cls, "__required_keys__", frozenset[str]())
        return _build_fields(_hints(cls), required, value, where)
    if _is_dataclass(cls):
        inits = [field for field in dataclasses.fields(cls) if field.init]
        hints = _hints(cls)
        required = frozenset(field.name for field in inits if _needed(field))
        known = {field.name: hints[field.name] for field in inits}
        return cls(**_build_fields(known, required, value, where))
    return value


def _build_fields(
    hints: dict[str, Any], required: frozenset[str], value: Any, where: str
) -> dict[str, Any]:
    if type(value) is not dict:
        raise Mismatch(f"{where} must be an object, not {_found(value)}")
    given = cast("dict[str, Any]", value)
    for name in hints:
        if name in required and name not in given:
            raise Mismatch(f"{where} lacks {name!r}")
    for name in given:
        if name not in hints:
            raise Mismatch(f"{where} has {name!r}; known are {', '.join(hints) or 'none'}")
    return {name: build(hints[name], one, f"{where}.{name}") for name, one in given.items()}


def _build_generic(
    annotation: Any, origin: Any, args: tuple[Any, ...], value: Any, where: str
) -> Any:
    if origin is Literal:
        if value in args:
            return value
        raise Mismatch(f"{where} must be one of {', '.join(map(repr, args))}, not {value!r}")
    if origin in (Union, types.UnionType):
        return _build_union(args, value, where)
    if origin in (typing.Annotated, typing.Required, typing.NotRequired):
        return build(args[0], value, where)
    if origin is list:
        items = cast("list[Any]", _build_simple(list, value, where))
        return [build(args[0], item, f"{where}[{index}]") for index, item in enumerate(items)]
    if origin is dict:
        entries = cast("dict[str, Any]", _build_simple(dict, value, where))
        return {key: build(args[1], one, f"{where}.{key}") for key, one in entries.items()}
    return value


def _build_union(args: tuple[Any, ...], value: Any, where: str) -> Any:
    """The option of the value's own type first, then the first that can be built."""
    if type(value) in args:
        return value
    reasons: list[str] = []
    for option in args:
        try:
            return build(option, value, where)
        except Mismatch as mismatch:
            reasons.append(str(mismatch))
    raise Mismatch("; or ".join(reasons))


def dump(value: Any) -> Any:
    """A returned value as JSON: models and dataclasses become objects, enums their values."""
    if type(value) in (str, dict, list) or value is None:
        return value
    own = getattr(value, "model_dump", None)
    if callable(own) and not isinstance(value, type):
        return own(mode="json")
    if _is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.value if isinstance(value, enum.Enum) else value


def _is_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value)


def _needed(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _hints(cls: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except (NameError, TypeError):
        return dict.fromkeys(cls.__annotations__, Any)


def _word(kind: str) -> str:
    return kind if kind == "null" else f"{'an' if kind[0] in 'aio' else 'a'} {kind}"


def _found(value: Any) -> str:
    return _word(_SIMPLE.get(type(value), type(value).__name__))
