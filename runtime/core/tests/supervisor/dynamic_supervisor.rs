//! Elixir's DynamicSupervisor, by the names of its own tests: every child brings its spec.

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Restart, Shutdown};
use synapse_core::supervisor::{
    ChildSpec, CodeChange, DynamicFlags, Event, Reply, Request, RequestError, Token,
};
use synapse_core::time::Millis;

use crate::bench::{Bench, crash, error, start_failed, with, worker};

const MANY: u32 = 100_000;

fn up() -> Bench {
    Bench::dynamic(DynamicFlags::default())
}

fn with_restarts(intensity: u32) -> Bench {
    Bench::dynamic(DynamicFlags {
        intensity,
        ..DynamicFlags::default()
    })
}

fn limited(max_children: usize) -> Bench {
    Bench::dynamic(DynamicFlags {
        max_children,
        intensity: MANY,
        ..DynamicFlags::default()
    })
}

fn start(bench: &mut Bench, spec: ChildSpec) {
    assert_eq!(bench.ask(Request::StartChild(spec)), Some(Reply::Ok));
}

fn ending(id: &str, shutdown: Shutdown) -> ChildSpec {
    ChildSpec {
        shutdown,
        ..worker(id)
    }
}

/// Active children and workers.
fn counts(bench: &mut Bench) -> [usize; 2] {
    let [_, active, _, workers] = bench.counts();
    [active, workers]
}

fn oops() -> ExitReason {
    ExitReason::Shutdown(Some("oops".to_owned()))
}

#[test]
fn set_default_options() {
    let expected = DynamicFlags {
        intensity: 3,
        period: Millis(5000),
        max_children: usize::MAX,
        template: None,
    };
    assert_eq!(DynamicFlags::default(), expected);
}

#[test]
fn code_change_with_ok_init() {
    let mut bench = up();
    start(&mut bench, worker("a"));
    start(&mut bench, worker("b"));
    let fewer = DynamicFlags {
        max_children: 1,
        ..DynamicFlags::default()
    };
    let change = Request::CodeChange(Box::new(CodeChange::Dynamic(fewer)));
    bench.trace();
    assert_eq!(bench.ask(change), Some(Reply::Ok));
    assert_eq!((&*bench.trace(), counts(&mut bench)), ("", [2, 2]));
    let refused = bench.ask(Request::StartChild(worker("c")));
    assert_eq!(refused, error(RequestError::MaxChildren));
}

#[test]
fn start_child_with_different_returns() {
    let mut bench = up();
    start(&mut bench, worker("ok"));
    bench.ignore("ignore");
    let ignored = bench.ask(Request::StartChild(worker("ignore")));
    assert_eq!(ignored, Some(Reply::Ignored));
    bench.fail("error", 1);
    let failed = bench.ask(Request::StartChild(worker("error")));
    assert_eq!(failed, start_failed("boom"));
    bench.hang("unknown");
    let token = bench.begin(Request::StartChild(worker("unknown")));
    bench.exit("unknown", crash());
    assert_eq!(bench.replies.get(&token), start_failed("crash").as_ref());
    assert_eq!(bench.which(), "ok:up");
}

#[test]
fn start_child_with_max_children() {
    let mut bench = limited(0);
    let refused = bench.ask(Request::StartChild(worker("a")));
    assert_eq!(refused, error(RequestError::MaxChildren));
    assert_eq!(bench.trace(), "", "and it lives");
}

#[test]
fn temporary_child_is_not_restarted_regardless_of_reason() {
    let mut bench = up();
    for reason in [ExitReason::Shutdown(None), crash(), ExitReason::Normal] {
        start(&mut bench, with("a", Restart::Temporary));
        bench.exit("a", reason);
        assert_eq!(counts(&mut bench), [0, 0]);
    }
}

#[test]
fn transient_child_is_restarted_unless_normal_shutdown() {
    let mut bench = up();
    for reason in [ExitReason::Normal, ExitReason::Shutdown(None), oops()] {
        start(&mut bench, with("a", Restart::Transient));
        bench.exit("a", reason);
        assert_eq!(counts(&mut bench), [0, 0]);
    }
    start(&mut bench, with("a", Restart::Transient));
    bench.exit("a", crash());
    assert_eq!(counts(&mut bench), [1, 1]);
}

