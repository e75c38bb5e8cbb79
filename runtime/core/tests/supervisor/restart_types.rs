//! Restart type against exit reason: OTP's table.

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Restart, Strategy};
use synapse_core::supervisor::{Event, Reply, Request, RequestError};

use crate::bench::{Bench, crash, error, flags, with, worker};

const STRATEGIES: [Strategy; 3] = [
    Strategy::OneForOne,
    Strategy::OneForAll,
    Strategy::RestForOne,
];

/// What becomes of a child of this type that ends for this reason.
fn check(restart: Restart, reason: &ExitReason, expected: &str, which: &str, counts: [usize; 4]) {
    for strategy in STRATEGIES {
        let mut bench = Bench::up(flags(strategy, 2, 3_600_000), Vec::new());
        let started = bench.ask(Request::StartChild(with("a", restart)));
        assert_eq!(started, Some(Reply::Ok));
        bench.trace();
        bench.exit("a", reason.clone());
        let case = format!("{restart:?} {reason:?} {strategy:?}");
        assert_eq!(bench.trace(), expected, "{case}");
        assert_eq!((&*bench.which(), bench.counts()), (which, counts), "{case}");
    }
}

fn is_restarted(restart: Restart, reason: &ExitReason) {
    check(restart, reason, "+a2", "a:up", [1, 1, 0, 1]);
}

fn stays_down(restart: Restart, reason: &ExitReason) {
    check(restart, reason, "", "a:down", [1, 0, 0, 1]);
}

fn is_forgotten(reason: &ExitReason) {
    check(Restart::Temporary, reason, "forget(a)", "", [0, 0, 0, 0]);
}

fn shutdowns() -> [ExitReason; 2] {
    [
        ExitReason::Shutdown(None),
        ExitReason::Shutdown(Some("done".to_owned())),
    ]
}

/// Every reason that is a crash.
fn abnormal() -> Vec<ExitReason> {
    let text = || "why".to_owned();
    vec![
        ExitReason::Killed,
        ExitReason::Exited(1),
        ExitReason::Signalled(11),
        ExitReason::StartFailed(text()),
        ExitReason::Unresponsive(text()),
        ExitReason::ProtocolViolation(text()),
        ExitReason::OutOfMemory,
        ExitReason::Internal(text()),
        ExitReason::Error(text()),
    ]
}

#[test]
fn permanent_normal() {
    is_restarted(Restart::Permanent, &ExitReason::Normal);
}

#[test]
fn transient_normal() {
    stays_down(Restart::Transient, &ExitReason::Normal);
}

#[test]
fn temporary_normal() {
    is_forgotten(&ExitReason::Normal);
}

#[test]
fn permanent_shutdown() {
    for reason in &shutdowns() {
        is_restarted(Restart::Permanent, reason);
    }
}

#[test]
fn transient_shutdown() {
    for reason in &shutdowns() {
        stays_down(Restart::Transient, reason);
    }
    // And `restart_child` revives it.
    let mut bench = Bench::up(
        flags(Strategy::OneForOne, 2, 3_600_000),
        vec![with("a", Restart::Transient)],
    );
    for reason in shutdowns() {
        bench.exit("a", reason);
        assert_eq!(bench.which(), "a:down");
        let revived = bench.ask(Request::RestartChild("a".into()));
        assert_eq!(revived, Some(Reply::Ok));
    }
}

#[test]
fn temporary_shutdown() {
    for reason in &shutdowns() {
        is_forgotten(reason);
    }
}

#[test]
fn permanent_abnormal() {
    for reason in &abnormal() {
        is_restarted(Restart::Permanent, reason);
    }
}

#[test]
fn transient_abnormal() {
    for reason in &abnormal() {
        is_restarted(Restart::Transient, reason);
    }
}

#[test]
fn temporary_abnormal() {
    for reason in &abnormal() {
        is_forgotten(reason);
    }
}

#[test]
fn only_a_child_that_is_restarted_concerns_its_siblings() {
    let children = vec![worker("a"), with("b", Restart::Transient), worker("c")];
    let mut bench = Bench::up(flags(Strategy::OneForAll, 1, 1000), children);
    bench.exit("b", ExitReason::Normal);
    assert_eq!(bench.trace(), "");
}

#[test]
fn temporary_bystander() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let mut bench = Bench::up(flags(strategy, 2, 300_000), Vec::new());
        bench.ask(Request::StartChild(worker("a")));
        bench.ask(Request::StartChild(with("b", Restart::Temporary)));
        bench.trace();
        bench.exit("a", ExitReason::Normal);
        bench.wait(350);
        assert_eq!(bench.trace(), "-b1 forget(b) +a2", "and it is up");
        assert_eq!(bench.which(), "a:up");
    }
}

/// How a child ends in `do_not_save_child_specs_for_temporary_children`; `None` is on request.
fn endings() -> [Option<ExitReason>; 4] {
    [
        Some(ExitReason::Killed),
        Some(ExitReason::Normal),
        Some(crash()),
        None,
    ]
}

#[test]
fn do_not_save_child_specs_for_temporary_children() {
    for strategy in STRATEGIES {
        for ending in endings() {
            for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
                let mut bench = Bench::up(flags(strategy, 2, 3_600_000), Vec::new());
                let start = || Request::StartChild(with("a", restart));
                assert_eq!(bench.ask(start()), Some(Reply::Ok));
                match &ending {
                    Some(reason) => bench.exit("a", reason.clone()),
                    None => drop(bench.ask(Request::TerminateChild("a".into()))),
                }
                let clean = ending.as_ref().is_some_and(ExitReason::is_clean);
                let expected = match restart {
                    Restart::Temporary => Some(Reply::Ok),
                    Restart::Transient if clean => error(RequestError::AlreadyPresent),
                    _ if ending.is_none() => error(RequestError::AlreadyPresent),
                    _ => error(RequestError::AlreadyStarted),
                };
                assert_eq!(
                    bench.ask(start()),
                    expected,
                    "{strategy:?} {restart:?} {ending:?}"
                );
                if expected == error(RequestError::AlreadyPresent) {
                    let revived = bench.ask(Request::RestartChild("a".into()));
                    assert_eq!(revived, Some(Reply::Ok));
                }
            }
        }
    }
}

#[test]
fn each_crash_is_reported_with_the_four_keys() {
    let children = vec![worker("a"), with("b", Restart::Transient)];
    let mut bench = Bench::up(flags(Strategy::OneForOne, 1, 1000), children);
    bench.exit("b", ExitReason::Normal);
    assert!(bench.reports().is_empty(), "a clean end is no report");
    bench.exit("a", ExitReason::Exited(3));
    bench.exit("a", ExitReason::Normal);
    assert_eq!(
        bench.reports(),
        [
            "root child_terminated: a #1 exited with code 3",
            "root child_terminated: a #2 finished",
            "root shutdown: a #2 shut down: reached_max_restart_intensity",
        ]
    );
    bench.send(Event::Stop);
}
