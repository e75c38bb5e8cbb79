//! The one catalogue of faults: what went wrong, whose it is, and whether a retry can help.
//!
//! Every face (HTTP, command line, later gRPC) translates from here; none invents codes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The caller's request.
    Caller,
    /// The runtime itself, or a limit that it enforces.
    Runtime,
    /// The agent's code or process.
    Agent,
    /// The model or its provider.
    Model,
    /// A tool.
    Tool,
}

/// The stable codes of faults (DESIGN §10). Codes are only ever added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// The input is not what the agent takes.
    InvalidInput,
    /// The input or the dependencies do not fit their JSON Schema.
    SchemaViolation,
    /// Nobody has this name.
    AgentNotFound,
    /// The mailbox is full.
    Overloaded,
    /// The conversation is in use by another call for longer than this one may wait.
    SessionBusy,
    /// The deadline passed, in the queue or in the run.
    DeadlineExceeded,
    /// The caller cancelled, or went away.
    Cancelled,
    /// The agent's code raised.
    AgentError,
    /// The agent's process died with the call in flight.
    AgentCrashed,
    /// The call has killed the agent too often, and is kept as a dead letter.
    CallPoisoned,
    /// The agent was stopped by an operator, or the node is stopping.
    AgentStopped,
    /// The agent is down for good: its supervisor gave up.
    AgentFailed,
    /// The model's provider answered with an error.
    ModelError,
    /// The model did not produce a valid output.
    OutputInvalid,
    /// A tool failed.
    ToolFailed,
    /// A tool may not be used.
    ToolDenied,
    /// A limit was reached; the details name it.
    LimitExceeded,
    /// The output does not fit into a frame.
    OutputTooLarge,
}

impl FaultCode {
    /// All codes, in the order of the documentation.
    pub const ALL: [Self; 18] = [
        Self::InvalidInput,
        Self::SchemaViolation,
        Self::AgentNotFound,
        Self::Overloaded,
        Self::SessionBusy,
        Self::DeadlineExceeded,
        Self::Cancelled,
        Self::AgentError,
        Self::AgentCrashed,
        Self::CallPoisoned,
        Self::AgentStopped,
        Self::AgentFailed,
        Self::ModelError,
        Self::OutputInvalid,
        Self::ToolFailed,
        Self::ToolDenied,
        Self::LimitExceeded,
        Self::OutputTooLarge,
    ];

    /// The code as it stands in JSON, frames and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::SchemaViolation => "schema_violation",
            Self::AgentNotFound => "agent_not_found",
            Self::Overloaded => "overloaded",
            Self::SessionBusy => "session_busy",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Cancelled => "cancelled",
            Self::AgentError => "agent_error",
            Self::AgentCrashed => "agent_crashed",
            Self::CallPoisoned => "call_poisoned",
            Self::AgentStopped => "agent_stopped",
            Self::AgentFailed => "agent_failed",
            Self::ModelError => "model_error",
            Self::OutputInvalid => "output_invalid",
            Self::ToolFailed => "tool_failed",
            Self::ToolDenied => "tool_denied",
            Self::LimitExceeded => "limit_exceeded",
            Self::OutputTooLarge => "output_too_large",
        }
    }

    /// The code of this text, if the catalogue has it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Whose fault this code is.
    #[must_use]
    pub const fn origin(self) -> Origin {
        match self {
            Self::InvalidInput | Self::SchemaViolation | Self::AgentNotFound | Self::Cancelled => {
                Origin::Caller
            }
            Self::Overloaded
            | Self::SessionBusy
            | Self::DeadlineExceeded
            | Self::LimitExceeded
            | Self::OutputTooLarge => Origin::Runtime,
            Self::AgentError
            | Self::AgentCrashed
            | Self::CallPoisoned
            | Self::AgentStopped
            | Self::AgentFailed => Origin::Agent,
            Self::ModelError | Self::OutputInvalid => Origin::Model,
            Self::ToolFailed | Self::ToolDenied => Origin::Tool,
        }
    }

    /// Whether the same call may succeed later without a change, where nothing else is known.
    #[must_use]
    pub const fn retryable(self) -> bool {
        matches!(self, Self::Overloaded | Self::SessionBusy)
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// An error as data: what a caller is told when a call does not end in a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The stable code.
    pub code: FaultCode,
    /// Whose it is.
    pub origin: Origin,
    /// What went wrong and what to do, in one or two sentences.
    pub message: String,
    /// Whether the same call may succeed if it is made again.
    pub retryable: bool,
    /// More, by code: a JSON object, or null.
    #[serde(default)]
    pub details: serde_json::Value,
}

impl Fault {
    /// A fault with the catalogue's origin and retryability and no details.
    #[must_use]
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self {
            code,
            origin: code.origin(),
            message: message.into(),
            retryable: code.retryable(),
            details: serde_json::Value::Null,
        }
    }

    /// The same fault with details, a JSON object.
    #[must_use]
    pub fn with_details(self, details: serde_json::Value) -> Self {
        Self { details, ..self }
    }

    /// The same fault with another retryability than the catalogue's.
    #[must_use]
    pub fn with_retryable(self, retryable: bool) -> Self {
        Self { retryable, ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}

/// An error with its causes, in one line.
#[must_use]
pub fn report_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
