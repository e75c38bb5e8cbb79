//! The crate's own time: a number of milliseconds that the shell passes in. Knows no clock.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A point on the shell's monotonic clock, in milliseconds since an origin of its choice.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub u64);

/// A span of time in whole milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Millis(pub u64);

impl Millis {
    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }
}

impl fmt::Display for Millis {
    /// For people: `9 ms`, `1.2 s`, `41 s`, `3 min`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms @ 0..1_000 => write!(formatter, "{ms} ms"),
            ms @ 1_000..10_000 => write!(formatter, "{}.{} s", ms / 1_000, ms % 1_000 / 100),
            ms @ 10_000..120_000 => write!(formatter, "{} s", ms / 1_000),
            ms @ 120_000..7_200_000 => write!(formatter, "{} min", ms / 60_000),
            ms => write!(formatter, "{} h", ms / 3_600_000),
        }
    }
}

impl From<Millis> for std::time::Duration {
    fn from(span: Millis) -> Self {
        Self::from_millis(span.0)
    }
}

impl Add<Millis> for Time {
    type Output = Self;

    fn add(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub for Time {
    type Output = Millis;

    fn sub(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}
