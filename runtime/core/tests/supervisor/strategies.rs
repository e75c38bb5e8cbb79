//! Strategies, intensity, and restarts that fail half-way.

use synapse_core::spec::{Restart, Strategy};
use synapse_core::supervisor::{Action, Counts, Event, Reply, Request, RequestError};

use crate::bench::{Bench, crash, error, flags, with, worker, workers};

fn up(strategy: Strategy, intensity: u32, ids: &str) -> Bench {
    Bench::up(flags(strategy, intensity, 3_600_000), workers(ids))
}

#[test]
fn one_for_one() {
    let mut bench = up(Strategy::OneForOne, 2, "a b");
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "+a2");
    assert_eq!(bench.counts(), [2, 2, 0, 2]);
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "+b2");
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "-a2 exit(shutdown, GaveUp)");
}

#[test]
fn one_for_one_escalation() {
    let mut bench = up(Strategy::OneForOne, 4, "a b");
    bench.fail("a", 9);
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "+a2 +a3 +a4 +a5 -b1 exit(shutdown, GaveUp)");
}

#[test]
fn one_for_all() {
    let mut bench = up(Strategy::OneForAll, 2, "a b c");
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "-c1 -a1 +a2 +b2 +c2", "no old one is alive");
    assert_eq!(
        (&*bench.which(), bench.counts()),
        ("c:up b:up a:up", [3, 3, 0, 3])
    );
    bench.exit("c", crash());
    assert_eq!(bench.trace(), "-b2 -a2 +a3 +b3 +c3");
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "-c3 -b3 exit(shutdown, GaveUp)");
}

#[test]
fn one_for_all_escalation() {
    let mut bench = up(Strategy::OneForAll, 2, "a b");
    bench.fail("b", 9);
    bench.exit("a", crash());
    assert_eq!(
        bench.trace(),
        "-b1 +a2 +b2 -a2 +a3 +b3 -a3 exit(shutdown, GaveUp)"
    );
}

#[test]
fn one_for_all_other_child_fails_restart() {
    let mut bench = up(Strategy::OneForAll, 3, "a b");
    bench.fail("b", 1);
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "-b1 +a2 +b2 -a2 +a3 +b3");
}

#[test]
fn rest_for_one() {
    let mut bench = up(Strategy::RestForOne, 2, "a b c");
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "-c1 +b2 +c2");
    assert_eq!(
        (&*bench.which(), bench.counts()),
        ("c:up b:up a:up", [3, 3, 0, 3])
    );
    bench.exit("c", crash());
    assert_eq!(bench.trace(), "+c3");
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "-c3 -a1 exit(shutdown, GaveUp)");
}

#[test]
fn rest_for_one_escalation() {
    let mut bench = up(Strategy::RestForOne, 1, "a b");
    bench.fail("b", 9);
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "-b1 +a2 +b2 -a2 exit(shutdown, GaveUp)");
}

#[test]
fn rest_for_one_other_child_fails_restart() {
    let mut bench = up(Strategy::RestForOne, 3, "a b");
    bench.fail("b", 1);
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "-b1 +a2 +b2 +b3");
}

#[test]
fn one_restart_is_counted_however_many_children_it_concerns() {
    let mut bench = up(Strategy::OneForAll, 3, "a b c d");
    bench.exit("a", crash());
    let counted = bench.log.iter().find_map(|action| match action {
        Action::Restarting {
            restarts,
            intensity,
            ..
        } => Some((*restarts, *intensity)),
        _ => None,
    });
    assert_eq!(counted, Some((1, 3)));
}

#[test]
fn multiple_restarts() {
    let mut bench = Bench::up(flags(Strategy::OneForOne, 1, 1000), workers("a"));
    for _ in 0..4 {
        bench.exit("a", crash());
        bench.wait(1001);
    }
    assert_eq!(bench.trace(), "+a2 +a3 +a4 +a5");
    bench.exit("a", crash());
    bench.wait(1000);
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "+a6 exit(shutdown, GaveUp)");
}

/// Two crashes so far apart, with one restart allowed in a second.
fn crashes_apart(ms: u64, expected: &str) {
    for strategy in [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ] {
        let mut bench = Bench::up(flags(strategy, 1, 1000), workers("a"));
        bench.wait(77);
        bench.exit("a", crash());
        bench.wait(ms);
        bench.exit("a", crash());
        assert_eq!(bench.trace(), expected, "{strategy:?} {ms}");
    }
}

#[test]
fn the_window_of_the_intensity_ends_to_the_millisecond() {
    crashes_apart(0, "+a2 exit(shutdown, GaveUp)");
    crashes_apart(999, "+a2 exit(shutdown, GaveUp)");
    crashes_apart(1000, "+a2 exit(shutdown, GaveUp)");
    crashes_apart(1001, "+a2 +a3");
}

#[test]
fn a_restart_that_fails_counts_in_the_window_when_it_is_tried() {
    let mut bench = Bench::up(flags(Strategy::OneForOne, 2, 1000), workers("a"));
    bench.exit("a", crash());
    bench.wait(600);
    bench.fail("a", 1);
    bench.exit("a", crash());
    // The third within the window: the failed start.
    assert_eq!(bench.trace(), "+a2 +a3 exit(shutdown, GaveUp)");
    let mut bench = Bench::up(flags(Strategy::OneForOne, 2, 1000), workers("a"));
    bench.exit("a", crash());
    bench.wait(1001);
    bench.fail("a", 1);
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "+a2 +a3 +a4", "the first is too old");
}

