//! Exit reasons: why an incarnation or a supervisor ended, as a type.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a child of a supervisor ended. The evidence (stderr, traceback, uptime) travels beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason", content = "detail")]
pub enum ExitReason {
    /// It finished by itself: the process exited with code 0.
    Normal,
    /// It was told to stop and did, or its supervisor gave up; the word is a `{shutdown, Term}`.
    Shutdown(Option<String>),
    /// It could not start: no hello, a failing import, a start timeout. The text says which.
    StartFailed(String),
    /// The process exited with this code, which is not 0.
    Exited(i32),
    /// The process was ended by this signal, and not by its supervisor; an operator's `kill` too.
    Signalled(i32),
    /// Its supervisor killed it: `brutal_kill`, or a shutdown time that ran out.
    Killed,
    /// It did not answer, or did not stop a cancelled run in time.
    Unresponsive(String),
    /// It broke the protocol; the word is the violation.
    ProtocolViolation(String),
    /// It, or what it had started, used more than its `limits` allow; which, and what was seen.
    LimitExceeded(String),
    /// The kernel ended it for lack of memory.
    OutOfMemory,
    /// Its actor failed inside the runtime: a defect of ours.
    Internal(String),
    /// A crash by any other name (dynamic children of tests and embedders).
    Error(String),
}

impl ExitReason {
    /// Whether a `transient` child with this reason is left down (OTP: `normal`, `shutdown`,
    /// `{shutdown, _}`).
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        matches!(self, Self::Normal | Self::Shutdown(_))
    }

    /// The stable word for status, events and logs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Shutdown(_) => "shutdown",
            Self::StartFailed(_) => "start_failed",
            Self::Exited(_) => "exited",
            Self::Signalled(_) => "signalled",
            Self::Killed => "killed",
            Self::Unresponsive(_) => "unresponsive",
            Self::ProtocolViolation(_) => "protocol_violation",
            Self::LimitExceeded(_) => "limit_exceeded",
            Self::OutOfMemory => "out_of_memory",
            Self::Internal(_) => "internal",
            Self::Error(_) => "error",
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => formatter.write_str("finished"),
            Self::Shutdown(None) => formatter.write_str("shut down"),
            Self::Shutdown(Some(why)) => write!(formatter, "shut down: {why}"),
            Self::StartFailed(why) => write!(formatter, "failed to start: {why}"),
            Self::Exited(code) => write!(formatter, "exited with code {code}"),
            Self::Signalled(signal) => write!(formatter, "killed by signal {signal}"),
            Self::Killed => formatter.write_str("killed"),
            Self::Unresponsive(why) => write!(formatter, "unresponsive: {why}"),
            Self::ProtocolViolation(what) => write!(formatter, "protocol violation: {what}"),
            Self::LimitExceeded(what) => write!(formatter, "limit exceeded: {what}"),
            Self::OutOfMemory => formatter.write_str("out of memory"),
            Self::Internal(what) => write!(formatter, "internal error: {what}"),
            Self::Error(what) => formatter.write_str(what),
        }
    }
}