#[test]
fn permanent_child_is_restarted_regardless_of_reason() {
    let mut bench = with_restarts(MANY);
    let reasons = [
        ExitReason::Shutdown(None),
        oops(),
        crash(),
        ExitReason::Normal,
    ];
    for (index, reason) in reasons.into_iter().enumerate() {
        let id = format!("a{index}");
        start(&mut bench, worker(&id));
        bench.exit(&id, reason);
        assert_eq!(counts(&mut bench), [index + 1, index + 1]);
    }
}

#[test]
fn child_is_restarted_with_different_values() {
    let mut bench = with_restarts(MANY);
    start(&mut bench, worker("ok"));
    bench.exit("ok", ExitReason::Shutdown(None));
    assert_eq!(counts(&mut bench), [1, 1]);
    start(&mut bench, worker("ignore"));
    bench.ignore("ignore");
    bench.exit("ignore", ExitReason::Shutdown(None));
    assert_eq!(counts(&mut bench), [1, 1], "forgotten");
    start(&mut bench, worker("error"));
    bench.loop_restarts("error", ExitReason::Shutdown(None));
    let counted = bench.ask_now(Request::CountChildren);
    assert!(matches!(counted, Reply::Counts(counts) if (counts.active, counts.workers) == (1, 2)));
}

#[test]
fn restarting_on_init_children_counted_in_max_children() {
    let mut bench = limited(1);
    start(&mut bench, worker("a"));
    bench.loop_restarts("a", ExitReason::Shutdown(None));
    let counted = bench.ask_now(Request::CountChildren);
    assert!(matches!(counted, Reply::Counts(counts) if (counts.active, counts.workers) == (0, 1)));
    let refused = bench.ask_now(Request::StartChild(worker("b")));
    assert_eq!(refused, Reply::Error(RequestError::MaxChildren));
}

#[test]
fn restarting_on_exit_children_counted_in_max_children() {
    let mut bench = limited(1);
    start(&mut bench, worker("a"));
    bench.exit("a", ExitReason::Shutdown(None));
    assert_eq!(counts(&mut bench), [1, 1]);
    let refused = bench.ask(Request::StartChild(worker("b")));
    assert_eq!(refused, error(RequestError::MaxChildren));
}

#[test]
fn child_is_restarted_when_trying_again() {
    let mut bench = with_restarts(2);
    start(&mut bench, worker("a"));
    bench.fail("a", 1);
    bench.trace();
    bench.exit("a", ExitReason::Shutdown(None));
    assert_eq!(bench.trace(), "+a2 +a3");
    assert_eq!(counts(&mut bench), [1, 1]);
}

fn gives_up_after(intensity: u32, tries: usize) {
    let mut bench = with_restarts(intensity);
    start(&mut bench, worker("a"));
    bench.fail("a", u32::MAX);
    bench.trace();
    bench.exit("a", ExitReason::Shutdown(None));
    let trace = bench.trace();
    assert_eq!(trace.matches('+').count(), tries, "{trace}");
    assert!(trace.ends_with("exit(shutdown, GaveUp)"), "{trace}");
}

#[test]
fn child_triggers_maximum_restarts() {
    gives_up_after(1, 1);
}

#[test]
fn child_triggers_maximum_intensity_when_trying_again() {
    gives_up_after(10, 10);
}

#[test]
fn with_valid_shutdown() {
    let mut bench = up();
    for ms in [0, 1] {
        let id = format!("a{ms}");
        start(&mut bench, ending(&id, Shutdown::Timeout(Millis(ms))));
        bench.exit(&id, ExitReason::Shutdown(None));
        assert_eq!(counts(&mut bench)[0], usize::try_from(ms).unwrap() + 1);
    }
}

/// Three children with this rule, and the supervisor told to stop: what they are told.
fn three_stopping(shutdown: Shutdown, restart: Restart) -> Bench {
    let mut bench = up();
    for id in ["a", "b", "c"] {
        bench.immortal(id);
        let spec = ending(id, shutdown);
        start(&mut bench, ChildSpec { restart, ..spec });
    }
    bench.trace();
    bench.send(Event::Stop);
    bench
}

/// They end for this reason; the supervisor is not over before the last of them.
fn end_with(bench: &mut Bench, reason: &ExitReason) {
    for id in ["a", "b", "c"] {
        assert!(!bench.has_ended());
        bench.exit(id, reason.clone());
    }
    let trace = bench.trace();
    let expected = "forget(a) forget(b) forget(c) exit(shutdown, Told)";
    assert_eq!(trace, expected, "{reason:?}");
}

