//! The node's two clocks: core's milliseconds for decisions, RFC 3339 for people.

use std::time::Duration;

use synapse_core::time::Time;
use tokio::time::Instant;

/// Milliseconds since a node's start, on the clock that tests can pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    pub(crate) fn now(self) -> Time {
        Time(u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn instant(self, at: Time) -> Instant {
        self.origin + Duration::from_millis(at.0)
    }

    /// The other way round; what was before the start is the start.
    pub(crate) fn time(self, at: Instant) -> Time {
        let since = at.saturating_duration_since(self.origin);
        Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.origin.elapsed()
    }
}

/// Now, as RFC 3339 in UTC with milliseconds, e.g. `2026-11-20T09:41:50.123Z`.
pub(crate) fn timestamp() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
