//! What agents write: their stderr, their log records, and what the runtime says of them.

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The agent.
    pub agent: String,
    /// The incarnation that wrote it.
    #[serde(default)]
    pub incarnation: Option<u64>,
    /// `stderr`, `log` (through a logger) or `runtime` (said of the agent by the runtime).
    pub stream: String,
    /// `debug`, `info`, `warning` or `error`.
    #[serde(default)]
    pub level: String,
    /// The line, without its end.
    pub text: String,
}

/// The answer to a request for past lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogList {
    /// The lines, the oldest first.
    pub lines: Vec<LogLine>,
}
