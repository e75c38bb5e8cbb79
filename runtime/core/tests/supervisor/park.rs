//! `on_exhausted = park`: each child has its own budget, and only who exhausts it stays down. An
//! addition to OTP.

use synapse_core::exit::ExitReason;
use synapse_core::spec::{AutoShutdown, Backoff, OnExhausted, Restart, Strategy};
use synapse_core::supervisor::{
    Action, ChildSpec, ChildState, CodeChange, Event, Flags, Reply, Request, RequestError,
    SpecError, Supervisor, WhyDown,
};
use synapse_core::time::Millis;

use crate::bench::{Bench, Machine, crash, flags, with, worker, workers};

fn parking(intensity: u32) -> Flags {
    Flags {
        on_exhausted: OnExhausted::Park,
        ..flags(Strategy::OneForOne, intensity, 5000)
    }
}

fn state(bench: &Bench, id: &str) -> ChildState {
    let Machine::Static(machine) = &bench.machine else {
        panic!("not static")
    };
    let mut children = machine.children();
    children
        .find(|child| child.id.as_str() == id)
        .unwrap()
        .state
}

fn restarts(bench: &Bench) -> u32 {
    let Machine::Static(machine) = &bench.machine else {
        panic!("not static")
    };
    machine.restarts_in_period(bench.now)
}

fn exhaust(bench: &mut Bench, id: &str, intensity: u32) {
    for _ in 0..=intensity {
        bench.exit(id, crash());
    }
}

#[test]
fn the_child_that_exhausts_its_budget_stays_down_and_its_siblings_live() {
    let mut bench = Bench::up(parking(2), workers("a b c"));
    exhaust(&mut bench, "b", 2);
    assert_eq!(state(&bench, "b"), ChildState::Parked);
    assert_eq!(
        [state(&bench, "a"), state(&bench, "c")],
        [ChildState::Up; 2]
    );
    let down = bench.log.iter().find_map(|action| match action {
        Action::StaysDown {
            child,
            incarnation,
            reason,
            why,
        } => Some((child.to_string(), *incarnation, reason.clone(), *why)),
        _ => None,
    });
    assert_eq!(down, Some(("b".to_owned(), 3, crash(), WhyDown::Parked)));
    assert_eq!(bench.trace(), "+b2 +b3");
}

#[test]
fn it_is_reported_once_with_a_context_of_its_own() {
    let mut bench = Bench::up(parking(0), workers("a b"));
    bench.exit("b", crash());
    assert_eq!(
        bench.reports(),
        [
            "root child_terminated: b #1 crash",
            "root parked: b #1 shut down: reached_max_restart_intensity",
        ]
    );
}

#[test]
fn budgets_are_not_shared() {
    let mut bench = Bench::up(parking(2), workers("a b c"));
    for id in ["a", "b", "c", "a", "b", "c"] {
        bench.exit(id, crash());
    }
    assert_eq!(restarts(&bench), 2, "of the child that has most");
    assert_eq!(bench.trace(), "+a2 +b2 +c2 +a3 +b3 +c3");
    assert_eq!(
        ["a", "b", "c"].map(|id| state(&bench, id)),
        [ChildState::Up; 3]
    );
}

#[test]
fn restarts_spaced_over_the_period_never_park() {
    let mut bench = Bench::up(parking(1), workers("a"));
    for _ in 0..5 {
        bench.exit("a", crash());
        bench.wait(5001);
    }
    assert_eq!(bench.trace(), "+a2 +a3 +a4 +a5 +a6");
}

#[test]
fn a_start_revives_it_with_a_fresh_budget() {
    for revive in [
        Request::OperatorStart,
        Request::RestartChild,
        Request::OperatorRestart,
    ] {
        let mut bench = Bench::up(parking(1), workers("a b"));
        exhaust(&mut bench, "a", 1);
        assert_eq!(bench.ask(revive("a".into())), Some(Reply::Ok));
        assert_eq!(state(&bench, "a"), ChildState::Up);
        bench.exit("a", crash());
        assert_eq!(
            state(&bench, "a"),
            ChildState::Up,
            "one restart is allowed again"
        );
        bench.exit("a", crash());
        assert_eq!(state(&bench, "a"), ChildState::Parked);
        assert_eq!(bench.trace(), "+a2 +a3 +a4");
    }
}

#[test]
fn a_start_that_fails_leaves_it_down() {
    let mut bench = Bench::up(parking(0), workers("a b"));
    bench.exit("a", crash());
    bench.fail("a", 1);
    let reply = bench.ask(Request::OperatorStart("a".into()));
    assert!(
        matches!(reply, Some(Reply::Error(RequestError::StartFailed(_)))),
        "{reply:?}"
    );
    assert_eq!(state(&bench, "a"), ChildState::Down);
    assert_eq!(
        bench.ask(Request::OperatorStart("a".into())),
        Some(Reply::Ok)
    );
    assert_eq!(bench.trace(), "+a2 +a3");
}

