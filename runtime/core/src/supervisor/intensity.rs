//! OTP's restart intensity: how many restarts fit into the period before a supervisor gives up.

use std::collections::VecDeque;

use crate::time::{Millis, Time};

/// The largest intensity that is told apart from a larger one, so that the memory of a
/// supervisor that restarts for ever is bounded: 100,000 times 8 bytes.
pub const INTENSITY_MAX: u32 = 100_000;

/// The restarts of one supervisor; shared by all its children (OTP's `add_restart`).
///
/// A restart exactly one period old still counts. OTP counts whole seconds, so its window is
/// between one period and one period and a second; this one is exact.
#[derive(Clone, Debug)]
pub struct Intensity {
    allowed: u32,
    period: Millis,
    at: VecDeque<Time>,
}

impl Intensity {
    /// Allows `allowed` restarts within `period`.
    #[must_use]
    pub fn new(allowed: u32, period: Millis) -> Self {
        Self {
            allowed: allowed.min(INTENSITY_MAX),
            period,
            at: VecDeque::new(),
        }
    }

    /// Changes the limits; restarts that have happened still count.
    pub(super) fn set(&mut self, allowed: u32, period: Millis) {
        self.allowed = allowed.min(INTENSITY_MAX);
        self.period = period;
    }

    /// Counts a restart and says whether it is allowed.
    #[must_use = "a restart that is not allowed ends the supervisor"]
    pub fn add(&mut self, now: Time) -> bool {
        while self.at.front().is_some_and(|at| self.is_over(*at, now)) {
            self.at.pop_front();
        }
        self.at.push_back(now);
        self.at.len() <= self.allowed as usize
    }

    /// Restarts that count at this time.
    #[must_use]
    pub fn restarts(&self, now: Time) -> u32 {
        let none_over = self.at.front().is_none_or(|at| !self.is_over(*at, now));
        let over = if none_over {
            0 // always so right behind `add`
        } else {
            self.at.partition_point(|at| self.is_over(*at, now))
        };
        u32::try_from(self.at.len() - over).unwrap_or(u32::MAX)
    }

    /// How many are allowed.
    #[must_use]
    pub const fn allowed(&self) -> u32 {
        self.allowed
    }

    /// The window.
    #[must_use]
    pub const fn period(&self) -> Millis {
        self.period
    }

    fn is_over(&self, at: Time, now: Time) -> bool {
        at + self.period < now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(allowed: u32, period: u64, at: &[u64]) -> Vec<bool> {
        let mut intensity = Intensity::new(allowed, Millis(period));
        at.iter().map(|at| intensity.add(Time(*at))).collect()
    }

    #[test]
    fn window_is_inclusive_to_the_millisecond() {
        assert_eq!(verdicts(1, 1000, &[0, 999]), [true, false]);
        assert_eq!(verdicts(1, 1000, &[0, 1000]), [true, false]);
        assert_eq!(verdicts(1, 1000, &[0, 1001]), [true, true]);
    }

    #[test]
    fn intensity_zero_forbids_the_first_restart() {
        assert_eq!(verdicts(0, 5000, &[7]), [false]);
    }

    #[test]
    fn multiple_restarts_spaced_over_the_period_never_trip() {
        assert_eq!(verdicts(1, 1000, &[0, 1100, 2200, 3300]), [true; 4]);
    }

    #[test]
    fn a_clock_near_its_end_does_not_overflow() {
        assert_eq!(
            verdicts(1, u64::MAX, &[u64::MAX - 1, u64::MAX]),
            [true, false]
        );
    }

    #[test]
    fn status_counts_without_a_new_restart() {
        let mut intensity = Intensity::new(5, Millis(100));
        assert!(intensity.add(Time(0)) && intensity.add(Time(50)));
        assert_eq!(
            [100, 101, 151].map(|at| intensity.restarts(Time(at))),
            [2, 1, 0]
        );
    }
}
