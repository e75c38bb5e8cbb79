//! How long calls took, counted in buckets: what a bench remembers does not grow with its calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets for each doubling of a time: none is wider than a 512th of the times in it.
const BUCKETS_PER_DOUBLING: usize = 1 << PRECISION_BITS;
const PRECISION_BITS: u32 = 9;
/// Times from 2^44 ns on, which is five hours, share the last bucket.
const NANOS_BITS_MAX: u32 = 44;
const BUCKETS: usize = (NANOS_BITS_MAX - PRECISION_BITS + 1) as usize * BUCKETS_PER_DOUBLING;

/// A histogram that many tasks count into.
#[derive(Debug)]
pub(super) struct Times {
    counts: Box<[AtomicU64]>,
}

impl Times {
    pub(super) fn new() -> Self {
        let counts = std::iter::repeat_with(AtomicU64::default);
        Self {
            counts: counts.take(BUCKETS).collect(),
        }
    }

    pub(super) fn add(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get(bucket(nanos)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The time that `percent` of the calls did not exceed, in microseconds.
    pub(super) fn percentile_us(&self, percent: u64) -> f64 {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let all: u64 = self.counts.iter().map(count).sum();
        let mut below = all.saturating_sub(1) * percent / 100;
        for (bucket, here) in self.counts.iter().map(count).enumerate() {
            if below < here {
                return middle_us(bucket);
            }
            below -= here;
        }
        f64::NAN
    }
}

/// Single nanoseconds first; then each doubling in equal parts.
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min((1 << NANOS_BITS_MAX) - 1);
    let doublings = (nanos.max(1).ilog2() + 1).saturating_sub(PRECISION_BITS + 1);
    let within = usize::try_from(nanos >> doublings).unwrap_or(BUCKETS);
    doublings as usize * BUCKETS_PER_DOUBLING + within
}

fn middle_us(bucket: usize) -> f64 {
    let doublings = (bucket / BUCKETS_PER_DOUBLING).saturating_sub(1);
    let within = bucket - doublings * BUCKETS_PER_DOUBLING;
    let width = Duration::from_nanos(1 << doublings).as_secs_f64() * 1e6;
    #[expect(clippy::cast_precision_loss, reason = "a bucket's number is small")]
    let within = within as f64;
    (within + 0.5 * f64::from(u8::from(doublings > 0))) * width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_512th_of_the_times() {
        let times = Times::new();
        let nanos: Vec<u64> = (1..=1_000_000).map(|step| step * 37).collect();
        nanos
            .iter()
            .for_each(|nanos| times.add(Duration::from_nanos(*nanos)));
        for percent in [1, 50, 99, 100] {
            let at = (nanos.len() - 1) * usize::try_from(percent).unwrap() / 100;
            let exact = Duration::from_nanos(nanos[at]).as_secs_f64() * 1e6;
            let found = times.percentile_us(percent);
            assert!((found / exact - 1.0).abs() < 1.0 / 512.0, "{found} {exact}");
        }
    }

    #[test]
    fn every_time_has_a_bucket_and_longer_ones_no_earlier_one() {
        let mut before = 0;
        for nanos in (0..64).flat_map(|bits| [(1 << bits) - 1, 1 << bits]) {
            let bucket = bucket(nanos);
            assert!(bucket < BUCKETS && bucket >= before, "{nanos} ns: {bucket}");
            before = bucket;
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn no_times_have_no_percentile() {
        assert!(Times::new().percentile_us(50).is_nan());
    }
}
