use super::suspects::{EVIDENCE_MAX, MEMORY, SUSPECTS_MAX};
use super::*;
use crate::time::Time;

const ONCE: CrashSpec = CrashSpec {
    idempotent: false,
    retry_on_crash: 0,
    poison_after: 3,
};
const TWICE_MORE: CrashSpec = CrashSpec {
    idempotent: true,
    retry_on_crash: 2,
    poison_after: 3,
};

/// The first crash of a run that a tool has left its mark of, with its caller waiting.
const SEEN: Seen = Seen {
    ending: Ending::Crashed,
    outcome: Outcome::Unknown,
    wanted: true,
    read: false,
    crashes: 1,
    deaths: 1,
    blame: Blame::Alone,
};
const TOLD_NO: Fate = Fate::Answered { retryable: false };
const TOLD_YES: Fate = Fate::Answered { retryable: true };

const NOT_STARTED: Seen = Seen {
    outcome: Outcome::NotStarted,
    blame: Blame::None,
    crashes: 0,
    deaths: 0,
    ..SEEN
};
const NO_EFFECT: Seen = Seen {
    outcome: Outcome::NoEffect,
    ..SEEN
};
const TOLD: Seen = Seen {
    ending: Ending::Told,
    blame: Blame::None,
    deaths: 0,
    ..SEEN
};

const fn told(seen: Seen) -> Seen {
    Seen {
        ending: Ending::Told,
        ..seen
    }
}

const fn gone(seen: Seen) -> Seen {
    Seen {
        wanted: false,
        ..seen
    }
}

const fn deaths(deaths: u32, blame: Blame) -> Seen {
    Seen {
        deaths,
        blame,
        ..SEEN
    }
}

fn check(rows: &[(&str, Seen, CrashSpec, Fate)]) {
    for (name, seen, spec, expected) in rows {
        assert_eq!(fate(seen, spec), *expected, "{name}");
    }
}

#[test]
fn what_had_not_begun_waits_and_what_had_is_told_what_is_known() {
    check(&[
        ("not begun", NOT_STARTED, ONCE, Fate::Waits),
        (
            "not begun, idempotent",
            NOT_STARTED,
            TWICE_MORE,
            Fate::Waits,
        ),
        ("not begun, told", told(NOT_STARTED), ONCE, Fate::Waits),
        ("not begun, gone", gone(NOT_STARTED), ONCE, Fate::Forgotten),
        ("no tool ran", NO_EFFECT, ONCE, TOLD_YES),
        ("a tool ran", SEEN, ONCE, TOLD_NO),
        ("told to stop", TOLD, TWICE_MORE, TOLD_NO),
        ("told to stop, no tool", told(NO_EFFECT), ONCE, TOLD_NO),
    ]);
}

#[test]
fn an_idempotent_call_is_executed_again_as_long_as_somebody_wants_it() {
    let killed = Seen {
        ending: Ending::Killed,
        ..SEEN
    };
    let last = Seen { crashes: 2, ..SEEN };
    let spent = Seen { crashes: 3, ..SEEN };
    let read = Seen { read: true, ..SEEN };
    check(&[
        ("first crash", SEEN, TWICE_MORE, Fate::Again),
        ("killed by hand", killed, TWICE_MORE, Fate::Again),
        ("last try left", last, TWICE_MORE, Fate::Again),
        ("no try left", spent, TWICE_MORE, TOLD_YES),
        ("partly read", read, TWICE_MORE, TOLD_YES),
        ("caller gone", gone(SEEN), TWICE_MORE, Fate::Forgotten),
    ]);
}

#[test]
fn only_a_death_alone_condemns() {
    let never = CrashSpec {
        poison_after: 0,
        ..ONCE
    };
    let third = deaths(3, Blame::Alone);
    let beside = deaths(3, Blame::Shared);
    let not_its_own = deaths(3, Blame::None);
    check(&[
        ("third alone", third, TWICE_MORE, Fate::DeadLetter),
        ("third alone, gone", gone(third), ONCE, Fate::DeadLetter),
        ("second alone", deaths(2, Blame::Alone), ONCE, TOLD_NO),
        ("third beside others", beside, ONCE, TOLD_NO),
        ("third, not its own", not_its_own, ONCE, TOLD_NO),
        ("never poison", deaths(300, Blame::Alone), never, TOLD_NO),
    ]);
}

#[test]
fn nothing_that_began_is_executed_again_without_its_authors_word() {
    for seen in every_seen() {
        if seen.outcome == Outcome::NotStarted {
            continue;
        }
        let fate = fate(
            &seen,
            &CrashSpec {
                retry_on_crash: 9,
                ..ONCE
            },
        );
        assert_ne!(fate, Fate::Again, "{seen:?}");
        assert_ne!(fate, Fate::Waits, "{seen:?}");
    }
}

#[test]
fn a_retry_is_only_promised_where_it_does_nothing_twice() {
    for seen in every_seen() {
        if fate(&seen, &ONCE) == TOLD_YES {
            assert_eq!(seen.outcome, Outcome::NoEffect, "{seen:?}");
        }
    }
}

#[test]
fn whoever_is_gone_is_never_executed_and_never_answered() {
    for seen in every_seen().into_iter().filter(|seen| !seen.wanted) {
        let fate = fate(&seen, &TWICE_MORE);
        assert!(
            matches!(fate, Fate::Forgotten | Fate::DeadLetter),
            "{seen:?}: {fate:?}"
        );
    }
}

