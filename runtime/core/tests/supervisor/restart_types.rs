//! Restart type against exit reason: OTP's table.

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Restart, Strategy};
use synapse_core::supervisor::{Event, Reply, Request, RequestError};

use crate::bench::{Bench, flags, with, worker};

/// What becomes of a child of this type that ends for this reason.
fn check(restart: Restart, reason: &ExitReason, expected: &str) {
    for strategy in [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ] {
        let children = vec![with("a", restart)];
        let mut bench = Bench::up(flags(strategy, 1, 1000), children);
        bench.exit("a", reason.clone());
        assert_eq!(
            bench.trace(),
            expected,
            "{restart:?} {reason:?} {strategy:?}"
        );
    }
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
    check(Restart::Permanent, &ExitReason::Normal, "+a2");
}

#[test]
fn transient_normal() {
    check(Restart::Transient, &ExitReason::Normal, "");
}

#[test]
fn temporary_normal() {
    check(Restart::Temporary, &ExitReason::Normal, "forget(a)");
}

#[test]
fn permanent_shutdown() {
    shutdowns()
        .iter()
        .for_each(|reason| check(Restart::Permanent, reason, "+a2"));
}

#[test]
fn transient_shutdown() {
    shutdowns()
        .iter()
        .for_each(|reason| check(Restart::Transient, reason, ""));
}

#[test]
fn temporary_shutdown() {
    shutdowns()
        .iter()
        .for_each(|reason| check(Restart::Temporary, reason, "forget(a)"));
}

#[test]
fn permanent_abnormal() {
    abnormal()
        .iter()
        .for_each(|reason| check(Restart::Permanent, reason, "+a2"));
}

#[test]
fn transient_abnormal() {
    abnormal()
        .iter()
        .for_each(|reason| check(Restart::Transient, reason, "+a2"));
}

#[test]
fn temporary_abnormal() {
    abnormal()
        .iter()
        .for_each(|reason| check(Restart::Temporary, reason, "forget(a)"));
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
        let children = vec![worker("a"), with("b", Restart::Temporary), worker("c")];
        let mut bench = Bench::up(flags(strategy, 1, 1000), children);
        bench.exit("a", ExitReason::Normal);
        assert_eq!(bench.trace(), "-c1 -b1 forget(b) +a2 +c2");
    }
}

#[test]
fn do_not_save_child_specs_for_temporary_children() {
    let mut bench = Bench::up(flags(Strategy::OneForOne, 1, 1000), Vec::new());
    for restart in [Restart::Temporary, Restart::Transient] {
        let start = || Request::StartChild(with("a", restart));
        assert_eq!(bench.ask(start()), Some(Reply::Ok));
        bench.exit("a", ExitReason::Normal);
        let again = match restart {
            Restart::Temporary => Some(Reply::Ok),
            _ => Some(Reply::Error(RequestError::AlreadyPresent)),
        };
        assert_eq!(bench.ask(start()), again);
        bench.ask(Request::TerminateChild("a".into()));
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
