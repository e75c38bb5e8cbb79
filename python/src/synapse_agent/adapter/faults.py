"""Whose error it was: every exception of a pydantic-ai run as a fault of the protocol's catalogue.

Knows pydantic-ai's exceptions; nothing of how a fault is sent.
"""

from __future__ import annotations

import re
import traceback
from typing import Any, cast

from pydantic_ai.exceptions import (
    ConcurrencyLimitExceeded,
    FallbackExceptionGroup,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestTimeout,
    ModelServerError,
    ModelUnavailableError,
    RunCancelled,
    RunTimedOut,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)
from pydantic_ai.usage import RunUsage

from ..deps import failed_factory
from ..faults import traceback_of
from ..program import Configuration, Fault, Json, RunView
from .credentials import missing_variable
from .history import usage_map, write
from .limits import told

__all__ = ["fault_of"]

MESSAGE_CHARS_MAX = 500
"""Characters of a provider's own words; some answer with a page of HTML."""
RETRYABLE_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
DEADLINE_SLACK_S = 0.05
"""How early the loop's clock may end a run at its deadline; earlier, the time-out is the user's."""

_CUT = "response ended without a `finish_reason`"
"""What pydantic-ai says of a cut stream to authors who ask it to, by their model's profile."""
_LIMIT = re.compile(r"`?(\w+_limit)`? of `?([\d.]+)`?")
_TRANSIENT = (
    ModelRateLimitError,
    ModelUnavailableError,
    ModelServerError,
    ModelConnectionError,
    ModelRequestTimeout,
)


def fault_of(
    error: Exception,
    run: RunView,
    configuration: Configuration,
    usage: RunUsage | None = None,
    provider: str | None = None,
) -> Fault:
    """The fault that an error of a run is.

    `usage` is what the run had used by then, `provider` whose model it ran on.
    """
    fault = _judged(error, run, configuration)
    if fault.usage is None and usage is not None and usage.requests:
        fault.usage = usage_map(usage)
    if fault.code == "model_error" and provider is not None:
        fault.details = {**(fault.details or {}), "provider": provider}
    return fault


def _judged(error: Exception, run: RunView, configuration: Configuration) -> Fault:
    match error:
        case Fault():
            return error
        case RunCancelled():
            return _stopped(error, run)
        case UsageLimitExceeded():
            return _limit(error)
        case ModelAPIError():
            return _model(error)
        case FallbackExceptionGroup():
            return _every_model(error, configuration.agent)
        case UnexpectedModelBehavior():
            return _behaviour(error)
        case _ if missing := missing_variable(error, configuration):
            details: dict[str, Json] = {"variable": missing.variable}
            return Fault("model", "model_error", missing.message, details=details)
        case ConcurrencyLimitExceeded():
            details = {"limit": "max_concurrency"}
            return Fault(
                "runtime", "limit_exceeded", _brief(str(error)), retryable=True, details=details
            )
        case _:
            return _agent(error, configuration.agent)


def _stopped(error: RunCancelled, run: RunView) -> Fault:
    written = write(error.new_messages())
    left = run.remaining()
    late = isinstance(error, RunTimedOut) and left is not None and left <= DEADLINE_SLACK_S
    if late or run.cancel_reason == "deadline_exceeded":
        fault = Fault("runtime", "deadline_exceeded", "the deadline passed before the run ended")
    elif run.cancelled:
        fault = Fault("caller", "cancelled", "the run was cancelled")
    else:
        fault = Fault(
            "agent", "agent_error", f"the agent's own code ended the run: {error.message}"
        )
    fault.new_messages, fault.message_count = written.data, written.messages
    fault.usage = usage_map(error.usage)
    return fault


def _limit(error: UsageLimitExceeded) -> Fault:
    said = error.message.split(". Consider raising", 1)[0]
    found = _LIMIT.search(said)
    details: dict[str, Json] = {}
    if found:
        number = float(found[2].rstrip("."))
        details = {"limit": told(found[1]), "value": int(number) if number.is_integer() else number}
    return Fault("runtime", "limit_exceeded", said, details=details)


