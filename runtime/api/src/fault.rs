//! Faults as the faces show them: an error as data, its HTTP problem and its exit code.
//!
//! Codes and origins are text here, so that an older client tolerates a newer node's codes; the
//! catalogue itself is `synapse-core`'s.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exit::ExitCode;

/// The media type of a problem (RFC 9457).
pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";

/// Why a request did not end in a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The stable code, such as `agent_crashed`.
    pub code: String,
    /// Whose it is: `caller`, `runtime`, `agent`, `model` or `tool`.
    #[serde(default)]
    pub origin: String,
    /// What went wrong and what to do, in one or two sentences.
    #[serde(default)]
    pub message: String,
    /// Whether the same request may succeed if it is made again.
    #[serde(default)]
    pub retryable: bool,
    /// More, by code: a JSON object, or null.
    #[serde(default)]
    pub details: Value,
}

/// What a code means to the faces.
struct Meaning {
    exit: ExitCode,
    http_status: u16,
    title: &'static str,
}

impl Fault {
    /// A fault without details.
    #[must_use]
    pub fn new(code: &str, origin: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            origin: origin.to_owned(),
            message: message.into(),
            retryable: false,
            details: Value::Null,
        }
    }

    /// The documented exit code of this fault; an unknown code is a failure.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        meaning(&self.code).exit
    }

    /// The HTTP status that a face answers with; an unknown code is a 500.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        meaning(&self.code).http_status
    }

    /// A short summary of the code, the same for every occurrence.
    #[must_use]
    pub fn title(&self) -> &'static str {
        meaning(&self.code).title
    }

    /// The name that the caller may have meant, where a name was not found.
    #[must_use]
    pub fn nearest(&self) -> Option<&str> {
        self.details.get("nearest")?.as_str()
    }
}

/// The one table from code to exit code, HTTP status and title (DESIGN §10).
fn meaning(code: &str) -> Meaning {
    let (exit, http_status, title) = match code {
        "invalid_input" => (ExitCode::Data, 400, "The request is not valid"),
        "schema_violation" => (ExitCode::Data, 422, "The input does not fit its schema"),
        "agent_not_found" => (ExitCode::Data, 404, "Nobody has this name"),
        "overloaded" => (ExitCode::TryAgain, 429, "Too much is waiting already"),
        "session_busy" => (ExitCode::TryAgain, 409, "The conversation is in use"),
        "deadline_exceeded" => (ExitCode::DeadlineExceeded, 504, "The deadline passed"),
        "cancelled" => (ExitCode::Cancelled, 499, "The run was cancelled"),
        "agent_error" => (ExitCode::Failure, 500, "The agent's code raised"),
        "agent_crashed" => (ExitCode::Failure, 502, "The agent's process died"),
        "call_poisoned" => (ExitCode::Failure, 422, "The call kills its agent"),
        "agent_stopped" => (ExitCode::Failure, 503, "The agent is stopped"),
        "agent_failed" => (ExitCode::Failure, 503, "The agent is down for good"),
        "model_error" => (ExitCode::Failure, 502, "The model's provider failed"),
        "output_invalid" => (ExitCode::Failure, 502, "The model's output is not valid"),
        "tool_failed" => (ExitCode::Failure, 502, "A tool failed"),
        "tool_denied" => (ExitCode::Failure, 403, "A tool may not be used"),
        "limit_exceeded" => (ExitCode::Failure, 422, "A limit was reached"),
        "output_too_large" => (ExitCode::Failure, 502, "The output is too large"),
        _ => (ExitCode::Failure, 500, "The request failed"),
    };
    Meaning {
        exit,
        http_status,
        title,
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}

/// `{"error": FAULT}`: how a fault stands on the command line and in event streams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The fault.
    pub error: Fault,
}

/// A fault as an RFC 9457 problem: the body of every answer whose status is not 2xx.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// A URI that names the kind of problem: `urn:synapse:fault:CODE`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// A short summary, the same for every occurrence of the code.
    #[serde(default)]
    pub title: String,
    /// The HTTP status of the answer.
    #[serde(default)]
    pub status: u16,
    /// What went wrong and what to do: the fault's message.
    #[serde(default)]
    pub detail: String,
    /// The fault's code.
    pub code: String,
    /// Whose fault it is.
    #[serde(default)]
    pub origin: String,
    /// Whether the same request may succeed if it is made again.
    #[serde(default)]
    pub retryable: bool,
    /// The fault's details.
    #[serde(default)]
    pub details: Value,
}

impl Problem {
    /// The problem of a fault, with another status than the code's own.
    #[must_use]
    pub fn with_status(fault: Fault, status: u16) -> Self {
        Self {
            kind: format!("urn:synapse:fault:{}", fault.code),
            title: fault.title().to_owned(),
            status,
            detail: fault.message,
            code: fault.code,
            origin: fault.origin,
            retryable: fault.retryable,
            details: fault.details,
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let status = fault.http_status();
        Self::with_status(fault, status)
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code,
            origin: problem.origin,
            message: problem.detail,
            retryable: problem.retryable,
            details: problem.details,
        }
    }
}
