//! Restart delays: additions to OTP.

use synapse_core::spec::{Backoff, Strategy};
use synapse_core::supervisor::{Action, ChildSpec, Event, Reply, Request};
use synapse_core::time::Millis;

use crate::bench::{Bench, crash, flags, worker};

const BACKOFF: Backoff = Backoff {
    initial: Millis(100),
    max: Millis(400),
    factor: 2.0,
    jitter: 0.0,
    reset_after: Millis(10_000),
};

fn slow(id: &str) -> ChildSpec {
    ChildSpec {
        backoff: Some(BACKOFF),
        ..worker(id)
    }
}

fn up(strategy: Strategy, intensity: u32) -> Bench {
    let children = vec![worker("a"), slow("b"), worker("c")];
    Bench::up(flags(strategy, intensity, 60_000), children)
}

#[test]
fn a_restart_waits_for_its_delay_and_siblings_go_on() {
    let mut bench = up(Strategy::OneForOne, 9);
    for delay in [100, 200, 400, 400] {
        bench.exit("b", crash());
        bench.wait(delay - 1);
        assert_eq!(bench.trace(), "");
        bench.wait(1);
        assert!(bench.trace().starts_with("+b"));
    }
}

#[test]
fn good_health_makes_the_next_delay_the_first_again() {
    let mut bench = up(Strategy::OneForOne, 9);
    bench.exit("b", crash());
    bench.wait(100);
    bench.wait(10_000);
    bench.exit("b", crash());
    bench.wait(100);
    assert_eq!(bench.trace(), "+b2 +b3");
}

#[test]
fn a_failure_counts_when_it_happens_and_not_when_it_is_restarted() {
    let mut bench = Bench::up(flags(Strategy::OneForOne, 1, 300), vec![slow("b")]);
    bench.exit("b", crash());
    bench.wait(100);
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "+b2 exit(shutdown, GaveUp)");
}

#[test]
fn a_failing_start_backs_off_too() {
    let mut bench = up(Strategy::OneForOne, 9);
    bench.fail("b", 2);
    bench.exit("b", crash());
    bench.wait(699);
    assert_eq!(bench.trace(), "+b2 +b3");
    bench.wait(1);
    assert_eq!(bench.trace(), "+b4");
}

#[test]
fn a_group_goes_down_at_once_and_comes_up_after_the_delay() {
    let mut bench = up(Strategy::OneForAll, 9);
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "-c1 -a1");
    bench.wait(99);
    assert_eq!(bench.trace(), "");
    bench.wait(1);
    assert_eq!(bench.trace(), "+a2 +b2 +c2");
}

#[test]
fn an_operators_stop_ends_the_wait_and_the_group_comes_up_without_it() {
    let mut bench = up(Strategy::OneForAll, 9);
    bench.exit("b", crash());
    bench.trace();
    assert_eq!(
        bench.ask(Request::OperatorStop("b".into())),
        Some(Reply::Ok)
    );
    assert_eq!(bench.trace(), "+a2 +c2");
    bench.wait(1000);
    assert_eq!(bench.trace(), "");
}

#[test]
fn an_operators_start_ends_the_wait() {
    let mut bench = up(Strategy::OneForOne, 9);
    bench.exit("b", crash());
    assert_eq!(
        bench.ask(Request::OperatorStart("b".into())),
        Some(Reply::Ok)
    );
    bench.wait(1000);
    assert_eq!(bench.trace(), "+b2");
}

#[test]
fn an_operators_start_ends_the_wait_of_a_group() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let mut bench = up(strategy, 9);
        bench.exit("b", crash());
        bench.trace();
        assert_eq!(
            bench.ask(Request::OperatorStart("b".into())),
            Some(Reply::Ok)
        );
        assert!(bench.trace().ends_with("+b2 +c2"), "{strategy:?}");
        bench.wait(1000);
        assert_eq!(bench.trace(), "");
    }
}

#[test]
fn stop_in_the_middle_of_a_backoff() {
    for strategy in [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ] {
        let mut bench = up(strategy, 9);
        bench.exit("b", crash());
        bench.send(Event::Stop);
        assert!(
            bench.trace().ends_with("exit(shutdown, Told)"),
            "{strategy:?}"
        );
        bench.wait(1000);
        assert_eq!(bench.trace(), "");
    }
}

#[test]
fn the_shell_hears_the_delay() {
    let mut bench = up(Strategy::OneForOne, 9);
    bench.exit("b", crash());
    let heard = bench.log.iter().any(|action| match action {
        Action::Restarting { child, delay, .. } => child.as_str() == "b" && *delay == Millis(100),
        _ => false,
    });
    assert!(heard);
}