def _model(error: ModelAPIError) -> Fault:
    details: dict[str, Json] = {"model": error.model_name}
    status = error.status_code if isinstance(error, ModelHTTPError) else None
    if status is not None:
        details["status"] = status
    if error.retry_after is not None:
        details["retry_after_s"] = error.retry_after
    for key, value in (
        ("provider_code", error.provider_error_code),
        ("provider_type", error.provider_error_type),
    ):
        if value:
            details[key] = value
    refused = isinstance(error, ModelQuotaExceededError)
    passing = isinstance(error, _TRANSIENT) or status in RETRYABLE_STATUSES
    retryable = not refused and (passing or _CUT in error.message)
    return Fault(
        "model", "model_error", _model_message(error, status), retryable=retryable, details=details
    )


def _model_message(error: ModelAPIError, status: int | None) -> str:
    if status is None:
        return _brief(error.message)
    said = _provider_words(error.body) or _brief(error.message)
    message = f"model {error.model_name} answered {status}: {said}"
    if isinstance(error, ModelAuthenticationError):
        message += " (check the key that this agent is given)"
    if error.retry_after is not None:
        message += f" (retry after {error.retry_after:g} s)"
    return message


def _provider_words(body: object) -> str | None:
    if isinstance(body, dict):
        fields = cast("dict[str, object]", body)
        for key in ("message", "error", "detail"):
            said = _provider_words(fields.get(key))
            if said:
                return said
        return None
    return _brief(body) if isinstance(body, str) and body.strip() else None


def _every_model(group: FallbackExceptionGroup, agent: str) -> Fault:
    faults = [_model(each) for each in group.exceptions if isinstance(each, ModelAPIError)]
    if not faults:
        return _agent(group, agent)
    last = faults[-1]
    message = "every model of the fallback failed: " + "; ".join(fault.message for fault in faults)
    retryable = any(fault.retryable for fault in faults)
    return Fault("model", last.code, message, retryable=retryable, details=last.details)


def _behaviour(error: UnexpectedModelBehavior) -> Fault:
    details: dict[str, Json] = {"exception": type(error).__name__}
    message = _brief(error.message)
    cause = error.__cause__
    if cause is not None:
        details["reason"] = _brief(str(cause))
        message = f"{message}: {details['reason']}"
    return Fault("model", "output_invalid", message, details=details)


def _misuse(error: UserError, agent: str) -> str:
    if "`model` must either be set" in error.message:
        return f'{agent} has no model: set model = "…" in [agent.{agent}], for example "offline"'
    return _brief(error.message)


def _agent(error: Exception, agent: str) -> Fault:
    name = type(error).__name__
    details: dict[str, Json] = {"exception": name, "traceback": traceback_of(error)}
    if isinstance(error, UserError):
        return Fault("agent", "agent_error", _misuse(error, agent), details=details)
    message = _brief(failed_factory(error) + (f"{name}: {error}" if str(error) else name))
    tool = _tool_of(error)
    if tool is not None:
        details["tool"] = tool
        message = f"tool {tool} failed: {message}"
    return Fault("agent", "agent_error", message, details=details)


def _tool_of(error: BaseException) -> str | None:
    """The tool whose code raised. pydantic-ai passes such errors on as they are, so it is read from
    the frame of the toolset's public `call_tool(name, tool_args, ...)` that the error came through.
    """
    name: str | None = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        named: object = frame.f_locals.get("name")
        if (
            frame.f_code.co_name == "call_tool"
            and isinstance(named, str)
            and "tool_args" in frame.f_locals
        ):
            name = named
    return name


def _brief(text: Any) -> str:
    flat = " ".join(str(text).split())
    return flat if len(flat) <= MESSAGE_CHARS_MAX else flat[: MESSAGE_CHARS_MAX - 1] + "…"
