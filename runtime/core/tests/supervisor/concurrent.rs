//! `start_order = concurrent`: no first start waits for another. An addition to OTP.

use synapse_core::spec::{StartOrder, Strategy};
use synapse_core::supervisor::{ChildState, Event, Flags, Reply, Request, SpecError, Supervisor};

use crate::bench::{Bench, Machine, crash, flags, workers};

fn concurrent(intensity: u32) -> Flags {
    Flags {
        start_order: StartOrder::Concurrent,
        ..flags(Strategy::OneForOne, intensity, 5000)
    }
}

/// A supervisor whose children have all been told to start, and say nothing yet.
fn starting(ids: &str) -> Bench {
    let mut bench = Bench::new(concurrent(1), workers(ids));
    ids.split(' ').for_each(|id| bench.hang(id));
    bench.send(Event::Start);
    bench
}

fn ready(bench: &mut Bench, id: &str) {
    let incarnation = bench.live[id];
    bench.send(Event::ChildStarted {
        child: id.into(),
        incarnation,
    });
}

fn states(bench: &Bench) -> Vec<ChildState> {
    let Machine::Static(machine) = &bench.machine else {
        panic!("not static")
    };
    machine.children().map(|child| child.state).collect()
}

#[test]
fn all_children_start_at_once_and_the_last_to_be_ready_makes_it_up() {
    let mut bench = starting("a b c");
    assert_eq!(bench.trace(), "+a1 +b1 +c1");
    assert_eq!(states(&bench), [ChildState::Starting; 3]);
    ready(&mut bench, "c");
    ready(&mut bench, "a");
    assert_eq!(bench.trace(), "");
    ready(&mut bench, "b");
    assert_eq!(bench.trace(), "up");
}

#[test]
fn they_stop_in_reverse_order_whoever_was_ready_first() {
    let mut bench = starting("a b c");
    for id in ["b", "c", "a"] {
        ready(&mut bench, id);
    }
    bench.trace();
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-c1 -b1 -a1 exit(shutdown, Told)");
}

#[test]
fn a_first_start_that_fails_stops_those_that_are_up_or_starting() {
    let mut bench = starting("a b c");
    bench.trace();
    ready(&mut bench, "a");
    let failure = bench.exited("b", crash());
    bench.send(failure);
    assert_eq!(bench.trace(), "-c1 -a1 start_failed(b: crash)");
}

#[test]
fn a_second_failure_meanwhile_changes_nothing() {
    let mut bench = starting("a b c");
    bench.stubborn("c");
    let failures = [bench.exited("b", crash()), bench.exited("a", crash())];
    bench.trace();
    failures.into_iter().for_each(|failure| bench.send(failure));
    bench.wait(1000);
    assert_eq!(bench.trace(), "-c1 !c1 start_failed(b: crash)");
}

#[test]
fn a_stop_is_served_while_all_are_starting() {
    let mut bench = starting("a b c");
    bench.trace();
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-c1 -b1 -a1 exit(shutdown, Told)");
}

#[test]
fn a_child_that_was_up_and_crashes_is_restarted_and_not_waited_for() {
    let mut bench = starting("a b");
    ready(&mut bench, "a");
    bench.exit("a", crash());
    ready(&mut bench, "b");
    assert_eq!(bench.trace(), "+a1 +b1 +a2 up");
    assert_eq!(states(&bench), [ChildState::Starting, ChildState::Up]);
}

#[test]
fn a_child_that_an_operator_stops_is_not_waited_for() {
    let mut bench = starting("a b");
    ready(&mut bench, "b");
    assert_eq!(
        bench.ask(Request::OperatorStop("a".into())),
        Some(Reply::Ok)
    );
    assert_eq!(bench.trace(), "+a1 +b1 -a1 up");
}

#[test]
fn a_child_that_is_not_needed_is_not_waited_for() {
    let mut bench = Bench::new(concurrent(1), workers("a b"));
    bench.ignore("a");
    bench.send(Event::Start);
    assert_eq!(bench.trace(), "+a1 +b1 up");
}

#[test]
fn requests_are_served_meanwhile() {
    let mut bench = starting("a b");
    let started = bench.begin(Request::OperatorStart("b".into()));
    ready(&mut bench, "b");
    assert_eq!(bench.replies.get(&started), Some(&Reply::Ok));
    let deleted = bench.ask(Request::DeleteChild("a".into()));
    assert!(matches!(deleted, Some(Reply::Error(_))), "{deleted:?}");
}

#[test]
fn nothing_to_start_is_up_at_once() {
    let mut bench = Bench::new(concurrent(1), Vec::new());
    bench.send(Event::Start);
    assert_eq!(bench.trace(), "up");
}

#[test]
fn children_that_depend_on_one_another_cannot_start_at_once() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let flags = Flags {
            strategy,
            ..concurrent(1)
        };
        let refused = Supervisor::new("root", flags, workers("a"), 0).map(drop);
        assert_eq!(
            refused,
            Err(SpecError::NotOneForOne("start_order = concurrent"))
        );
    }
}