fn every_seen() -> Vec<Seen> {
    let mut all = Vec::new();
    for ending in [Ending::Told, Ending::Killed, Ending::Crashed] {
        for outcome in [Outcome::NotStarted, Outcome::NoEffect, Outcome::Unknown] {
            for blame in [Blame::None, Blame::Shared, Blame::Alone] {
                for flags in 0..4 {
                    for count in 0..5 {
                        all.push(Seen {
                            ending,
                            outcome,
                            blame,
                            wanted: flags & 1 == 0,
                            read: flags & 2 == 0,
                            crashes: count,
                            deaths: count,
                        });
                    }
                }
            }
        }
    }
    all
}

#[test]
fn an_end_that_somebody_wanted_is_no_runs_fault() {
    let rows = [
        (ExitReason::Shutdown(None), false, Ending::Told),
        (ExitReason::Shutdown(None), true, Ending::Told),
        (ExitReason::Killed, false, Ending::Killed),
        (ExitReason::Signalled(9), true, Ending::Killed),
        (ExitReason::Signalled(9), false, Ending::Crashed),
        (ExitReason::Normal, false, Ending::Crashed),
        (ExitReason::Exited(1), false, Ending::Crashed),
        (ExitReason::OutOfMemory, false, Ending::Crashed),
        (
            ExitReason::Unresponsive(String::new()),
            false,
            Ending::Crashed,
        ),
        (ExitReason::Internal(String::new()), false, Ending::Killed),
    ];
    for (reason, by_hand, expected) in rows {
        assert_eq!(
            Ending::of(&reason, by_hand),
            expected,
            "{reason:?} {by_hand}"
        );
    }
    assert_eq!(Blame::of(Ending::Crashed, 1, None), Blame::Alone);
    assert_eq!(Blame::of(Ending::Crashed, 2, None), Blame::Shared);
    assert_eq!(Blame::of(Ending::Crashed, 2, Some(true)), Blame::Alone);
    assert_eq!(Blame::of(Ending::Crashed, 1, Some(false)), Blame::None);
    assert_eq!(Blame::of(Ending::Killed, 1, None), Blame::None);
}

#[test]
fn a_suspect_runs_alone_when_its_next_death_would_condemn_it() {
    let standings = |poison_after| {
        let spec = CrashSpec {
            poison_after,
            ..ONCE
        };
        let mut suspects = Suspects::default();
        let mut seen = vec![suspects.standing(1, &spec, Time(0))];
        for death in 1..4 {
            assert_eq!(
                suspects.died(1, (), Time(death)),
                u32::try_from(death).unwrap()
            );
            seen.push(suspects.standing(1, &spec, Time(death)));
        }
        seen
    };
    use Standing::{Alone, Free};
    assert_eq!(standings(3), [Free, Free, Alone, Alone]);
    assert_eq!(standings(2), [Free, Alone, Alone, Alone]);
    assert_eq!(standings(1), [Free, Alone, Alone, Alone]);
    assert_eq!(standings(0), [Free, Free, Free, Free]);
}

#[test]
fn of_two_that_died_together_the_guilty_one_is_found() {
    let (guilty, innocent) = (1, 2);
    let mut suspects = Suspects::default();
    for at in 0..2 {
        suspects.died(guilty, "both", Time(at));
        suspects.died(innocent, "both", Time(at));
    }
    assert_eq!(suspects.standing(innocent, &ONCE, Time(2)), Standing::Alone);
    suspects.survived(innocent);
    assert_eq!(suspects.standing(innocent, &ONCE, Time(3)), Standing::Free);
    assert_eq!(suspects.died(guilty, "alone", Time(4)), 3);
    assert_eq!(suspects.condemn(guilty, 7), ["both", "both", "alone"]);
    assert_eq!(
        suspects.standing(guilty, &ONCE, Time(5)),
        Standing::Condemned(7)
    );
    suspects.parole(guilty, &ONCE, Time(6));
    assert_eq!(suspects.standing(guilty, &ONCE, Time(7)), Standing::Alone);
    assert_eq!(suspects.died(guilty, "again", Time(8)), 3);
    suspects.condemn(guilty, 7);
    suspects.pardon(7);
    assert!(suspects.is_empty());
}

#[test]
fn deaths_are_forgotten_in_time_and_in_number() {
    let mut suspects = Suspects::default();
    suspects.died(1, (), Time(0));
    suspects.died(1, (), Time(1));
    let late = Time(1) + MEMORY;
    assert_eq!(
        suspects.standing(1, &ONCE, Time(late.0 - 1)),
        Standing::Alone
    );
    assert_eq!(suspects.standing(1, &ONCE, late), Standing::Free);
    assert_eq!(suspects.died(1, (), late), 1);
    let mut suspects = Suspects::default();
    for call in 0..=u64::try_from(SUSPECTS_MAX).unwrap() {
        for _ in 0..2 {
            suspects.died(call, (), Time(call));
        }
    }
    assert_eq!(suspects.standing(0, &ONCE, Time(5)), Standing::Free);
    assert_eq!(suspects.standing(1, &ONCE, Time(5)), Standing::Alone);
    for _ in 0..10 {
        suspects.died(1, (), Time(5));
    }
    assert_eq!(suspects.condemn(1, 1).len(), EVIDENCE_MAX);
}