#[test]
fn terminates_children_with_brutal_kill() {
    let mut bench = three_stopping(Shutdown::BrutalKill, Restart::Permanent);
    assert_eq!(bench.trace(), "!a1 !b1 !c1");
    end_with(&mut bench, &ExitReason::Killed);
}

#[test]
fn terminates_children_with_infinity_shutdown() {
    let mut bench = three_stopping(Shutdown::Infinity, Restart::Permanent);
    bench.wait(86_400_000);
    assert_eq!(bench.trace(), "-a1 -b1 -c1");
    end_with(&mut bench, &ExitReason::Shutdown(None));
}

#[test]
fn terminates_children_with_infinity_shutdown_and_abnormal_reason() {
    let mut bench = three_stopping(Shutdown::Infinity, Restart::Permanent);
    assert_eq!(bench.trace(), "-a1 -b1 -c1");
    end_with(&mut bench, &oops());
}

#[test]
fn terminates_children_with_integer_shutdown() {
    let mut bench = three_stopping(Shutdown::Timeout(Millis(1000)), Restart::Permanent);
    bench.wait(999);
    assert_eq!(bench.trace(), "-a1 -b1 -c1");
    end_with(&mut bench, &ExitReason::Shutdown(None));
}

#[test]
fn terminates_children_with_integer_shutdown_and_abnormal_reason() {
    let mut bench = three_stopping(Shutdown::Timeout(Millis(1000)), Restart::Permanent);
    assert_eq!(bench.trace(), "-a1 -b1 -c1");
    end_with(&mut bench, &oops());
}

#[test]
fn terminates_children_with_expired_integer_shutdown() {
    let mut bench = up();
    for id in ["a", "b", "c"] {
        start(&mut bench, ending(id, Shutdown::Timeout(Millis(1))));
    }
    bench.stubborn("b");
    bench.trace();
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-a1 -b1 -c1 forget(a) forget(c)");
    bench.wait(1);
    assert_eq!(bench.trace(), "!b1 forget(b) exit(shutdown, Told)");
}

#[test]
fn terminates_children_with_permanent_restart_and_normal_reason() {
    let mut bench = three_stopping(Shutdown::Infinity, Restart::Permanent);
    assert_eq!(bench.trace(), "-a1 -b1 -c1");
    end_with(&mut bench, &ExitReason::Normal);
}

#[test]
fn terminates_with_mixed_children() {
    let mut bench = up();
    start(&mut bench, ending("a", Shutdown::Infinity));
    start(&mut bench, ending("b", Shutdown::BrutalKill));
    bench.trace();
    bench.send(Event::Stop);
    assert_eq!(
        bench.trace(),
        "-a1 !b1 forget(a) forget(b) exit(shutdown, Told)"
    );
}

fn terminates_child(shutdown: Shutdown, expected: &str) {
    let mut bench = up();
    start(&mut bench, ending("a", shutdown));
    bench.trace();
    let terminate = || Request::TerminateChild("a".into());
    assert_eq!(bench.ask(terminate()), Some(Reply::Ok));
    assert_eq!(bench.trace(), expected);
    assert_eq!(bench.ask(terminate()), error(RequestError::NotFound));
    assert_eq!(counts(&mut bench), [0, 0]);
}

#[test]
fn terminates_child_with_brutal_kill() {
    terminates_child(Shutdown::BrutalKill, "!a1 forget(a)");
}

#[test]
fn terminates_child_with_integer_shutdown() {
    terminates_child(Shutdown::Timeout(Millis(1000)), "-a1 forget(a)");
}

#[test]
fn terminates_restarting_child() {
    let mut bench = with_restarts(MANY);
    start(&mut bench, worker("a"));
    bench.loop_restarts("a", ExitReason::Shutdown(None));
    let terminate = || Request::TerminateChild("a".into());
    assert_eq!(bench.ask_now(terminate()), Reply::Ok);
    bench.settle();
    assert_eq!(bench.ask(terminate()), error(RequestError::NotFound));
    assert_eq!(counts(&mut bench), [0, 0]);
}

#[test]
fn a_child_that_is_terminated_while_it_hangs_in_its_start_is_gone() {
    let mut bench = up();
    bench.hang("a");
    let starting: Token = bench.begin(Request::StartChild(worker("a")));
    let terminate = Request::TerminateChild("a".into());
    assert_eq!(bench.ask(terminate), Some(Reply::Ok));
    let stopped = Reply::Error(RequestError::Stopped);
    assert_eq!(bench.replies.get(&starting), Some(&stopped));
    assert_eq!(counts(&mut bench), [0, 0]);
}
