//! What the gateway takes and how long it waits. Each has its reason.

use std::time::Duration;

/// Connections at once. Each costs a descriptor and, at most, a request in memory; the ones beyond
/// wait in the socket's backlog.
pub(crate) const CONNECTIONS_MAX: usize = 512;

/// Headers of a request. Clients of this API send three.
pub(crate) const HEADERS_MAX: usize = 64;

/// Bytes of a request's head, and of a read: a route and a few headers.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// For a request's head, and for the next request on an idle connection.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// For a request's body, which comes from the same machine.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Between comments on a stream where nothing happens: a third of what a client waits.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(15);

/// Bytes of events that are written at once when they are there at once.
pub(crate) const BATCH_BYTES: usize = 64 * 1024;

/// For connections to end when the gateway closes; then they are cut.
pub(crate) const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// Between tries to accept when the process has no descriptor left.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// For `status?wait=true` without a `timeout_ms`.
pub(crate) const SETTLE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// The longest that a caller may ask for, in any `timeout_ms`: a day.
pub(crate) const TIMEOUT_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// Lines or events without a `tail`: what a screen or two hold.
pub(crate) const TAIL_DEFAULT: usize = 100;

/// Lines or events at most: more than the node keeps.
pub(crate) const TAIL_MAX: usize = 10_000;

/// Names and globs of one action.
pub(crate) const TARGETS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use synapse_api::limits::REQUEST_BYTES_MAX;

    use super::*;

    #[test]
    fn the_reference_has_the_limits_as_they_are() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(root.join("../../docs/control-api.md")).unwrap();
        let head = HEAD_TIMEOUT.as_secs();
        for part in [
            format!("| connections at once | {CONNECTIONS_MAX} |"),
            format!(
                "{HEADERS_MAX} headers, {} KiB, within {head} s |",
                HEAD_BYTES_MAX / 1024
            ),
            format!("| idle connection | {head} s |"),
            format!(
                "{} MiB, within {} s |",
                REQUEST_BYTES_MAX >> 20,
                BODY_TIMEOUT.as_secs()
            ),
            format!(
                "| `targets` of an action | {} |",
                thousands(TARGETS_MAX as u64)
            ),
            format!("| `tail` | {} |", thousands(TAIL_MAX as u64)),
            format!("| `timeout_ms` | {} (a day) |", thousands(TIMEOUT_MS_MAX)),
            format!("comes after {} s without an event", PING_INTERVAL.as_secs()),
            format!(
                "`timeout_ms` (default {})",
                SETTLE_TIMEOUT_DEFAULT.as_millis()
            ),
            format!("default {TAIL_DEFAULT})"),
        ] {
            assert!(text.contains(&part), "not in the reference: {part}");
        }
    }

    fn thousands(number: u64) -> String {
        let (more, last) = (number / 1000, number % 1000);
        match more {
            0 => last.to_string(),
            _ => format!("{},{last:03}", thousands(more)),
        }
    }
}