#[test]
fn its_backoff_begins_anew_too() {
    let backoff = Backoff {
        initial: Millis(100),
        max: Millis(10_000),
        factor: 10.0,
        jitter: 0.0,
        reset_after: Millis(60_000),
    };
    let slow = ChildSpec {
        backoff: Some(backoff),
        ..worker("a")
    };
    let mut bench = Bench::up(parking(2), vec![slow]);
    for wait in [100, 1000] {
        bench.exit("a", crash());
        bench.wait(wait);
    }
    bench.exit("a", crash());
    assert_eq!(state(&bench, "a"), ChildState::Parked);
    bench.ask(Request::OperatorStart("a".into()));
    bench.exit("a", crash());
    bench.wait(99);
    assert_eq!(state(&bench, "a"), ChildState::Restarting);
    bench.wait(1);
    assert_eq!(state(&bench, "a"), ChildState::Up);
}

#[test]
fn failed_restarts_count_against_the_childs_budget() {
    let mut bench = Bench::up(parking(3), workers("a b"));
    bench.fail("a", 9);
    bench.exit("a", crash());
    assert_eq!(state(&bench, "a"), ChildState::Parked);
    assert_eq!(bench.trace(), "+a2 +a3 +a4");
}

#[test]
fn a_first_start_that_fails_stops_the_supervisor_all_the_same() {
    let mut bench = Bench::new(parking(3), workers("a b"));
    bench.fail("b", 1);
    bench.send(Event::Start);
    assert_eq!(bench.trace(), "+a1 +b1 -a1 start_failed(b: boom)");
}

#[test]
fn a_parked_child_does_not_keep_its_supervisor_from_coming_up() {
    let mut bench = Bench::new(parking(0), workers("a b"));
    bench.hang("b");
    bench.send(Event::Start);
    bench.exit("a", crash());
    assert_eq!(state(&bench, "a"), ChildState::Parked);
    bench.send(Event::ChildStarted {
        child: "b".into(),
        incarnation: 1,
    });
    assert_eq!(bench.trace(), "+a1 +b1 up");
}

#[test]
fn stop_terminate_and_delete_take_a_parked_child_as_one_that_is_down() {
    let mut bench = Bench::up(parking(0), workers("a b"));
    bench.exit("a", crash());
    assert_eq!(
        bench.ask(Request::TerminateChild("a".into())),
        Some(Reply::Ok)
    );
    assert_eq!(
        bench.ask(Request::OperatorStop("a".into())),
        Some(Reply::Ok)
    );
    assert_eq!(state(&bench, "a"), ChildState::Held);
    assert_eq!(bench.ask(Request::DeleteChild("a".into())), Some(Reply::Ok));
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "forget(a) -b1 exit(shutdown, Told)");
}

#[test]
fn to_be_parked_is_an_end_that_counts_for_auto_shutdown() {
    let significant = |id| ChildSpec {
        significant: true,
        ..with(id, Restart::Transient)
    };
    for (auto_shutdown, ends) in [
        (
            AutoShutdown::AnySignificant,
            "-c1 -b1 exit(shutdown, AutoShutdown)",
        ),
        (AutoShutdown::AllSignificant, ""),
    ] {
        let flags = Flags {
            auto_shutdown,
            ..parking(0)
        };
        let children = vec![significant("a"), significant("b"), worker("c")];
        let mut bench = Bench::up(flags, children);
        bench.exit("a", crash());
        assert_eq!(bench.trace(), ends, "{auto_shutdown:?}");
    }
    let flags = Flags {
        auto_shutdown: AutoShutdown::AllSignificant,
        ..parking(0)
    };
    let mut bench = Bench::up(flags, vec![significant("a"), significant("b"), worker("c")]);
    bench.exit("a", crash());
    bench.exit("b", ExitReason::Normal);
    assert_eq!(bench.trace(), "-c1 exit(shutdown, AutoShutdown)");
}

#[test]
fn temporary_and_clean_transient_children_are_never_parked() {
    let children = vec![with("a", Restart::Temporary), with("b", Restart::Transient)];
    let mut bench = Bench::up(parking(0), children);
    bench.exit("a", crash());
    bench.exit("b", ExitReason::Normal);
    assert_eq!(state(&bench, "b"), ChildState::Down);
    assert_eq!(bench.trace(), "forget(a)");
}

#[test]
fn a_child_that_was_added_has_a_budget_too() {
    let mut bench = Bench::up(parking(0), workers("a"));
    bench.ask(Request::StartChild(worker("b")));
    bench.exit("b", crash());
    assert_eq!(state(&bench, "b"), ChildState::Parked);
    assert_eq!(bench.trace(), "+b1");
}

#[test]
fn a_supervisor_that_becomes_a_group_has_no_parked_children() {
    let mut bench = Bench::up(parking(0), workers("a b"));
    bench.exit("a", crash());
    let change = CodeChange::Static {
        flags: flags(Strategy::OneForAll, 3, 5000),
        children: workers("a b"),
    };
    let changed = bench.ask(Request::CodeChange(Box::new(change)));
    assert_eq!(changed, Some(Reply::Ok));
    assert_eq!(state(&bench, "a"), ChildState::Down);
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "+a2 +b2");
}

#[test]
fn a_group_cannot_leave_out_a_child() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let flags = Flags {
            strategy,
            ..parking(1)
        };
        let refused = Supervisor::new("root", flags, workers("a"), 0).map(drop);
        assert_eq!(refused, Err(SpecError::NotOneForOne("on_exhausted = park")));
    }
}
