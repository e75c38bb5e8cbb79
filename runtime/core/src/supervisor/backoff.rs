//! The delay before a restart: grows, is capped, jitters, and forgets after good health.
//!
//! Intensity decides whether, backoff decides when. OTP has none; without a [`Backoff`] the
//! delay is nought.

use crate::spec::Backoff;
use crate::time::{Millis, Time};

/// How many failures in a row a child has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempts(u32);

impl Attempts {
    pub(super) const fn new() -> Self {
        Self(0)
    }

    /// The delay after one more failure. `up_since` is when the failed life became ready.
    pub(super) fn delay(
        &mut self,
        backoff: Option<&Backoff>,
        now: Time,
        up_since: Option<Time>,
        jitter: &mut Jitter,
    ) -> Millis {
        let Some(backoff) = backoff else {
            return Millis(0);
        };
        if up_since.is_some_and(|since| now - since >= backoff.reset_after) {
            self.0 = 0;
        }
        let delay = curve(backoff, self.0);
        self.0 = self.0.saturating_add(1);
        spread(delay, backoff.jitter, jitter.next_unit())
    }
}

/// `initial * factor^n`, at most `max`, in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "delays are far below 2^53 ms")]
fn curve(backoff: &Backoff, failures: u32) -> f64 {
    let exponent = i32::try_from(failures).unwrap_or(i32::MAX);
    let delay = backoff.initial.0 as f64 * backoff.factor.max(1.0).powi(exponent);
    delay.min(backoff.max.0 as f64)
}

/// The delay give or take its share of jitter. `unit` is in [0, 1).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and a negative or absent delay is nought"
)]
fn spread(delay: f64, jitter: f64, unit: f64) -> Millis {
    let share = jitter.clamp(0.0, 1.0) * 2.0f64.mul_add(unit, -1.0);
    Millis((delay * (1.0 + share)).round() as u64)
}

/// A small random source (splitmix64) whose seed the shell injects, so that decisions can be
/// repeated. Not for secrets.
#[derive(Clone, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn next_unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        initial: Millis(100),
        max: Millis(1000),
        factor: 2.0,
        jitter: 0.0,
        reset_after: Millis(60_000),
    };

    fn delays(backoff: &Backoff, count: usize) -> Vec<u64> {
        let (mut attempts, mut jitter) = (Attempts::new(), Jitter::new(1));
        (0..count)
            .map(|_| attempts.delay(Some(backoff), Time(0), None, &mut jitter).0)
            .collect()
    }

    #[test]
    fn grows_to_its_cap() {
        assert_eq!(delays(&BACKOFF, 6), [100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn a_thousand_failures_stay_at_the_cap() {
        assert_eq!(delays(&BACKOFF, 2000).last(), Some(&1000));
    }

    #[test]
    fn without_a_backoff_the_restart_is_at_once() {
        let (mut attempts, mut jitter) = (Attempts::new(), Jitter::new(1));
        assert_eq!(attempts.delay(None, Time(0), None, &mut jitter), Millis(0));
    }

    #[test]
    fn good_health_resets_it() {
        let (mut attempts, mut jitter) = (Attempts::new(), Jitter::new(1));
        let mut fail = |now, since| {
            attempts
                .delay(Some(&BACKOFF), Time(now), since, &mut jitter)
                .0
        };
        assert_eq!([fail(0, None), fail(1, Some(Time(0)))], [100, 200]);
        assert_eq!(fail(59_999, Some(Time(0))), 400);
        assert_eq!(fail(120_000, Some(Time(60_000))), 100);
    }

    #[test]
    fn jitter_spreads_within_its_share_and_repeats_by_seed() {
        let backoff = Backoff {
            jitter: 0.2,
            factor: 1.0,
            ..BACKOFF
        };
        let drawn = delays(&backoff, 500);
        assert!(drawn.iter().all(|delay| (80..=120).contains(delay)));
        let in_slice = |low: u64| drawn.iter().filter(|d| (low..low + 8).contains(*d)).count();
        assert!(
            (80..120).step_by(8).all(|low| in_slice(low) < 150),
            "spread evenly"
        );
        assert_eq!(drawn, delays(&backoff, 500));
    }
}
