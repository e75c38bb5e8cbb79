//! How long the client waits, and how much it takes.

use std::time::Duration;

/// For the socket to accept. A Unix socket accepts in microseconds; seconds mean that the node's
/// backlog is full.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// For requests that the node answers from memory.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// For actions: they take agent after agent, and the node bounds each by the agent's own times.
pub const ACTION_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// More than a deadline that the node keeps itself, so that its answer comes before ours.
pub const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// For a run without a deadline of the caller's: the agent's own `call_timeout` ends it long before.
pub const RUN_WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Without a byte on an event stream: three of the node's pings, so it is gone or stopped.
pub const STREAM_SILENCE_MAX: Duration = Duration::from_secs(45);

/// Bytes of a request's body: the longest frame of an agent (16 MiB) and a margin for the fields
/// around the input. The gateway takes no more.
pub const REQUEST_BYTES_MAX: usize = 17 * 1024 * 1024;

/// Bytes of an answer: the longest frame of an agent (16 MiB), each byte of which JSON may escape
/// to six, and its margin.
pub const ANSWER_BYTES_MAX: usize = 97 * 1024 * 1024;

/// The wait for a run whose caller gives it this long.
pub(super) fn run_wait(timeout_ms: Option<u64>) -> Duration {
    timeout_ms.map_or(RUN_WAIT_MAX, |timeout| {
        Duration::from_millis(timeout)
            .saturating_add(ANSWER_MARGIN)
            .min(RUN_WAIT_MAX)
    })
}
