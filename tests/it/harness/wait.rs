//! Waiting for a condition of another process: level-triggered, with a deadline, and with the last
//! thing that was seen when it ends in vain.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

/// The longest that any condition may take on a busy machine; most take milliseconds.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// How often a condition is looked at that nothing announces.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until there is something to see. `Err` says what there is instead.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Result<T, String>) -> T {
    wait_within(what, DEADLINE, look)
}

/// What a wait looks for when it is a yes or a no; `seen` is told where it is a no.
pub(crate) fn holds(condition: bool, seen: impl Display) -> Result<(), String> {
    if condition {
        Ok(())
    } else {
        Err(seen.to_string())
    }
}

/// The same, for what must come soon.
#[track_caller]
pub(crate) fn wait_within<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        let seen = match look() {
            Ok(value) => return value,
            Err(seen) => seen,
        };
        assert!(
            Instant::now() < deadline,
            "waited {within:?} for {what}; last seen: {seen}"
        );
        std::thread::park_timeout(PAUSE);
    }
}
