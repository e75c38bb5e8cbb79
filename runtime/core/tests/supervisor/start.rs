//! How a supervisor comes up, or does not (the suite's `sup_start_*`).

use synapse_core::spec::{Restart, Strategy};
use synapse_core::supervisor::{ChildSpec, Event, Reply, Request};

use crate::bench::{Bench, crash, flags, with, worker, workers};

const ONE: Strategy = Strategy::OneForOne;

fn started(children: Vec<ChildSpec>, prepare: impl FnOnce(&mut Bench)) -> Bench {
    let mut bench = Bench::new(flags(ONE, 3, 5000), children);
    prepare(&mut bench);
    bench.send(Event::Start);
    bench
}

#[test]
fn sup_start_normal() {
    let mut bench = started(workers("a b c"), |_| {});
    assert_eq!(bench.trace(), "+a1 +b1 +c1 up");
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-c1 -b1 -a1 exit(shutdown, Told)");
}

#[test]
fn a_supervisor_without_children_is_up_at_once() {
    assert_eq!(started(Vec::new(), |_| {}).trace(), "up");
}

#[test]
fn the_next_child_starts_only_when_the_last_is_ready() {
    let mut bench = started(workers("a b"), |bench| bench.hang("a"));
    assert_eq!(bench.trace(), "+a1");
    bench.send(Event::ChildStarted {
        child: "a".into(),
        incarnation: 1,
    });
    assert_eq!(bench.trace(), "+b1 up");
}

#[test]
fn sup_start_fail_stops_the_started_in_reverse() {
    let mut bench = started(workers("a b c d"), |bench| bench.fail("c", 1));
    assert_eq!(bench.trace(), "+a1 +b1 +c1 -b1 -a1 start_failed(c: boom)");
}

#[test]
fn a_child_that_exits_before_it_is_ready_has_failed_to_start() {
    let mut bench = started(workers("a b"), |bench| bench.hang("b"));
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "+a1 +b1 -a1 start_failed(b: crash)");
}

#[test]
fn sup_start_ignore_child() {
    let mut bench = started(Vec::new(), |bench| bench.ignore("a"));
    let start = |id| Request::StartChild(worker(id));
    assert_eq!(bench.ask(start("a")), Some(Reply::Ignored));
    assert_eq!(bench.ask(start("b")), Some(Reply::Ok));
    assert_eq!(bench.which(), "b:up a:down");
    assert_eq!(bench.counts(), [2, 1, 0, 2]);
}

#[test]
fn a_child_that_ignores_at_the_first_start_lets_the_next_one_start() {
    let mut bench = started(workers("a b"), |bench| bench.ignore("a"));
    assert_eq!(bench.trace(), "+a1 +b1 up");
    assert_eq!(bench.which(), "b:up a:down");
}

#[test]
fn sup_start_ignore_temporary_child() {
    let children = vec![with("a", Restart::Temporary), with("b", Restart::Temporary)];
    let mut bench = started(children, |bench| bench.ignore("a"));
    assert_eq!(bench.trace(), "+a1 forget(a) +b1 up");
    assert_eq!(bench.which(), "b:up");
    assert_eq!(bench.counts(), [1, 1, 0, 1]);
}

#[test]
fn stop_in_the_middle_of_a_hanging_start_is_served_at_once() {
    let mut bench = started(workers("a b c"), |bench| bench.hang("b"));
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "+a1 +b1 -b1 -a1 exit(shutdown, Told)");
}

#[test]
fn a_crash_during_the_start_restarts_one_for_one_without_waiting() {
    let mut bench = started(workers("a b c"), |bench| bench.hang("b"));
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "+a1 +b1 +a2");
    bench.send(Event::ChildStarted {
        child: "b".into(),
        incarnation: 1,
    });
    assert_eq!(bench.trace(), "+c1 up");
}

#[test]
fn a_crash_during_the_start_restarts_the_group_without_waiting() {
    let mut bench = Bench::new(flags(Strategy::RestForOne, 3, 5000), workers("a b c"));
    bench.hang("b");
    bench.send(Event::Start);
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "+a1 +b1 -b1 +a2 +b2");
    bench.send(Event::ChildStarted {
        child: "b".into(),
        incarnation: 2,
    });
    assert_eq!(bench.trace(), "+c1 up");
}

#[test]
fn giving_up_during_the_start_is_an_exit_and_no_failed_start() {
    let mut bench = Bench::new(flags(ONE, 0, 5000), workers("a b"));
    bench.hang("b");
    bench.send(Event::Start);
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "+a1 +b1 up -b1 exit(shutdown, GaveUp)");
}

#[test]
fn incarnations_go_on_where_an_earlier_life_ended() {
    let children = vec![ChildSpec {
        last_incarnation: 41,
        ..worker("a")
    }];
    let mut bench = started(children, |_| {});
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "+a42 up +a43");
}

#[test]
fn stale_events_have_no_effect() {
    let mut bench = started(workers("a b"), |_| {});
    bench.exit("a", crash());
    bench.trace();
    let (child, incarnation) = ("a".into(), 1);
    bench.send(Event::ChildExited {
        child,
        incarnation,
        reason: crash(),
    });
    let (child, incarnation) = ("a".into(), 9);
    bench.send(Event::ChildExited {
        child,
        incarnation,
        reason: crash(),
    });
    bench.send(Event::Start);
    assert_eq!(bench.trace(), "");
}
