//! How children and supervisors end (the suite's `sup_stop_*`).

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Restart, Shutdown, Strategy};
use synapse_core::supervisor::{ChildSpec, Event, Reply, Request};
use synapse_core::time::Millis;

use crate::bench::{Bench, crash, flags, with, worker, workers};

fn up(children: Vec<ChildSpec>) -> Bench {
    Bench::up(flags(Strategy::OneForOne, 3, 5000), children)
}

fn ending(id: &str, shutdown: Shutdown) -> ChildSpec {
    ChildSpec {
        shutdown,
        ..worker(id)
    }
}

#[test]
fn sup_stop_infinity() {
    let supervisor = ChildSpec {
        shutdown: Shutdown::Infinity,
        ..ChildSpec::supervisor("a")
    };
    let mut bench = up(vec![supervisor, ending("b", Shutdown::Infinity)]);
    ["a", "b"].iter().for_each(|id| bench.immortal(id));
    bench.send(Event::Stop);
    bench.wait(86_400_000);
    assert_eq!(bench.trace(), "-b1", "no time runs out");
    bench.exit("b", ExitReason::Shutdown(None));
    bench.wait(86_400_000);
    bench.exit("a", ExitReason::Shutdown(None));
    assert!(bench.reports().is_empty(), "both ended as they should");
    assert!(bench.has_ended());
}

#[test]
fn sup_stop_timeout() {
    let mut bench = up(workers("a b"));
    bench.stubborn("b");
    bench.send(Event::Stop);
    bench.wait(999);
    assert_eq!(bench.trace(), "-b1");
    bench.wait(1);
    assert_eq!(bench.reports(), ["root shutdown_error: b #1 killed"]);
    assert!(bench.has_ended(), "`a` ended by itself");
}

#[test]
fn a_child_that_obeys_at_the_last_moment_is_not_killed() {
    let mut bench = up(workers("a b"));
    bench.immortal("b");
    bench.send(Event::Stop);
    bench.wait(999);
    bench.exit("b", ExitReason::Shutdown(None));
    bench.wait(10_000);
    assert_eq!(bench.trace(), "-b1 -a1 exit(shutdown, Told)");
}

#[test]
fn sup_stop_brutal_kill() {
    let mut bench = up(vec![worker("a"), ending("b", Shutdown::BrutalKill)]);
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "!b1 -a1 exit(shutdown, Told)");
}

#[test]
fn sup_stop_manual() {
    let mut bench = up(vec![
        ending("a", Shutdown::BrutalKill),
        worker("b"),
        worker("c"),
    ]);
    bench.stubborn("c");
    bench.send(Event::Stop);
    bench.wait(1000);
    assert_eq!(bench.trace(), "-c1 !c1 -b1 !a1 exit(shutdown, Told)");
}

#[test]
fn order_of_children() {
    // Ids that are not in alphabetical order.
    let children = workers("ch7 ch3 ch10 ch2 ch5");
    let mut bench = Bench::new(flags(Strategy::RestForOne, 2, 3_600_000), children);
    bench.send(Event::Start);
    assert_eq!(bench.trace(), "+ch71 +ch31 +ch101 +ch21 +ch51 up");
    bench.exit("ch10", crash());
    assert_eq!(bench.trace(), "-ch51 -ch21 +ch102 +ch22 +ch52");
    bench.send(Event::Stop);
    assert_eq!(
        bench.trace(),
        "-ch52 -ch22 -ch102 -ch31 -ch71 exit(shutdown, Told)"
    );
}

#[test]
fn children_stop_one_by_one_each_by_its_own_rule() {
    let slow = ending("b", Shutdown::Timeout(Millis(300)));
    let mut bench = up(vec![worker("a"), slow, worker("c")]);
    ["a", "b", "c"].iter().for_each(|id| bench.stubborn(id));
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-c1");
    bench.wait(1000);
    assert_eq!(bench.trace(), "!c1 -b1");
    bench.wait(300);
    assert_eq!(bench.trace(), "!b1 -a1");
    bench.wait(1000);
    assert_eq!(bench.trace(), "!a1 exit(shutdown, Told)");
}

