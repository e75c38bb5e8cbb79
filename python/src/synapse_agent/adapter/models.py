"""Models by name (`offline` is ours, every other one pydantic-ai's), and the settings over them.

Knows names, model objects and their settings; nothing of agents' runs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, cast

import pydantic_ai.models
from pydantic_ai import Agent
from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext

from ..program import Configuration, Fault, Json
from .credentials import missing_variable
from .offline import OfflineModel
from .packages import missing_package

__all__ = ["Models", "Settings", "deferred_model_check", "layered_settings", "model_name"]

MODELS_MAX = 16
"""Models kept by name: an agent has one or two; who names many pays for making them each time."""

_infer_model: Final = pydantic_ai.models.infer_model
"""The real one: `deferred_model_check` is for models of the entry, never for one that is wanted."""

AnyAgent = Agent[Any, Any]
Settings = ModelSettings | Callable[[RunContext[Any]], ModelSettings]


class Models:
    """The models that calls and the configuration name, each made once."""

    def __init__(self, configuration: Configuration) -> None:
        """An empty table for one agent."""
        self._configuration = configuration
        self._made: dict[str, Model[Any]] = {}
        self._opened: set[str] = set()

    def named(self, name: str) -> Model[Any]:
        """The model of this name; a wrong name is the caller's fault, a missing key the model's."""
        model = self._made.get(name)
        if model is None:
            model = self._make(name)
            if len(self._made) < MODELS_MAX:
                self._made[name] = model
        return model

    def kept(self, name: str) -> Model[Any] | None:
        """The model of this name, if it has been made."""
        return self._made.get(name)

    def opens(self, name: str) -> bool:
        """Whether a kept model is asked for a first time, so that its client is to be opened."""
        if name not in self._made or name in self._opened:
            return False
        self._opened.add(name)
        return True

    def _make(self, name: str) -> Model[Any]:
        if name == "offline":
            return OfflineModel()
        try:
            return _infer_model(name)
        except (UserError, ImportError, ValueError) as error:
            missing = missing_variable(error, self._configuration)
            if missing is not None:
                details: dict[str, Json] = {"model": name, "variable": missing.variable}
                raise Fault(
                    "model", "model_error", f"model {name}: {missing.message}", details=details
                ) from error
            reason = missing_package(error) or " ".join(str(error).split())
            raise Fault(
                "caller", "invalid_input", f"model {name}: {reason}", details={"model": name}
            ) from error


@contextmanager
def deferred_model_check() -> Generator[None]:
    """Let agents be built whose own model has no key or package here; another is given to them."""
    infer = pydantic_ai.models.infer_model

    def lenient(model: Any, *args: Any, **named: Any) -> Any:
        try:
            return infer(model, *args, **named)
        except (UserError, ImportError):
            # The name itself is what pydantic-ai keeps under `defer_model_check=True`.
            return model

    pydantic_ai.models.infer_model = lenient
    try:
        yield
    finally:
        pydantic_ai.models.infer_model = infer


def model_name(model: object) -> str | None:
    """What a manifest calls a model."""
    if isinstance(model, OfflineModel):
        return "offline"
    return model.model_id if isinstance(model, Model) else cast("str | None", model)


def layered_settings(
    agent: AnyAgent,
    model: object,
    configured: dict[str, Json] | None,
    called: dict[str, Json] | None,
) -> Settings | None:
    """The settings of a run: the call's over the configuration's over the entry's own.

    Unless one of them says otherwise, the provider's client does not retry by itself: its retries
    would hide up to 14 s of a failing model from the runtime.
    """
    explicit = cast("ModelSettings", {**(configured or {}), **(called or {})})
    if "max_retries" in explicit or not _can_refuse_retries(model):
        return explicit or None
    own = agent.model_settings
    if callable(own):
        return lambda context: _without_retries(
            cast("ModelSettings | None", context.model_settings), explicit
        )
    inherited = {**(_settings_of(model) or {}), **(own or {})}
    return explicit or None if "max_retries" in inherited else _without_retries(None, explicit)


def _without_retries(inherited: ModelSettings | None, explicit: ModelSettings) -> ModelSettings:
    if inherited and "max_retries" in inherited:
        return explicit
    return {"max_retries": 0, **explicit}


def _settings_of(model: object) -> ModelSettings | None:
    return model.settings if isinstance(model, Model) else None


def _can_refuse_retries(model: object) -> bool:
    if not isinstance(model, Model) or isinstance(model, OfflineModel):
        return False
    try:
        refused: Any = model.profile.get("openai_unsupported_model_settings", ())
    except NotImplementedError:  # A fallback has models, and each of them has a profile.
        refused = ()
    return "max_retries" not in model.unsupported_settings and "max_retries" not in refused
