//! What an operator may ask: additions to OTP.

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Restart, Strategy};
use synapse_core::supervisor::{ChildSpec, ChildState, Event, Reply, Request, RequestError};

use crate::bench::{Bench, Machine, crash, flags, with, worker, workers};

fn up(strategy: Strategy, ids: &str) -> Bench {
    Bench::up(flags(strategy, 3, 5000), workers(ids))
}

fn state(bench: &Bench, id: &str) -> ChildState {
    let Machine::Static(machine) = &bench.machine else {
        panic!("not static")
    };
    machine
        .children()
        .find(|child| child.id.as_str() == id)
        .unwrap()
        .state
}

#[test]
fn a_stop_holds_whatever_happens_to_the_siblings() {
    let mut bench = up(Strategy::OneForAll, "a b c");
    assert_eq!(
        bench.ask(Request::OperatorStop("b".into())),
        Some(Reply::Ok)
    );
    bench.exit("c", crash());
    assert_eq!(bench.trace(), "-b1 -a1 +a2 +c2");
    assert_eq!(state(&bench, "b"), ChildState::Held);
    assert_eq!(
        bench.ask(Request::OperatorStart("b".into())),
        Some(Reply::Ok)
    );
    bench.exit("c", crash());
    assert_eq!(bench.trace(), "+b2 -b2 -a2 +a3 +b3 +c3");
}

#[test]
fn a_restart_is_a_terminate_and_a_start_and_counts_nothing() {
    let mut bench = Bench::up(flags(Strategy::RestForOne, 0, 5000), workers("a b c"));
    assert_eq!(
        bench.ask(Request::OperatorRestart("b".into())),
        Some(Reply::Ok)
    );
    assert_eq!(bench.trace(), "-b1 +b2");
}

#[test]
fn a_restart_kills_at_the_end_of_the_shutdown_time() {
    let mut bench = up(Strategy::OneForOne, "a");
    bench.stubborn("a");
    let token = bench.begin(Request::OperatorRestart("a".into()));
    bench.wait(1000);
    assert_eq!(bench.trace(), "-a1 !a1 +a2");
    assert_eq!(bench.replies.get(&token), Some(&Reply::Ok));
}

#[test]
fn a_start_that_fails_is_told_and_not_tried_again() {
    let mut bench = up(Strategy::OneForOne, "a");
    bench.fail("a", 1);
    assert!(matches!(
        bench.ask(Request::OperatorRestart("a".into())),
        Some(Reply::Error(RequestError::StartFailed(_)))
    ));
    assert_eq!(bench.trace(), "-a1 +a2");
    assert_eq!(state(&bench, "a"), ChildState::Down);
    assert_eq!(
        bench.ask(Request::OperatorStart("a".into())),
        Some(Reply::Ok)
    );
}

#[test]
fn a_stop_in_the_middle_of_a_hanging_start_lets_the_others_go_on() {
    let mut bench = Bench::new(flags(Strategy::OneForOne, 3, 5000), workers("a b c"));
    bench.hang("b");
    bench.send(Event::Start);
    assert_eq!(
        bench.ask(Request::OperatorStop("b".into())),
        Some(Reply::Ok)
    );
    assert_eq!(bench.trace(), "+a1 +b1 -b1 +c1 up");
    assert_eq!(state(&bench, "b"), ChildState::Held);
}

#[test]
fn a_stop_before_the_first_start_is_kept() {
    let mut bench = Bench::new(flags(Strategy::OneForOne, 3, 5000), workers("a b c"));
    bench.hang("a");
    bench.send(Event::Start);
    assert_eq!(
        bench.ask(Request::OperatorStop("b".into())),
        Some(Reply::Ok)
    );
    bench.send(Event::ChildStarted {
        child: "a".into(),
        incarnation: 1,
    });
    assert_eq!(bench.trace(), "+a1 +c1 up");
}

#[test]
fn a_start_during_a_stop_starts_when_the_stop_is_over() {
    let mut bench = up(Strategy::OneForOne, "a");
    bench.immortal("a");
    let stop = bench.begin(Request::OperatorStop("a".into()));
    let start = bench.begin(Request::OperatorStart("a".into()));
    bench.exit("a", ExitReason::Shutdown(None));
    assert_eq!(bench.trace(), "-a1 +a2");
    assert_eq!(bench.replies.get(&stop), Some(&Reply::Ok));
    assert_eq!(bench.replies.get(&start), Some(&Reply::Ok));
}

#[test]
fn a_stop_during_a_restart_ends_the_restart() {
    let mut bench = up(Strategy::OneForOne, "a");
    bench.immortal("a");
    let restart = bench.begin(Request::OperatorRestart("a".into()));
    let stop = bench.begin(Request::OperatorStop("a".into()));
    bench.exit("a", ExitReason::Shutdown(None));
    assert_eq!(bench.trace(), "-a1");
    let stopped = Reply::Error(RequestError::Stopped);
    assert_eq!(bench.replies.get(&restart), Some(&stopped));
    assert_eq!(bench.replies.get(&stop), Some(&Reply::Ok));
}

#[test]
fn a_temporary_child_that_is_remembered_can_be_started_again() {
    let spec = ChildSpec {
        remember: true,
        ..with("a", Restart::Temporary)
    };
    let mut bench = Bench::up(flags(Strategy::OneForAll, 3, 5000), vec![spec, worker("b")]);
    bench.exit("a", ExitReason::Normal);
    bench.exit("b", crash());
    assert_eq!(
        bench.trace(),
        "+b2",
        "a sibling's restart does not start it"
    );
    assert_eq!(
        bench.ask(Request::OperatorStart("a".into())),
        Some(Reply::Ok)
    );
    assert_eq!(bench.trace(), "+a2");
}

#[test]
fn a_stop_during_a_group_restart_leaves_the_child_out() {
    let mut bench = up(Strategy::OneForAll, "a b c");
    bench.immortal("c");
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "-c1");
    let stop = bench.begin(Request::OperatorStop("b".into()));
    bench.exit("c", ExitReason::Shutdown(None));
    assert_eq!(bench.trace(), "-b1 +a2 +c2");
    assert_eq!(bench.replies.get(&stop), Some(&Reply::Ok));
}
