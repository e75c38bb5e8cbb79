//! `backoff`: the delay before a restart, and whether it leaves its supervisor able to give up.

use synapse_core::spec::Backoff;
use synapse_core::time::Millis;

use crate::element::{Duration, Factor, Share};
use crate::key::Spanned;
use crate::problem::{Problem, Problems};
use crate::raw::RawBackoff;

const INITIAL: Millis = Millis(100);
const MAX: Millis = Millis::from_secs(30);
const FACTOR: f64 = 2.0;
const JITTER: f64 = 0.2;
const RESET_AFTER: Millis = Millis::from_secs(60);

/// Delays that are added up one by one; the rest count as no longer than the last of these.
const STEPS_MAX: u32 = 1000;

pub(crate) fn resolve(raw: &RawBackoff) -> Backoff {
    Backoff {
        initial: raw.initial.or(Duration(INITIAL)).0,
        max: raw.max.or(Duration(MAX)).0,
        factor: raw.factor.or(Factor(FACTOR)).0,
        jitter: raw.jitter.or(Share(JITTER)).0,
        reset_after: raw.reset_after.or(Duration(RESET_AFTER)).0,
    }
}

pub(crate) fn check(raw: &Spanned<RawBackoff>, path: &str, problems: &mut Problems) {
    let backoff = resolve(&raw.value);
    if backoff.initial <= backoff.max {
        return;
    }
    let key = format!("{path}.initial");
    let problem = Problem::error(&key, format!("`{key}` is longer than `max`"));
    let initial = raw
        .value
        .initial
        .given()
        .map_or(&raw.span, |given| &given.span);
    let problem = problem.at(initial.clone(), "the first delay");
    problems.push(match raw.value.max.given() {
        Some(max) => problem.at(max.span.clone(), "the longest delay"),
        None => problem.help("`max` is \"30s\" by default"),
    });
}

/// Whether `intensity` restarts take at least the whole period by their delays alone, so that the
/// supervisor of a child that fails at once never gives up.
pub(crate) fn outruns(backoff: &Backoff, intensity: u32, period: Millis) -> bool {
    let mut delay = shortest(backoff.initial, backoff.jitter);
    let longest = shortest(backoff.max, backoff.jitter);
    let mut sum = 0.0;
    let period = shortest(period, 0.0);
    for _ in 0..intensity.min(STEPS_MAX) {
        sum += delay.min(longest);
        delay *= backoff.factor;
    }
    sum += f64::from(intensity.saturating_sub(STEPS_MAX)) * delay.min(longest);
    intensity > 0 && sum >= period
}

/// Seconds, less all that jitter may take away.
fn shortest(span: Millis, jitter: f64) -> f64 {
    std::time::Duration::from(span).as_secs_f64() * (1.0 - jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(initial: u64, max: u64, factor: f64, jitter: f64) -> Backoff {
        Backoff {
            initial: Millis(initial),
            max: Millis(max),
            factor,
            jitter,
            reset_after: RESET_AFTER,
        }
    }

    #[test]
    fn a_backoff_outruns_the_window_when_its_delays_fill_it() {
        let period = Millis(5000);
        assert!(outruns(&backoff(2000, 2000, 1.0, 0.0), 3, period));
        assert!(!outruns(&backoff(100, 30_000, 2.0, 0.0), 3, period));
        assert!(outruns(&backoff(1000, 30_000, 2.0, 0.0), 3, period));
        assert!(!outruns(&backoff(1000, 30_000, 2.0, 0.5), 3, period));
    }

    #[test]
    fn without_restarts_there_is_nothing_to_outrun() {
        assert!(!outruns(
            &backoff(60_000, 60_000, 1.0, 0.0),
            0,
            Millis(5000)
        ));
    }

    #[test]
    fn a_huge_intensity_is_added_up_in_bounded_time() {
        assert!(outruns(&backoff(1, 1, 1.0, 0.0), 10_000, Millis(5000)));
        assert!(!outruns(&backoff(1, 1, 1.0, 0.0), 10_000, Millis(50_000)));
    }
}