#[test]
fn intensity_is_per_supervisor_not_per_child() {
    let mut bench = up(Strategy::OneForOne, 2, "a b c");
    ["a", "b"].iter().for_each(|id| bench.exit(id, crash()));
    assert_eq!(bench.trace(), "+a2 +b2");
    bench.exit("c", crash());
    assert_eq!(bench.trace(), "-b2 -a2 exit(shutdown, GaveUp)");
}

#[test]
fn intensity_zero_ends_with_the_first_crash() {
    let mut bench = up(Strategy::OneForOne, 0, "a b");
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "-a1 exit(shutdown, GaveUp)");
}

#[test]
fn a_group_restart_starts_the_finished_and_the_terminated_too() {
    // OTP's resurrection: declared in docs/supervision.md; an operator's stop holds instead.
    let children = vec![with("a", Restart::Transient), worker("b"), worker("c")];
    let mut bench = Bench::up(flags(Strategy::OneForAll, 3, 5000), children);
    bench.exit("a", synapse_core::exit::ExitReason::Normal);
    bench.ask(Request::TerminateChild("b".into()));
    bench.trace();
    bench.exit("c", crash());
    assert_eq!(bench.trace(), "+a2 +b2 +c2");
}

#[test]
fn a_restart_that_answers_ignore_leaves_the_child_down() {
    let mut bench = up(Strategy::OneForOne, 3, "a b");
    bench.ignore("a");
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "+a2");
    assert_eq!(
        bench.ask(Request::RestartChild("b".into())),
        error(RequestError::Running)
    );
    assert_eq!(
        bench.ask(Request::RestartChild("a".into())),
        Some(Reply::Ignored)
    );
}

/// A supervisor whose child `b` is being restarted for ever, stopped between two attempts.
fn looping(strategy: Strategy) -> Bench {
    let mut bench = up(strategy, 1000, "a b c");
    bench.loop_restarts("b", crash());
    bench
}

/// Everything that may be asked while `b` is between two attempts; ends the loop, and begins
/// another one.
fn check_requests_in_a_loop(bench: &mut Bench, which: &str, counts: [usize; 4]) {
    let restarting = Reply::Error(RequestError::Restarting);
    let b = || "b".into();
    let start = Request::StartChild(worker("b"));
    let present = Reply::Error(RequestError::AlreadyPresent);
    assert_eq!(bench.ask_now(start), present);
    assert_eq!(bench.ask_now(Request::RestartChild(b())), restarting);
    assert_eq!(bench.ask_now(Request::DeleteChild(b())), restarting);
    let listed = bench.ask_now(Request::WhichChildren);
    let Reply::Children(children) = listed else {
        panic!("{listed:?}");
    };
    let lines = children
        .iter()
        .map(|child| format!("{}:{:?}", child.id, child.state));
    assert_eq!(lines.collect::<Vec<_>>().join(" ").to_lowercase(), which);
    let [specs, active, supervisors, workers] = counts;
    let expected = Counts {
        specs,
        active,
        supervisors,
        workers,
    };
    assert_eq!(
        bench.ask_now(Request::CountChildren),
        Reply::Counts(expected)
    );
    assert_eq!(bench.ask_now(Request::TerminateChild(b())), Reply::Ok);
    bench.settle();
    assert_eq!(bench.trace(), "", "the loop is over");
    let which = which.replace("restarting", "down");
    assert_eq!(bench.which(), which);
    bench.fail("b", 0);
    assert_eq!(bench.ask(Request::RestartChild(b())), Some(Reply::Ok));
    bench.loop_restarts("b", crash());
}

#[test]
fn hanging_restart_loop() {
    let mut bench = looping(Strategy::OneForOne);
    check_requests_in_a_loop(&mut bench, "c:up b:restarting a:up", [3, 2, 0, 3]);
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-c1 -a1 exit(shutdown, Told)");
}

#[test]
fn hanging_restart_loop_rest_for_one() {
    let mut bench = looping(Strategy::RestForOne);
    check_requests_in_a_loop(&mut bench, "c:down b:restarting a:up", [3, 1, 0, 3]);
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-a1 exit(shutdown, Told)");
}

#[test]
fn stop_in_the_middle_of_a_restart_loop() {
    for strategy in [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ] {
        let mut bench = looping(strategy);
        bench.send(Event::Stop);
        assert!(
            bench.trace().ends_with("exit(shutdown, Told)"),
            "{strategy:?}"
        );
    }
}

#[test]
fn mass_exits_of_a_group_are_one_restart_and_one_stop_walk() {
    let mut bench = up(Strategy::OneForAll, 1, "a b c d");
    let events = ["c", "a", "d"].map(|id| bench.exited(id, crash()));
    events.into_iter().for_each(|event| bench.step(event));
    bench.settle();
    // `d` is told to stop before it is known to be gone.
    assert_eq!(bench.trace(), "-d1 -b1 +a2 +b2 +c2 +d2");
}

#[test]
fn an_earlier_crash_in_the_middle_of_a_group_restart_widens_it() {
    let mut bench = up(Strategy::RestForOne, 5, "a b c d");
    bench.hang("c");
    bench.exit("c", crash());
    assert_eq!(bench.trace(), "-d1 +c2");
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "-c2 -b1 +a2 +b2 +c3");
    bench.send(Event::ChildStarted {
        child: "c".into(),
        incarnation: 3,
    });
    assert_eq!(bench.trace(), "+d2");
}