#[test]
fn sup_stop_race() {
    let mut bench = up(vec![with("first", Restart::Temporary)]);
    let mut dying = Vec::new();
    for restart in [Restart::Temporary, Restart::Transient, Restart::Permanent] {
        for reason in own_reasons() {
            let id = format!("{restart:?}{}", dying.len());
            assert_eq!(
                bench.ask(Request::StartChild(with(&id, restart))),
                Some(Reply::Ok)
            );
            dying.push((id, reason));
        }
    }
    bench.ask(Request::StartChild(with("last", Restart::Temporary)));
    bench.trace();
    bench.immortal("last");
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-last1");
    for (id, reason) in dying {
        bench.exit(&id, reason);
    }
    let trace = bench.trace();
    assert!(!trace.contains('+') && !trace.contains("exit("), "{trace}");
    bench.exit("last", ExitReason::Shutdown(None));
    assert!(
        bench
            .trace()
            .ends_with("-first1 forget(first) exit(shutdown, Told)")
    );
}

/// Reasons of children that end by themselves, or otherwise than they were told.
fn own_reasons() -> [ExitReason; 4] {
    [
        ExitReason::Normal,
        ExitReason::Shutdown(None),
        ExitReason::Shutdown(Some("test".to_owned())),
        ExitReason::Error("other".to_owned()),
    ]
}

#[test]
fn a_sibling_that_dies_in_a_group_restart_before_its_turn_is_no_second_failure() {
    let mut bench = Bench::up(flags(Strategy::OneForAll, 1, 5000), workers("a b c"));
    bench.immortal("c");
    bench.exit("b", crash());
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "-c1");
    bench.exit("c", ExitReason::Shutdown(None));
    assert_eq!(bench.trace(), "+a2 +b2 +c2");
}

#[test]
fn a_stop_that_ends_otherwise_is_reported_and_no_failure() {
    let mut bench = up(vec![
        worker("a"),
        with("b", Restart::Transient),
        worker("c"),
    ]);
    ["a", "b", "c"].iter().for_each(|id| bench.immortal(id));
    bench.send(Event::Stop);
    bench.exit("c", ExitReason::Normal);
    bench.exit("b", ExitReason::Normal);
    bench.exit("a", ExitReason::Killed);
    assert_eq!(
        bench.reports(),
        [
            "root shutdown_error: c #1 finished",
            "root shutdown_error: a #1 killed"
        ]
    );
}

#[test]
fn a_second_stop_and_a_late_timer_have_no_effect() {
    let mut bench = up(workers("a"));
    bench.immortal("a");
    bench.send(Event::Stop);
    bench.send(Event::Stop);
    bench.exit("a", ExitReason::Shutdown(None));
    bench.wait(10_000);
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-a1 exit(shutdown, Told)");
}

#[test]
fn a_kill_ends_every_child_at_once_even_in_the_middle_of_a_stop() {
    let mut bench = up(workers("a b c"));
    ["a", "b", "c"].iter().for_each(|id| bench.immortal(id));
    bench.send(Event::Stop);
    bench.send(Event::Kill);
    assert_eq!(bench.trace(), "-c1 !a1 !b1 !c1");
    ["b", "c", "a"]
        .iter()
        .for_each(|id| bench.exit(id, ExitReason::Killed));
    assert_eq!(bench.trace(), "exit(killed, Killed)");
}

#[test]
fn a_stop_does_not_start_what_an_operator_was_restarting() {
    let mut bench = up(workers("a b"));
    bench.immortal("a");
    bench.immortal("b");
    let token = bench.begin(Request::OperatorRestart("a".into()));
    bench.send(Event::Stop);
    bench.exit("a", ExitReason::Shutdown(None));
    bench.exit("b", ExitReason::Shutdown(None));
    assert_eq!(bench.trace(), "-a1 -b1 exit(shutdown, Told)");
    assert!(bench.replies.contains_key(&token));
}

#[test]
fn ten_thousand_children_start_and_stop_in_order() {
    let ids: Vec<String> = (0..10_000).map(|index| format!("w{index}")).collect();
    let children = ids.iter().map(|id| worker(id)).collect();
    let mut bench = Bench::new(flags(Strategy::OneForAll, 3, 5000), children);
    bench.send(Event::Start);
    let started = bench.trace();
    assert!(started.starts_with("+w01 +w11 ") && started.ends_with(" +w99991 up"));
    bench.send(Event::Stop);
    let stopped = bench.trace();
    assert!(stopped.starts_with("-w99991 ") && stopped.ends_with(" -w01 exit(shutdown, Told)"));
}
